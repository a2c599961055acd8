"""Cloth: drawn over all or a part of a picture, in threads of the stated width."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.tests.pictures import noise
from training.variation import Variation, varied_region
from training.weave import PERIOD_PX, woven

FLAT = np.full((96, 96, 3), 128, np.uint8)


@given(seed=st.integers(0, 2**32), height=st.integers(8, 40), width=st.integers(8, 40))
def test_a_cloth_is_a_picture_that_the_seed_decides(seed: int, height: int, width: int) -> None:
    """Of the same size and kind."""
    picture = noise(height, width)
    first, second = (woven(picture, np.random.default_rng(seed)) for _ in "ab")
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_threads_are_as_wide_as_stated() -> None:
    """The strongest wave in a cloth has a period within the range, folds and crossings aside."""
    random = np.random.default_rng(0)
    periods = []
    for _ in range(200):
        luma = woven(FLAT, random).mean(axis=2)
        if luma.std() < 1:
            continue  # a cloth of the picture's own colour
        waves = np.abs(np.fft.rfft2((luma - luma.mean()) * np.outer(*[np.hanning(96)] * 2)))
        waves[:4, :4] = waves[-3:, :4] = 0  # a part's border
        row, column = np.unravel_index(np.argmax(waves), waves.shape)
        periods.append(1 / np.hypot(np.fft.fftfreq(96)[row], np.fft.rfftfreq(96)[column]))
    least, middle, most = np.quantile(periods, [0.1, 0.5, 0.9])
    assert PERIOD_PX[0] * 0.8 < least < PERIOD_PX[0] * 1.4
    assert 0.8 < middle / np.sqrt(np.prod(PERIOD_PX)) < 1.25
    assert PERIOD_PX[1] * 0.7 < most < PERIOD_PX[1] * 1.4


def test_some_cloths_cover_all_and_some_a_part() -> None:
    """Half of them end at a line; beyond it the picture is as it was."""
    random = np.random.default_rng(1)
    partial = 0
    for _ in range(300):
        same = (woven(FLAT, random) == FLAT).all(axis=2)
        corners = [
            part[:, side]
            for part in (same[:24], same[-24:])
            for side in (slice(24), slice(-24, None))
        ]
        partial += any(corner.all() for corner in corners)
    assert 0.3 < partial / 300 < 0.55


def test_regions_are_woven_as_often_as_asked() -> None:
    """And not touched otherwise."""
    random = np.random.default_rng(2)
    rule = Variation(woven=0.25)
    changed = [bool((varied_region(FLAT, 96, rule, random) != FLAT).any()) for _ in range(400)]
    assert 0.18 < np.mean(changed) < 0.32
