"""The short way gives what the long way gives, and is gone only where it may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.image.picture import Layout, Picture
from upres.models.spec import Channels
from upres.upscale.levels import fits
from upres.upscale.steps import network_function, quantized, tiled_bands
from upres.upscale.tiles import plan_tiles
from upres.upscale.upscaler import Options, enlarge_picture, enlarge_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.upscale.upscaler import Network


def tripled(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Enlarge three times, with colours that differ and values that pass black and white."""
    large = planes.repeat(3, axis=1).repeat(3, axis=2)
    gains = np.array([1.2, 0.7, 1.0], np.float32)[:, np.newaxis, np.newaxis]
    result: NDArray[np.float32] = large * gains - np.float32(0.05) * large.max(initial=1)
    return result


def the_long_way(picture: Picture, network: Network) -> NDArray[np.uint8]:
    height, width = picture.height, picture.width
    bands = tiled_bands(
        [picture.pixels],
        picture.layout,
        network_function(network.spec, network.session),
        plan=plan_tiles(width, height, halo_px=4, budget_px=80 * 80),
        scale=3,
        tile_done=lambda: None,
    )
    return np.concatenate(list(quantized(bands, sample_max=255)))


@pytest.mark.parametrize("channels", [Channels.RGB, Channels.BGR])
@pytest.mark.parametrize("value_max", [1, 255])
@given(height=st.integers(1, 180), width=st.integers(1, 180), seed=st.integers(0, 9))
def test_the_same_levels_as_the_long_way(
    fake_network: Callable[..., Network],
    *,
    channels: Channels,
    value_max: int,
    height: int,
    width: int,
    seed: int,
) -> None:
    network = fake_network(tripled, scale=3, channels=channels, value_max=value_max, halo_px=4)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    picture = Picture(pixels=pixels)
    long = the_long_way(picture, network)
    short = enlarge_picture(
        picture,
        network,
        width=width * 3,
        height=height * 3,
        options=Options(),
        plan=plan_tiles(width, height, halo_px=4, budget_px=80 * 80),
    ).pixels
    # the two divide in another order, so a half may be rounded to either side
    assert np.abs(short.astype(int) - long).max() <= 1
    assert (short != long).mean() < 0.01


def test_what_goes_the_short_way(fake_network: Callable[..., Network]) -> None:
    spec = fake_network(tripled, scale=3).spec
    luma = fake_network(tripled, scale=3, channels=Channels.LUMA).spec
    colour = Picture(pixels=np.zeros((4, 4, 3), np.uint8))
    assert fits(colour.layout, spec)
    assert not fits(colour.layout, luma)
    assert not fits(Picture(pixels=np.zeros((4, 4, 3), np.uint16)).layout, spec)
    assert not fits(Picture(pixels=np.zeros((4, 4, 1), np.uint8)).layout, spec)
    seen_through = Picture(pixels=np.zeros((4, 4, 3), np.uint8), alpha=np.zeros((4, 4), np.uint8))
    assert not fits(seen_through.layout, spec)
    assert isinstance(colour.layout, Layout)


def test_the_caller_owns_the_rows_and_progress_is_told(
    fake_network: Callable[..., Network],
) -> None:
    network = fake_network(tripled, scale=3, halo_px=4)
    picture = Picture(pixels=np.full((100, 90, 3), 77, np.uint8))
    told: list[tuple[int, int]] = []
    plan = plan_tiles(90, 100, halo_px=4, budget_px=64 * 64)
    enlarge_picture(
        picture,
        network,
        width=270,
        height=300,
        options=Options(),
        plan=plan,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(number + 1, plan.tiles) for number in range(plan.tiles)]


def test_bands_are_parts_of_a_result_that_has_a_place(
    fake_network: Callable[..., Network],
) -> None:
    network = fake_network(tripled, scale=3, halo_px=4)
    pixels = np.random.default_rng(3).integers(0, 256, (100, 90, 3), np.uint8)
    plan = plan_tiles(90, 100, halo_px=4, budget_px=64 * 64)
    place = np.zeros((300, 270, 3), np.uint8)
    layout = Picture(pixels=pixels).layout

    def bands(into: NDArray[np.uint8] | None) -> list[NDArray[np.uint8 | np.uint16]]:
        return list(
            enlarge_rows(
                [pixels],
                layout,
                network,
                width=270,
                height=300,
                options=Options(),
                plan=plan,
                into=into,
            )
        )

    placed = bands(place)
    assert len(placed) > 1
    assert all(band.base is place for band in placed)
    np.testing.assert_array_equal(place, np.concatenate(bands(None)))
