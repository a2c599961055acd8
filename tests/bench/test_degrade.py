"""Small pictures are made as the benchmarks and OpenCV make them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from upres.bench.degrade import DEGRADATIONS, Degradation, modcrop, reduced

By = Literal["bicubic", "area", "cubic"]
BY: tuple[By, ...] = get_args(By)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_matlabs_bit_for_bit(shared: Path, scale: int) -> None:
    """The small pictures that Set5 comes with."""
    folder = shared / "bench/Set5"
    files = sorted((folder / "HR").glob("*.png"))
    assert len(files) == 5
    for file in files:
        truth = modcrop(np.asarray(Image.open(file)), scale)
        small = Image.open(folder / f"LR_bicubic/X{scale}/{file.stem}x{scale}.png")
        np.testing.assert_array_equal(reduced(truth, scale, by="bicubic"), np.asarray(small))


@given(
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    scale=st.integers(2, 4),
    level=st.integers(0, 255),
    by=st.sampled_from(BY),
)
def test_flat_stays_flat(height: int, width: int, scale: int, level: int, by: By) -> None:
    """And the sides are the cut ones divided by the factor."""
    picture = modcrop(np.full((height, width, 3), level, np.uint8), scale)
    assert picture.shape == (height // scale * scale, width // scale * scale, 3)
    small = reduced(picture, scale, by=by)
    assert small.shape == (height // scale, width // scale, 3)
    assert small.dtype == np.uint8
    assert np.all(small == level)


def test_cut_at_the_right_and_below() -> None:
    """The first pixel stays the first."""
    picture = np.arange(7 * 8 * 3, dtype=np.uint8).reshape(7, 8, 3)
    np.testing.assert_array_equal(modcrop(picture, 3), picture[:6, :6])


def test_area_is_the_mean() -> None:
    """Of the pixels that one takes the place of."""
    picture = np.random.default_rng(1).integers(0, 256, (24, 36, 3), np.uint8)
    means = picture.reshape(8, 3, 12, 3, 3).mean((1, 3))
    assert np.abs(reduced(picture, 3, by="area") - means).max() <= 0.5001


def test_cubic_is_not_antialiased() -> None:
    """At x3 its samples fall on the middle pixels, and it looks at no others."""
    picture = np.random.default_rng(1).integers(0, 256, (24, 36, 3), np.uint8)
    np.testing.assert_array_equal(reduced(picture, 3, by="cubic"), picture[1::3, 1::3])


def test_the_ways_differ() -> None:
    """On a picture with detail."""
    picture = np.random.default_rng(2).integers(0, 256, (36, 36, 3), np.uint8)
    smalls = [reduced(picture, 3, by=by).tobytes() for by in BY]
    assert len(set(smalls)) == len(BY)
    assert get_args(Degradation) == DEGRADATIONS == (*BY, "jpeg")
