"""Batches: a function of seed and update alone, and the same for every version of the code."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from training.batches import Batches, CropRule, region_with_margin
from training.degrade import Degradation
from training.tests.pictures import corpus_of, noise, scene

if TYPE_CHECKING:
    from pathlib import Path

RULE = CropRule(patch_px=16, batch=4)


def checksum(batch: torch.Tensor) -> int:
    """Return the checksum of a batch's 8-bit levels."""
    levels = np.rint(batch.permute(0, 2, 3, 1).contiguous().numpy() * 255).astype(np.uint8)
    return zlib.crc32(levels.tobytes())


def test_clean_batches_are_those_of_runs_under_way(tmp_path: Path) -> None:
    """A change here would break the exact continuation of every run that was begun before."""
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (40, 50, 3)).astype(np.uint8) for _ in range(2)]
    batches = Batches(corpus_of(tmp_path, pictures), CropRule(patch_px=12, batch=2), seed=7)
    assert [checksum(part) for part in batches.make(5)] == PINNED


PINNED = [2526516413, 3034434201]


@pytest.mark.parametrize(("power", "of_the_large"), [(1.0, 0.9), (0.5, 0.75), (0.0, 0.5)])
def test_how_often_a_large_picture_is_drawn(
    tmp_path: Path, power: float, of_the_large: float
) -> None:
    """In proportion to its area to a power: here nine times the other's."""
    corpus = corpus_of(tmp_path, [scene(60, 60), scene(180, 180, 2)], scale=1, smallest_px=16)
    corpus.pairs = [(np.full_like(low, len(low)), high) for low, high in corpus.pairs]
    rule = CropRule(patch_px=16, batch=500, flat_rejection=0, area_power=power)
    low, _ = Batches(corpus, rule, 3).make(0)
    large = float((low.mean(dim=(1, 2, 3)) > 120 / 255).float().mean())
    assert large == pytest.approx(of_the_large, abs=0.06)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_batch_depends_on_seed_and_update_alone(tmp_path: Path, scale: int) -> None:
    """Whether it was prepared ahead, drawn at once, or drawn after others."""
    corpus = corpus_of(tmp_path, [scene(150, 150), scene(160, 150, 2)], scale=scale, smallest_px=32)
    first, second = (Batches(corpus, RULE, 3, Degradation()) for _ in range(2))
    for update in range(4):
        low, high = first.take(update)
        assert low.shape == (4, 3, 16, 16)
        assert high.shape == (4, 3, 16 * scale, 16 * scale)
        assert 0 <= float(low.min()) <= float(low.max()) <= 1
    direct = second.make(3)
    assert torch.equal(direct[0], low)
    assert torch.equal(direct[1], high)
    assert not torch.equal(Batches(corpus, RULE, 4, Degradation()).make(3)[0], low)


def test_the_clean_share_is_the_plain_downscale(tmp_path: Path) -> None:
    """About as many crops as asked for are bit for bit those of a clean run."""
    corpus = corpus_of(tmp_path, [scene(200, 200)], smallest_px=32)
    rule = CropRule(patch_px=16, batch=1, flat_rejection=0)
    rules = [None, Degradation(clean=0.3, noise=1)]
    plain, degraded = (Batches(corpus, rule, 0, one) for one in rules)
    same = [torch.equal(plain.make(n)[0], degraded.make(n)[0]) for n in range(300)]
    assert 0.22 < np.mean(same) < 0.38
    assert all(torch.equal(plain.make(n)[1], degraded.make(n)[1]) for n in range(20))


def test_a_degraded_crop_lies_where_its_truth_lies(tmp_path: Path) -> None:
    """Without noise it is nearer to the mean of its truth than to the same one pixel aside."""
    corpus = corpus_of(tmp_path, [scene(200, 200)], smallest_px=32)
    rule = CropRule(patch_px=16, batch=8, flat_rejection=0)
    low, high = Batches(corpus, rule, 0, Degradation(clean=0, noise=0)).make(0)
    plain = torch.nn.functional.avg_pool2d(high, 2)
    here = (low - plain)[..., 1:-1].abs().mean()
    for step in (-1, 1):
        assert here < 0.7 * (low - plain.roll(step, 3))[..., 1:-1].abs().mean()


def test_a_region_is_mirrored_beyond_the_picture() -> None:
    """Inside it is the picture itself."""
    picture = noise(40, 40)
    assert np.array_equal(region_with_margin(picture, [3, 5], 4, 2, 2), picture[2:18, 6:22])
    padded = np.pad(picture, ((4, 4), (4, 4), (0, 0)), mode="reflect")
    assert np.array_equal(region_with_margin(picture, [0, 0], 20, 2, 2), padded)


def test_solid_crops_have_one_colour(tmp_path: Path) -> None:
    """About as many as asked for, the same colour small and large; strong colours among them."""
    corpus = corpus_of(tmp_path, [noise(80, 90)])
    batches = Batches(corpus, CropRule(patch_px=12, batch=60, solid=0.5), seed=1)
    low, high = batches.make(0)
    solid = [index for index in range(60) if float(low[index].flatten(1).std(1).max()) == 0]
    assert 20 <= len(solid) <= 40
    for index in solid:
        assert torch.equal(low[index, :, :1, :1], high[index, :, :1, :1])
        assert float(high[index].flatten(1).std(1).max()) == 0
    colours = low[solid, :, 0, 0]
    assert ((colours == 0) | (colours == 1)).any()
    assert (colours.std(1) > 0.3).any()
