"""The standard protocol for super-resolution scores: PSNR of luma, border cropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upres.image.codec import Decoder

_STUDIO_LUMA = np.array([65.481, 128.553, 24.966]) / 255


def read_rgb(path: Path) -> NDArray[Any]:
    """Return a picture file as (H, W, 3) RGB, gray repeated."""
    pixels = Decoder(path.read_bytes(), name=path.name).picture().pixels
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def psnr_y(picture: NDArray[Any], truth: NDArray[Any], *, border_px: int) -> float:
    """PSNR in dB of BT.601 studio luma (16..235, not rounded), `border_px` cropped on all sides.

    `truth` is cropped to the picture's size at its right and lower edge, as the papers do.
    """
    height, width = picture.shape[:2]
    error = (picture.astype(np.float64) - truth[:height, :width]) @ _STUDIO_LUMA
    error = error[border_px:-border_px, border_px:-border_px]
    return float(10 * np.log10(255**2 / np.mean(error**2)))
