"""Flat parts are interpolated: where, at what price, and never so that a border shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upres.bench.pictures import read_rgb
from upres.bench.scores import psnr_y
from upres.config import Settings
from upres.engines.threads import usable_cpus
from upres.image.limits import Limits
from upres.image.picture import Picture
from upres.upscale.flat import BLOCK_PX, Tally, block_detail
from upres.upscale.resample import BICUBIC, resize
from upres.upscale.steps import quantized, to_planes
from upres.upscale.tiles import plan_tiles, whole_plan
from upres.upscale.upscaler import Interpolation, Options, enlarge_picture
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from upres.upscale.tiles import TilePlan
    from upres.upscale.upscaler import Network

    Planes = NDArray[np.float32]
    Levels = NDArray[np.uint8]

SCALE = 3
OFFSET = 30
"""By so many levels the network that stands for all of them differs from interpolation."""


def brighter(planes: Planes) -> Planes:
    """Enlarge by bicubic and add an offset: the largest difference there can be to it."""
    _, height, width = planes.shape
    large = resize(planes, height=height * SCALE, width=width * SCALE, kernel=BICUBIC)
    return large + np.float32(OFFSET / 255)


def refuses(_planes: Planes) -> Planes:
    raise AssertionError("the network was run")


MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Networks hold nothing from one picture to the next."""


def scene(height: int, width: int, *, seed: int = 0) -> Levels:
    """Return a soft slope with patches of texture, some across borders of tiles; no white."""
    numbers = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    picture = 90 + 40 * rows / height + 30 * columns / width
    for _ in range(3):
        y, x = int(numbers.integers(0, height)), int(numbers.integers(0, width))
        place = np.s_[y : y + 40, x : x + 30]
        picture[place] += numbers.normal(0, 15, picture[place].shape)
    levels: Levels = np.clip(np.rint(picture), 40, 180).astype(np.uint8)
    return levels[..., np.newaxis].repeat(3, axis=2)


def sparing(network: Network, *, below: float = 10.0) -> Network:
    return replace(network, spec=replace(network.spec, flat_below=below), spares_flat=True)


def enlarged(
    pixels: NDArray[np.uint8 | np.uint16],
    network: Network | Interpolation,
    *,
    plan: TilePlan | None = None,
    tally: Tally | None = None,
    alpha: NDArray[np.uint8] | None = None,
    options: Options | None = None,
) -> NDArray[np.int64]:
    picture = Picture(pixels=pixels, alpha=alpha)
    result = enlarge_picture(
        picture,
        network,
        width=picture.width * SCALE,
        height=picture.height * SCALE,
        options=options or Options(),
        plan=plan,
        tally=tally,
    )
    return result.pixels.astype(np.int64)


@pytest.fixture
def offset_network(fake_network: Callable[..., Network]) -> Network:
    return sparing(fake_network(brighter, scale=SCALE, halo_px=8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(height=st.integers(1, 230), width=st.integers(1, 230), seed=st.integers(0, 5))
@MANY
def test_no_border_can_be_seen(
    offset_network: Network, *, dtype: type[np.uint8], height: int, width: int, seed: int
) -> None:
    """From pixel to pixel the way from network to interpolation goes in small steps.

    Against a network that differs by 30 levels everywhere: real ones do so by less than one where
    they are spared. Tiles are small, so that pieces and ramps lie across their borders.
    """
    pixels = scene(height, width, seed=seed).astype(dtype)
    if dtype is np.uint16:
        pixels = pixels * np.uint16(257)
    plan = plan_tiles(width, height, halo_px=8, budget_px=80 * 80)
    unit = 257 if dtype is np.uint16 else 1
    shift = enlarged(pixels, offset_network, plan=plan) - enlarged(
        pixels, Interpolation(kernel=BICUBIC)
    )
    assert shift.min() >= -unit
    assert shift.max() <= (OFFSET + 1) * unit
    step = OFFSET / (BLOCK_PX * SCALE) + 2
    for axis in (0, 1):
        assert np.abs(np.diff(shift, axis=axis)).max(initial=0) <= step * unit


@given(height=st.integers(1, 230), width=st.integers(1, 230), seed=st.integers(0, 5))
@MANY
def test_where_tiles_lie_makes_no_difference(
    offset_network: Network, *, height: int, width: int, seed: int
) -> None:
    """What is flat follows from the picture alone; a level is left to rounding."""
    pixels = scene(height, width, seed=seed)
    small = plan_tiles(width, height, halo_px=8, budget_px=64 * 96)
    tallies = Tally(), Tally()
    tiled = enlarged(pixels, offset_network, plan=small, tally=tallies[0])
    whole = enlarged(pixels, offset_network, plan=whole_plan(width, height), tally=tallies[1])
    assert np.abs(tiled - whole).max() <= 1
    assert tallies[0].share == tallies[1].share
    assert {tally.pixels for tally in tallies} == {height * width}


def test_texture_is_the_networks_alone(offset_network: Network) -> None:
    """To the level, and the ring around it, too."""
    pixels = np.full((200, 240, 3), 100, np.uint8)
    pixels[64:112, 80:160] += np.random.default_rng(1).integers(0, 60, (48, 80, 3), np.uint8)
    tally = Tally()
    result = enlarged(pixels, offset_network, tally=tally)
    exact = enlarged(pixels, replace(offset_network, spares_flat=False))
    place = np.s_[64 * SCALE : 112 * SCALE, 80 * SCALE : 160 * SCALE]
    np.testing.assert_array_equal(result[place], exact[place])
    assert (result[:100] == 100).all()
    assert 0.6 < tally.share < 0.85
    assert tally.network < 0.5 * tally.pixels


def test_a_flat_picture_needs_no_network(fake_network: Callable[..., Network]) -> None:
    pixels = scene(100, 90)[:1, :1].repeat(100, axis=0).repeat(90, axis=1)
    tally = Tally()
    network = sparing(fake_network(refuses, scale=SCALE, halo_px=8))
    result = enlarged(pixels, network, tally=tally)
    np.testing.assert_array_equal(result, enlarged(pixels, Interpolation(kernel=BICUBIC)))
    assert (tally.share, tally.network) == (1.0, 0)


def test_a_picture_without_flat_parts_is_what_it_is_without_sparing(
    offset_network: Network,
) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (150, 170, 3), np.uint8)
    tally = Tally()
    result = enlarged(pixels, offset_network, tally=tally)
    np.testing.assert_array_equal(
        result, enlarged(pixels, replace(offset_network, spares_flat=False))
    )
    assert tally.share == 0


def test_a_faint_star_in_a_dark_sky_is_the_networks(offset_network: Network) -> None:
    """The mean of a block would not know of it."""
    pixels = np.full((160, 160, 3), 12, np.uint8)
    pixels[83, 77] += 25
    result = enlarged(pixels, offset_network)
    assert (result[83 * SCALE + 1, 77 * SCALE + 1] > 12 + OFFSET).all()
    assert (result[:90] == 12).all()


def test_colour_alone_is_detail(offset_network: Network) -> None:
    """Red and green stripes of one luma are no flat part."""
    pixels = np.full((120, 120, 3), 120, np.uint8)
    pixels[:, ::2, 0] += 60
    pixels[:, ::2, 1] -= round(60 * 0.299 / 0.587)
    tally = Tally()
    enlarged(pixels, offset_network, tally=tally)
    assert tally.share == 0


def test_self_ensemble_and_gray_are_spared_too(offset_network: Network) -> None:
    tally = Tally()
    result = enlarged(scene(150, 150), offset_network, options=Options(tta=True), tally=tally)
    assert tally.share > 0.2
    gray, other = scene(150, 150)[..., :1], Tally()
    np.testing.assert_allclose(enlarged(gray, offset_network, tally=other), result[..., :1], atol=1)
    assert other.share == tally.share


def test_nothing_transparent_is_spared(offset_network: Network) -> None:
    """Its colours are filled from further away."""
    tally = Tally()
    alpha = np.full((100, 100), 255, np.uint8)
    alpha[:50] = 90
    enlarged(np.full((100, 100, 3), 50, np.uint8), offset_network, alpha=alpha, tally=tally)
    assert tally.share == 0


def test_detail_is_that_of_the_busiest_quarter() -> None:
    pixels = np.zeros((16, 24, 1), np.uint8)
    pixels[3, 13] = 64  # in the first row of blocks, second column
    detail = block_detail(pixels, above=0, below=0)
    assert detail.shape == (2, 3)
    assert detail[0, 1] == detail.max() > (64 * 0.75) ** 2 / 16
    assert detail[1].max() < detail.max() / 10
    assert detail[1, 0] == 0


@pytest.fixture(scope="module")
def lite() -> Network:
    workbench = Workbench(Settings.from_environment())
    spec = workbench.catalogue.get("lite", SCALE)
    runtime = Runtime(engine="onnxruntime", precision="fp32", threads=usable_cpus())
    return replace(workbench.network(spec, runtime=runtime), spares_flat=True)


def test_pieces_give_what_the_whole_picture_gives(lite: Network) -> None:
    """With a real network: what a piece is cut from reaches no pixel that counts."""
    pixels = scene(230, 210, seed=3)
    noise = np.random.default_rng(4).normal(0, 1.0, pixels.shape)
    pixels = np.clip(pixels + np.rint(noise), 0, 255).astype(np.uint8)
    tallies = Tally(), Tally()
    plan = plan_tiles(210, 230, halo_px=lite.spec.halo_px, budget_px=128 * 128)
    tiled = enlarged(pixels, lite, plan=plan, tally=tallies[0])
    exact = enlarged(pixels, replace(lite, spares_flat=False))
    whole = enlarged(pixels, lite, plan=whole_plan(210, 230), tally=tallies[1])
    assert tallies[0].share > 0.2
    assert np.abs(tiled - whole).max() <= 1
    difference = (tiled - exact) ** 2
    assert difference.mean() < 0.4


def test_kodak24_loses_less_than_the_budget(lite: Network, shared: Path) -> None:
    """No picture of it more than 0.05 dB; `proofs/speed/adaptive-*.json` has all models."""
    pictures = sorted((shared / "bench/Kodak24/HR").glob("*.png"))[::3]
    if not pictures:
        pytest.skip("no Kodak24 here")
    losses = {}
    for path in pictures:
        truth = read_rgb(path, limits=Limits(), tell=lambda _: None)
        height, width = (side // SCALE for side in truth.shape[:2])
        truth = truth[: height * SCALE, : width * SCALE]
        planes = resize(to_planes(truth), height=height, width=width, kernel=BICUBIC)
        small = np.concatenate(list(quantized([planes], sample_max=255))).astype(np.uint8)
        scores = [
            psnr_y(enlarged(small, network).astype(np.uint8), truth, border_px=SCALE)
            for network in (replace(lite, spares_flat=False), lite)
        ]
        losses[path.stem] = scores[0] - scores[1]
    assert max(losses.values()) <= 0.05, losses
