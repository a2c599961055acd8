"""Smaller versions are means over squares, however the rows come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.image.picture import Layout
from upres.image.reduce import Reduction, factor_for, means

WHITE: dict[type, int] = {np.uint8: 255, np.uint16: 65535, np.float32: 1}


@pytest.mark.parametrize("kind", WHITE)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    planes=st.integers(1, 4),
    factor=st.integers(1, 9),
    seed=st.integers(0, 9),
)
def test_each_pixel_is_the_mean_of_its_square(
    kind: type, *, height: int, width: int, planes: int, factor: int, seed: int
) -> None:
    """The edge is repeated where squares pass it."""
    samples = np.random.default_rng(seed).random((height, width, planes)) * WHITE[kind]
    samples = samples.astype(kind)
    whole = np.pad(samples, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    squares = whole.reshape(-(-height // factor), factor, -(-width // factor), factor, planes)
    expected = squares.astype(np.float64).mean((1, 3))
    found = means(samples, factor)
    assert found.dtype == kind
    assert found.shape == expected.shape
    # whole numbers are rounded once down and once across
    most = 1e-4 if kind is np.float32 else 1.5
    assert np.abs(found - expected).max() <= most


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    cuts=st.lists(st.integers(0, 60)),
    most_px=st.integers(1, 4000),
    bits=st.sampled_from([8, 16]),
    alpha=st.booleans(),
)
def test_bands_of_any_heights_make_the_same_picture(
    *, size: tuple[int, int], cuts: list[int], most_px: int, bits: int, alpha: bool
) -> None:
    """As all rows at once."""
    height, width = size
    layout = Layout(width=width, height=height, gray=False, alpha=alpha, bits=bits)  # type: ignore[arg-type]
    noise = np.random.default_rng(height).integers(0, layout.sample_max + 1, (*size, layout.planes))
    rows = noise.astype(layout.dtype)
    bands, whole = Reduction(layout, most_px=most_px), Reduction(layout, most_px=most_px)
    for band in np.split(rows, sorted(min(cut, height) for cut in cuts)):
        bands.add(band)
    whole.add(rows)
    found, expected = bands.picture(icc=b"profile"), whole.picture(icc=None)
    assert np.array_equal(found.rows(), expected.rows())
    assert found.metadata.icc == b"profile"
    factor = factor_for(width, height, most_px=most_px)
    assert (found.height, found.width) == (-(-height // factor), -(-width // factor))
    assert found.layout.bits == 8
    near = means(rows, factor).astype(np.float64) * 255 / layout.sample_max
    assert np.abs(found.rows() - near).max() <= 1.5


@given(width=st.integers(1, 100_000), height=st.integers(1, 100_000), most=st.integers(1, 10**7))
def test_what_stays_is_about_what_may(*, width: int, height: int, most: int) -> None:
    """And as much of it as a whole factor leaves."""
    factor = factor_for(width, height, most_px=most)
    assert width * height / factor**2 <= most
    assert factor == 1 or width * height / (factor - 1) ** 2 > most
