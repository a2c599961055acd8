"""MATLAB's bicubic imresize for 8-bit pictures, the downscale of the standard benchmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""Interleaved RGB, (height, width, 3), 0..255."""

CUBIC_SUPPORT = 4.0


def downscale(picture: Picture, scale: int) -> Picture:
    """Shrink (H, W, C) to (ceil(H/scale), ceil(W/scale), C) with antialiasing.

    Rounds to 8 bit after each of the two passes, as MATLAB does: without that the result differs
    from the published low-resolution pictures by one level here and there.
    """
    rows = _shrink_rows(picture, scale)
    return np.ascontiguousarray(_shrink_rows(rows.swapaxes(0, 1), scale).swapaxes(0, 1))


def crop_to_multiple(picture: Picture, scale: int) -> Picture:
    """Cut the right and bottom edge so that both sides are multiples of `scale`."""
    height, width = (side // scale * scale for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


def _shrink_rows(picture: Picture, scale: int) -> Picture:
    weights, sources = _taps(picture.shape[0], scale)
    total = np.zeros((len(sources), *picture.shape[1:]), np.float64)
    for tap in range(sources.shape[1]):
        total += weights[:, tap, None, None] * picture[sources[:, tap]]
    return np.clip(np.floor(total + 0.5), 0, 255).astype(np.uint8)


def _taps(size: int, scale: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return each output row's weights and source rows, both (ceil(size/scale), taps)."""
    support = CUBIC_SUPPORT * scale
    centre = (np.arange(-(-size // scale)) + 0.5) * scale - 0.5
    first = np.floor(centre - support / 2).astype(np.intp)
    sources = first[:, None] + np.arange(int(np.ceil(support)) + 2)
    weights = _cubic((centre[:, None] - sources) / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    # Beyond the border the picture is mirrored, its edge row repeated.
    folded = np.mod(sources, 2 * size)
    return weights, np.where(folded < size, folded, 2 * size - 1 - folded)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
