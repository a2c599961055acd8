"""How near a picture is to the truth, as papers score it (PSNR-Y, SSIM-Y), and how noisy it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Luma = NDArray[np.float64]
    Pixels = NDArray[Any]

PEAK = 255
SSIM_WINDOW_PX = 11
"""Side of the window that SSIM looks through; a smaller picture has none."""

_STUDIO_LUMA = np.array([65.481, 128.553, 24.966]) / PEAK
_STUDIO_BLACK = 16
_SIGMA_PX = 1.5
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
_FLAT_BLOCK_PX = 8
_FLAT_SHARE = 0.05
_STRIP = 256
"""Rows of the SSIM map that are made at a time: memory follows the width alone."""


def luma(rgb: Pixels, *, whole_levels: bool = False) -> Luma:
    """Return BT.601 studio luma, black at 16 and white at 235, of (H, W, 3) RGB in 0..255.

    MATLAB's `rgb2ycbcr` of a uint8 picture gives whole levels, halves up; of a float picture not.
    """
    exact: Luma = rgb @ _STUDIO_LUMA + _STUDIO_BLACK
    return np.floor(exact + 0.5) if whole_levels else exact


def psnr_y(picture: Pixels, truth: Pixels, *, border_px: int, whole_levels: bool = False) -> float:
    """Return PSNR in dB of the luma of two RGB pictures; infinite when it is the same.

    `truth` is cropped to the picture's size at its right and lower edge, then `border_px` of both
    on all sides. `whole_levels` rounds both lumas first, as older papers do.
    """
    one, other = _lumas(picture, truth, border_px=border_px, whole_levels=whole_levels)
    mean_square = float(np.mean((one - other) ** 2))
    return float(10 * np.log10(PEAK**2 / mean_square)) if mean_square else float("inf")


def flat_noise(large: Pixels, small: Pixels) -> float:
    """Return the noise of an enlargement in the flattest twentieth of the small picture, in levels.

    Flatness and noise are the standard deviation of luma from the plane that fits a block of 8 x 8
    small pixels best. Both are RGB in 0..255; `large` is a whole number of times as large.
    """
    scale = large.shape[0] // small.shape[0]
    flatness = _off_planes(luma(small), _FLAT_BLOCK_PX)
    chosen = flatness <= np.quantile(flatness, _FLAT_SHARE)
    return float(_off_planes(luma(large), _FLAT_BLOCK_PX * scale)[chosen].mean())


def _off_planes(values: Luma, side: int) -> NDArray[np.float64]:
    """Return each block's standard deviation from the plane that fits it."""
    height, width = (size // side for size in values.shape)
    cut = values[: height * side, : width * side].reshape(height, side, width, side)
    blocks = cut.swapaxes(1, 2).reshape(-1, side * side)
    down, right = np.mgrid[:side, :side].reshape(2, -1) - (side - 1) / 2
    basis = np.stack([np.ones(side * side), down, right], axis=1)
    fitted = blocks @ basis @ np.linalg.inv(basis.T @ basis) @ basis.T
    deviations: NDArray[np.float64] = (blocks - fitted).std(axis=1)
    return deviations


def ssim_y(picture: Pixels, truth: Pixels, *, border_px: int) -> float:
    """Return the mean structural similarity of two pictures' luma, at most 1 (Wang et al. 2004).

    An 11 x 11 Gaussian window of sigma 1.5 that lies inside the picture, K1 = 0.01, K2 = 0.03, no
    downsampling. Cropped like `psnr_y`, luma not rounded. What is left must hold the window.
    """
    one, other = _lumas(picture, truth, border_px=border_px, whole_levels=True)
    places = one.shape[0] - SSIM_WINDOW_PX + 1
    total, count = 0.0, 0
    for start in range(0, places, _STRIP):
        rows = slice(start, min(start + _STRIP, places) + SSIM_WINDOW_PX - 1)
        similar = _similarity(one[rows], other[rows])
        total, count = total + float(similar.sum()), count + similar.size
    return total / count


def _lumas(
    picture: Pixels, truth: Pixels, *, border_px: int, whole_levels: bool
) -> tuple[Luma, Luma]:
    height, width = picture.shape[:2]
    inside = (slice(border_px, height - border_px), slice(border_px, width - border_px))
    one, other = (luma(each[inside], whole_levels=whole_levels) for each in (picture, truth))
    return one, other


def _similarity(one: Luma, other: Luma) -> Luma:
    """Return the SSIM map of two lumas, smaller by the window less one pixel."""
    mean_one, mean_other = _windowed(one), _windowed(other)
    both = mean_one * mean_other
    square_one, square_other = mean_one**2, mean_other**2
    variance_one = _windowed(one**2) - square_one
    variance_other = _windowed(other**2) - square_other
    covariance = _windowed(one * other) - both
    similar: Luma = ((2 * both + _C1) * (2 * covariance + _C2)) / (
        (square_one + square_other + _C1) * (variance_one + variance_other + _C2)
    )
    return similar


def _windowed(values: Luma) -> Luma:
    """Return Gaussian means of all windows inside, the axes one after the other."""
    distance = np.arange(SSIM_WINDOW_PX) - SSIM_WINDOW_PX // 2
    weights = np.exp(-(distance**2) / (2 * _SIGMA_PX**2))
    weights /= weights.sum()
    for axis in (0, 1):
        length = values.shape[axis] - SSIM_WINDOW_PX + 1
        shifted = (
            np.take(values, range(start, start + length), axis) for start in range(SSIM_WINDOW_PX)
        )
        values = sum(
            (weight * part for weight, part in zip(weights, shifted, strict=True)),
            start=np.zeros(()),
        )
    return values
