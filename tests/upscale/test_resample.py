"""Interpolation is MATLAB's, comes in bands without a difference, and keeps constants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from upres.upscale.resample import BICUBIC, KERNELS, LANCZOS, Kernel, resize, resize_bands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from upres.upscale.resample import Band

    Floats = NDArray[np.float64]

SIDES = st.integers(1, 70)
SEEDS = st.integers(0, 2**32 - 1)
SET5 = ("baby", "bird", "butterfly", "head", "woman")


def noise(seed: int, *shape: int) -> Band:
    """Return random planes in 0..1."""
    return np.random.default_rng(seed).random(shape, np.float32)


def split(planes: Band, lengths: list[int]) -> Iterator[Band]:
    """Cut planes into bands of the given lengths, in turn, until there are no rows left."""
    row = turn = 0
    while row < planes.shape[1]:
        stop = row + lengths[turn % len(lengths)]
        yield planes[:, row:stop]
        row, turn = stop, turn + 1


@given(
    height=SIDES,
    width=st.integers(1, 8),
    to=st.tuples(st.integers(1, 200), st.integers(1, 20)),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    kernel=st.sampled_from(sorted(KERNELS)),
    seed=SEEDS,
)
def test_bands_equal_one_go(
    *, height: int, width: int, to: tuple[int, int], lengths: list[int], kernel: str, seed: int
) -> None:
    """However a picture is cut into bands, the result is the same."""
    planes = noise(seed, 2, height, width)
    whole = resize(planes, height=to[0], width=to[1], kernel=KERNELS[kernel])
    bands = resize_bands(
        split(planes, lengths), size=(height, width), to=to, kernel=KERNELS[kernel]
    )
    joined = np.concatenate(list(bands), axis=1)
    assert joined.shape == (2, *to)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, whole)


def test_rows_come_as_soon_as_the_kernel_has_read_enough() -> None:
    """A picture is never held whole: rows come in small bands, and few wait for the next."""
    planes = noise(0, 1, 400, 5)
    read = 0

    def bands() -> Iterator[Band]:
        nonlocal read
        for band in split(planes, [50]):
            read += band.shape[1]
            yield band

    done = 0
    for rows in resize_bands(bands(), size=(400, 5), to=(800, 10), kernel=LANCZOS):
        assert rows.shape[1] <= 32
        assert done >= 2 * (read - 50 - 3) - 32
        done += rows.shape[1]
        assert done <= 2 * read
    assert done == 800


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
@given(height=SIDES, width=SIDES, to=st.tuples(SIDES, SIDES), value=st.floats(0, 1, width=32))
def test_constants_stay_constant(
    *, kernel: Kernel, height: int, width: int, to: tuple[int, int], value: float
) -> None:
    """Weights sum to one, whichever way a picture is resized."""
    planes = np.full((1, height, width), value, np.float32)
    resized = resize(planes, height=to[0], width=to[1], kernel=kernel)
    np.testing.assert_allclose(resized, value, atol=1e-6)


@given(height=SIDES, width=SIDES, kernel=st.sampled_from(sorted(KERNELS)), seed=SEEDS)
def test_the_same_size_changes_nothing(*, height: int, width: int, kernel: str, seed: int) -> None:
    """No sample moves, not by a rounding error."""
    planes = noise(seed, 3, height, width)
    resized = resize(planes, height=height, width=width, kernel=KERNELS[kernel])
    np.testing.assert_array_equal(resized, planes)


@given(seed=SEEDS, height=st.integers(2, 30), width=st.integers(2, 30))
def test_mirrored_pictures_give_mirrored_results(*, seed: int, height: int, width: int) -> None:
    """The grids share their outer edges: nothing drifts to one side."""
    planes = noise(seed, 1, height, width)
    straight = resize(planes, height=47, width=31, kernel=LANCZOS)
    turned = resize(planes[:, ::-1, ::-1], height=47, width=31, kernel=LANCZOS)
    np.testing.assert_allclose(turned[:, ::-1, ::-1], straight, atol=2e-6)


def cubic(x: float) -> float:
    """Keys' cubic convolution kernel, as MATLAB's documentation gives it."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def lanczos3(x: float) -> float:
    """Return a sinc under the middle lobe of a sinc three times as wide."""
    if x == 0:
        return 1.0
    if abs(x) >= 3:
        return 0.0
    return 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2


REFERENCES = {"bicubic": (cubic, 2), "lanczos": (lanczos3, 3)}
"""Each kernel again, and its radius."""


def matlab_matrix(n_in: int, n_out: int, kernel: str) -> Floats:
    """Return `imresize` along one axis as a dense matrix, written one weight at a time.

    MATLAB counts from 1 and puts output x at u = x / scale + (1 - 1 / scale) / 2; it stretches the
    kernel when shrinking, mirrors indices at the edges and makes each row sum to 1.
    """
    weight, radius = REFERENCES[kernel]
    scale = n_out / n_in
    shrink = min(scale, 1.0)
    reach = radius / shrink
    matrix = np.zeros((n_out, n_in))
    for x in range(1, n_out + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        for tap in range(math.floor(u - reach), math.ceil(u + reach) + 1):
            at = (tap - 1) % (2 * n_in)
            matrix[x - 1, min(at, 2 * n_in - 1 - at)] += weight((u - tap) * shrink)
    total: Floats = matrix.sum(axis=1, keepdims=True)
    return matrix / total


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("size", "to"),
    [
        ((7, 5), (14, 10)),
        ((9, 13), (27, 39)),
        ((3, 2), (48, 32)),
        ((1, 1), (4, 4)),
        ((24, 40), (12, 20)),
        ((33, 66), (11, 22)),
        ((64, 48), (4, 3)),
        ((50, 37), (61, 23)),
    ],
)
def test_interpolation_is_matlabs(size: tuple[int, int], to: tuple[int, int], kernel: str) -> None:
    """Enlarged or shrunk, every sample is what a plain float64 `imresize` computes."""
    planes = noise(11, 2, *size)
    down, across = (matlab_matrix(*axis, kernel) for axis in zip(size, to, strict=True))
    expected = down @ planes @ across.T
    resized = resize(planes, height=to[0], width=to[1], kernel=KERNELS[kernel])
    np.testing.assert_allclose(resized, expected, atol=3e-6)


def test_lanczos_passes_through_the_samples_it_keeps() -> None:
    """At three times the size every middle sample sits on an input sample, and keeps it."""
    planes = noise(5, 1, 20, 30)
    enlarged = resize(planes, height=60, width=90, kernel=LANCZOS)
    np.testing.assert_allclose(enlarged[:, 1::3, 1::3], planes, atol=1e-6)


def as_planes(path: Path) -> Band:
    """Read a picture's levels, 0..255, as float planes."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1)


def rounded(planes: Band) -> Band:
    """Round to whole levels of 8 bits, halves up, as MATLAB does after each pass."""
    levels: Band = np.clip(np.floor(planes + np.float32(0.5)), 0, 255)
    return levels


def matlab_resized(planes: Band, *, height: int, width: int) -> Band:
    """Resize 8-bit levels as MATLAB does: down the columns, round, along the rows, round."""
    tall = rounded(resize(planes, height=height, width=planes.shape[2], kernel=BICUBIC))
    return rounded(resize(tall, height=height, width=width, kernel=BICUBIC))


def set5(shared: Path, *, scale: int) -> Iterator[tuple[str, Band, Band]]:
    """Yield name, original (cropped to a multiple of the scale) and small picture."""
    folder = shared / "bench" / "Set5"
    for name in SET5:
        original = as_planes(folder / "HR" / f"{name}.png")
        height, width = (side - side % scale for side in original.shape[1:])
        small = as_planes(folder / "LR_bicubic" / f"X{scale}" / f"{name}x{scale}.png")
        yield name, original[:, :height, :width], small


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_benchmarks_small_pictures_come_out_bit_for_bit(shared: Path, scale: int) -> None:
    """Shrinking Set5's originals gives the standard LR pictures, every level of them."""
    for name, original, small in set5(shared, scale=scale):
        shrunk = matlab_resized(original, height=small.shape[1], width=small.shape[2])
        np.testing.assert_array_equal(shrunk, small, err_msg=name)


def studio_luma(levels: Band) -> Floats:
    """Return BT.601 luma (16..235) of RGB levels 0..255, not rounded."""
    luma: Floats = np.tensordot(np.array([65.481, 128.553, 24.966]) / 255, levels, axes=1) + 16
    return luma


def psnr(one: Floats, other: Floats, *, border: int) -> float:
    """Peak signal to noise in dB, the border left out."""
    error = (one - other)[border:-border, border:-border]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


@pytest.mark.parametrize(
    ("whole_levels", "figure"),
    [
        pytest.param(True, 30.39, id="luma rounded, as MATLAB's rgb2ycbcr gives it: the papers'"),
        pytest.param(False, 30.40, id="luma in float, as most of today's evaluation code has it"),
    ],
)
def test_bicubic_on_set5_is_the_published_figure(
    shared: Path, *, whole_levels: bool, figure: float
) -> None:
    """Every paper reports 30.39 dB at x3 (luma, a border of three pixels left out)."""
    figures = []
    for _, original, small in set5(shared, scale=3):
        height, width = original.shape[1:]
        enlarged = matlab_resized(small, height=height, width=width)
        one, other = studio_luma(enlarged), studio_luma(original)
        if whole_levels:
            one, other = np.rint(one), np.rint(other)
        figures.append(psnr(one, other, border=3))
    assert np.mean(figures) == pytest.approx(figure, abs=0.01)
