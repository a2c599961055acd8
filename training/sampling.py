"""Blur and downscale as matrices: a picture becomes rows @ picture @ columns, per channel."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Downscaler = Literal["bicubic", "area", "lanczos", "cubic"]
"""MATLAB's bicubic, box average, Lanczos of three lobes; OpenCV's cubic, which does not smooth."""

Matrix = NDArray[np.float32]
Planes = NDArray[np.float32]
"""(3, height, width), 0..255."""

BLUR_REACH = 3.0
"""Standard deviations at which a Gaussian is cut off."""

KEPT_ENERGY = 0.999
"""Share of an oblique blur kernel's energy that its separable terms must hold."""


def _cubic(x: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' kernel."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x**2 + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


KERNELS: dict[Downscaler, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], bool]] = {
    "bicubic": (lambda x: _cubic(x, -0.5), True),
    "area": (_box, True),
    "lanczos": (_lanczos, True),
    "cubic": (lambda x: _cubic(x, -0.75), False),
}
"""Each downscaler's kernel, and whether it is stretched by the scale against aliasing."""


@lru_cache(maxsize=256)
def downscale_matrix(kind: Downscaler, outputs: int, scale: int, pad: int) -> Matrix:
    """Return (outputs, outputs * scale + 2 * pad): each row weighs a line into one pixel.

    The line has `pad` pixels more at either end. Where the kernel reaches beyond, its rest is
    spread over the row, so that constants stay constant.
    """
    kernel, stretched = KERNELS[kind]
    centre = pad + (np.arange(outputs) + 0.5) * scale - 0.5
    places = np.arange(outputs * scale + 2 * pad)
    weights = kernel((places - centre[:, None]) / (scale if stretched else 1))
    weights /= weights.sum(axis=1, keepdims=True)
    matrix: Matrix = weights.astype(np.float32)
    return matrix


def gaussian(sigma_px: float) -> NDArray[np.float32]:
    """Return a normalised Gaussian of odd length."""
    reach = max(1, int(np.ceil(BLUR_REACH * sigma_px)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-3)) ** 2)
    normalised: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return normalised


def oblique_gaussian(
    along_px: float, across_px: float, angle: float
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return an anisotropic Gaussian as (vertical, horizontal) pairs of taps, to be summed.

    `angle` is in radians, between the long axis and the horizontal.
    """
    reach = int(np.ceil(BLUR_REACH * max(along_px, across_px)))
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = np.cos(angle) * right + np.sin(angle) * down
    across = np.cos(angle) * down - np.sin(angle) * right
    kernel = np.exp(-0.5 * ((along / along_px) ** 2 + (across / across_px) ** 2))
    left, sizes, right_t = np.linalg.svd(kernel / kernel.sum())
    energy = np.cumsum(sizes**2) / np.sum(sizes**2)
    count = int(np.searchsorted(energy, KEPT_ENERGY)) + 1
    pairs = [(left[:, i] * sizes[i], right_t[i]) for i in range(count)]
    total = sum(float(v.sum() * h.sum()) for v, h in pairs)
    return [((v / total).astype(np.float32), h.astype(np.float32)) for v, h in pairs]


def blurred(matrix: Matrix, taps: NDArray[np.float32]) -> Matrix:
    """Return the matrix that first convolves its line with `taps` of odd length.

    What leaves the line at its ends is lost: give the line enough padding.
    """
    reach = len(taps) // 2
    count = matrix.shape[1]
    wide = np.pad(matrix, ((0, 0), (reach, reach)))
    out = np.zeros_like(matrix)
    for shift, tap in enumerate(taps):
        out += tap * wide[:, shift : shift + count]
    return out


def apply(planes: Planes, pairs: list[tuple[Matrix, Matrix]]) -> Planes:
    """Return the sum over (rows, columns) of rows @ plane @ columns.T, for each plane."""
    parts = [np.matmul(rows, planes) @ columns.T for rows, columns in pairs]
    total: Planes = np.add.reduce(parts) if len(parts) > 1 else parts[0]
    return total
