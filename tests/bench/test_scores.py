"""PSNR-Y and SSIM-Y against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from upres.bench import scores
from upres.bench.scores import flat_noise, luma, psnr_y, ssim_y

Pixels = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("rgb", "level"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81),
        ((0, 255, 0), 145),
        ((0, 0, 255), 41),
        ((255, 255, 0), 210),
    ],
)
def test_luma_is_that_of_rgb2ycbcr(rgb: tuple[int, int, int], level: int) -> None:
    """The levels that BT.601 gives the colour bars."""
    pixel = np.array([[rgb]], np.uint8)
    assert luma(pixel, whole_levels=True)[0, 0] == level
    assert abs(luma(pixel)[0, 0] - level) <= 0.5


@given(level=st.integers(0, 254))
def test_psnr_of_one_level(level: int) -> None:
    """A level of gray is 219/255 of a level of studio luma."""
    dark = np.full((20, 20, 3), level, np.uint8)
    expected = 20 * math.log10(255 / (219 / 255))
    assert psnr_y(dark, dark + np.uint8(1), border_px=2) == pytest.approx(expected)


def test_same_pictures() -> None:
    """Nothing apart: infinite, and exactly alike."""
    picture = noise(30, 40)
    assert psnr_y(picture, picture, border_px=3) == math.inf
    assert ssim_y(picture, picture, border_px=3) == 1


@given(border=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_border_does_not_count(border: int, seed: int) -> None:
    """Whatever is in it; the pixel beside it does."""
    truth, picture = noise(25, 26, seed), noise(25, 26, seed + 1)
    other = picture.copy()
    other[:border], other[-border:], other[:, :border], other[:, -border:] = 0, 255, 7, 9
    for score in (psnr_y, ssim_y):
        assert score(other, truth, border_px=border) == score(picture, truth, border_px=border)
    other[border, border] ^= 255
    for score in (psnr_y, ssim_y):
        assert score(other, truth, border_px=border) != score(picture, truth, border_px=border)


def test_truth_is_cut_to_the_picture() -> None:
    """At its right and lower edge."""
    truth, picture = noise(31, 32), noise(30, 30, 2)
    cut = truth[:30, :30]
    assert psnr_y(picture, truth, border_px=3) == psnr_y(picture, cut, border_px=3)
    assert ssim_y(picture, truth, border_px=3) == ssim_y(picture, cut, border_px=3)


def test_whole_levels_cost_a_little() -> None:
    """Two roundings add about a sixth of a squared level."""
    truth = noise(200, 200)
    picture = np.clip(
        truth.astype(int) + np.random.default_rng(5).integers(-9, 10, truth.shape), 0, 255
    )
    exact, rounded = (
        psnr_y(picture, truth, border_px=1, whole_levels=whole) for whole in (False, True)
    )
    added = 255**2 * (10 ** (-rounded / 10) - 10 ** (-exact / 10))
    assert added == pytest.approx(1 / 6, rel=0.1)


def direct_ssim(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """SSIM as Wang et al. write it, window by window."""
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for row in range(one.shape[0] - 10):
        for column in range(one.shape[1] - 10):
            place = (slice(row, row + 11), slice(column, column + 11))
            x, y = one[place], other[place]
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            covariance = (window * (x - mx) * (y - my)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append(
                (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    return float(np.mean(values))


@pytest.mark.parametrize("strip", [1, 5, 256])
def test_ssim_is_the_definition(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are done at a time."""
    monkeypatch.setattr(scores, "_STRIP", strip)
    truth = noise(29, 24)
    picture = (truth // 2 + noise(29, 24, 4) // 3).astype(np.uint8)
    inside = (slice(2, -2), slice(2, -2))
    levels = [luma(each, whole_levels=True)[inside] for each in (picture, truth)]
    assert ssim_y(picture, truth, border_px=2) == pytest.approx(direct_ssim(*levels), abs=1e-12)


@given(st.integers(1, 4), st.floats(1.0, 6.0))
def test_flat_noise_is_that_of_the_flattest_parts(scale: int, levels: float) -> None:
    """Measured in levels of luma; slopes are no noise, and neither is what is not flat."""
    down, right = np.mgrid[:64, :64]
    slope = np.repeat((60 + down + right)[..., None], 3, axis=2).astype(np.float64)
    small = slope + 40 * ((down // 4 + right // 4) % 2)[..., None] * (right >= 32)[..., None]
    large = np.kron(slope, np.ones((scale, scale, 1)))
    rough = levels * np.random.default_rng(3).standard_normal(large.shape[:2])[..., None]
    steps = flat_noise(large, small)
    assert steps < 0.3 * scale
    assert flat_noise(large + rough, small) == pytest.approx(
        math.hypot(steps, levels * luma(np.ones((1, 1, 3)))[0, 0] - levels * 16), rel=0.25
    )
