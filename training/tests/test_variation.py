"""Variation: crops from anywhere, at any size, that are shrunk as the benchmarks are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.downscale import downscale
from training.tests.pictures import noise, scene
from training.variation import Variation, shrunk, varied_region


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("margin_px", [2, 6])
def test_a_shrunk_region_is_part_of_the_shrunk_picture(scale: int, margin_px: int) -> None:
    """Bit for bit, wherever on the small picture's grid it lies."""
    picture = noise(40 * scale, 44 * scale)
    top, left, side = 3, 5, 12
    edges = [(start - margin_px + 6, start + margin_px + 6 + side) for start in (top, left)]
    rows, columns = (slice(first * scale, last * scale) for first, last in edges)
    part = np.s_[top + 6 : top + 6 + side, left + 6 : left + 6 + side]
    small = shrunk(picture[rows, columns], scale, margin_px)
    assert np.array_equal(small, downscale(picture, scale)[part])


def test_at_scale_one_a_region_loses_its_margin_alone() -> None:
    """Nothing is shrunk, nothing is changed."""
    picture = noise(30, 40)
    assert np.array_equal(shrunk(picture, 1, 2), picture[2:-2, 2:-2])


@given(seed=st.integers(0, 2**32), resize=st.floats(0, 1), least=st.floats(0.1, 1))
def test_a_region_has_the_side_that_was_asked_for(seed: int, resize: float, least: float) -> None:
    """Even where the picture is hardly larger; the same seed gives the same one."""
    rule = Variation(resize=resize, least_size=least, permute=0.5, invert=0.5)
    picture = noise(33, 60)
    first, second = (varied_region(picture, 32, rule, np.random.default_rng(seed)) for _ in "ab")
    assert first.shape == (32, 32, 3)
    assert np.array_equal(first, second)


def test_without_variation_a_region_is_cut_from_anywhere() -> None:
    """Any pixel of the large picture can be its corner."""
    picture = np.dstack([*np.mgrid[0:20, 0:20], np.zeros((20, 20))]).astype(np.uint8)
    random = np.random.default_rng(0)
    regions = [varied_region(picture, 16, Variation(), random) for _ in range(300)]
    corners = {(int(region[0, 0, 0]), int(region[0, 0, 1])) for region in regions}
    assert corners == {(top, left) for top in range(5) for left in range(5)}


def test_a_resized_region_shows_more_of_the_picture() -> None:
    """A ramp of colour rises faster the smaller the picture was made; its range is kept."""
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None, None], (200, 200, 3))
    rule = Variation(resize=1, least_size=0.5)
    random = np.random.default_rng(3)
    steps = []
    for _ in range(60):
        region = varied_region(ramp, 40, rule, random).astype(int)
        steps.append((region[30, 0, 0] - region[10, 0, 0]) / 20)
    assert 0.95 < min(steps) < 1.2
    assert 1.7 < max(steps) < 2.05


def test_channels_are_permuted_and_negatives_made_as_often_as_asked() -> None:
    """Both leave what the picture shows where it is."""
    picture = scene(40, 40)
    random = np.random.default_rng(0)
    rule = Variation(permute=1, invert=0.5)
    inverted = 0
    orders = set()
    for _ in range(200):
        region = varied_region(picture, 40, rule, random)
        wanted = [picture[..., channel] for channel in range(3)]
        for name, plain in (("plain", region), ("negative", 255 - region)):
            order = tuple(
                next((i for i in range(3) if np.array_equal(plain[..., c], wanted[i])), -1)
                for c in range(3)
            )
            if -1 not in order:
                orders.add(order)
                inverted += name == "negative"
    assert len(orders) == 6
    assert 70 < inverted < 130
