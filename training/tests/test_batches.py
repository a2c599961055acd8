"""Batches: a function of seed and update alone, and crops that lie where their truth lies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from training.batches import Batches, CropRule
from training.degrade import Degradation
from training.downscale import downscale
from training.tests.pictures import corpus_of, levels, noise, scene

if TYPE_CHECKING:
    from pathlib import Path

RULE = CropRule(patch_px=16, batch=4)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_clean_crop_is_its_truth_shrunk(tmp_path: Path, scale: int) -> None:
    """Inside bit for bit, but for the order of the two passes where the crop was turned."""
    corpus = corpus_of(tmp_path, [noise(90, 100)], scale=scale, smallest_px=16)
    low, high = Batches(corpus, CropRule(patch_px=12, batch=8), seed=2).make(0)
    inner = np.s_[2:-2, 2:-2]
    for small, truth in zip(levels(low), levels(high), strict=True):
        wanted = downscale(truth, scale) if scale > 1 else truth
        differences = np.abs(small.astype(int) - wanted)[inner]
        assert differences.max() <= 1
        assert differences.mean() < 0.25


@pytest.mark.parametrize(("power", "of_the_large"), [(1.0, 0.9), (0.5, 0.75), (0.0, 0.5)])
def test_how_often_a_large_picture_is_drawn(
    tmp_path: Path, power: float, of_the_large: float
) -> None:
    """In proportion to its area to a power: here nine times the other's."""
    corpus = corpus_of(tmp_path, [scene(60, 60), scene(180, 180, 2)], scale=1, smallest_px=16)
    corpus.pictures = [np.full_like(high, len(high)) for high in corpus.pictures]
    rule = CropRule(patch_px=16, batch=500, flat_rejection=0, area_power=power)
    low, _ = Batches(corpus, rule, 3).make(0)
    large = float((low.mean(dim=(1, 2, 3)) > 120 / 255).float().mean())
    assert large == pytest.approx(of_the_large, abs=0.06)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_batch_depends_on_seed_and_update_alone(tmp_path: Path, scale: int) -> None:
    """Whether it was prepared ahead, drawn at once, or drawn after others."""
    corpus = corpus_of(tmp_path, [scene(150, 150), scene(160, 150, 2)], scale=scale, smallest_px=44)
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
    """About as many crops as asked for are what their truth gives."""
    corpus = corpus_of(tmp_path, [scene(200, 200)], smallest_px=60)
    rule = CropRule(patch_px=16, batch=200, flat_rejection=0)
    low, high = Batches(corpus, rule, 0, Degradation(clean=0.3, noise=1)).make(0)
    wanted = [downscale(truth, 2) for truth in levels(high)]
    off = np.abs(levels(low).astype(int) - np.stack(wanted))[:, 2:-2, 2:-2]
    assert 0.22 < (off.max((1, 2, 3)) <= 1).mean() < 0.38


def test_a_degraded_crop_lies_where_its_truth_lies(tmp_path: Path) -> None:
    """Without noise it is nearer to the mean of its truth than to the same one pixel aside."""
    corpus = corpus_of(tmp_path, [scene(200, 200)], smallest_px=44)
    rule = CropRule(patch_px=16, batch=8, flat_rejection=0)
    low, high = Batches(corpus, rule, 0, Degradation(clean=0, noise=0)).make(0)
    plain = torch.nn.functional.avg_pool2d(high, 2)
    here = (low - plain)[..., 1:-1].abs().mean()
    for step in (-1, 1):
        assert here < 0.7 * (low - plain.roll(step, 3))[..., 1:-1].abs().mean()


def test_prints_are_toned_and_grainy(tmp_path: Path) -> None:
    """Small and large picture have one tint, and the small one grain that the large one lacks."""
    corpus = corpus_of(tmp_path, [scene(180, 180)], scale=1)
    rule = replace(RULE, batch=8)
    plain = Degradation(clean=0, blur=0, noise=0, compress=0, prints=1)
    low, high = (levels(each) for each in Batches(corpus, rule, 0, plain).make(0))
    for truth in high:
        red, *others = truth.reshape(-1, 3).astype(int).T
        for channel in others:
            spread = [np.ptp(channel[red == level]) for level in np.unique(red)]
            assert np.mean(spread) < 2
    grain = low.astype(int) - high
    assert 0.5 < grain.std() < 25


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
