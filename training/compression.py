"""JPEG and WebP round trips in memory."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image

from training.downscale import Picture

Subsampling = Literal["4:4:4", "4:2:0"]


def jpeg(picture: Picture, quality: int, subsampling: Subsampling = "4:2:0") -> Picture:
    """Return (H, W, 3) after encoding and decoding; the 8x8 grid starts at the corner."""
    return _round_trip(picture, "JPEG", quality=quality, subsampling=subsampling)


def webp(picture: Picture, quality: int) -> Picture:
    """Return (H, W, 3) after encoding and decoding as lossy WebP, always 4:2:0."""
    return _round_trip(picture, "WEBP", quality=quality, method=1)


def resized_and_back(
    picture: Picture, width: int, height: int, *, quality: int, filters: tuple[int, int]
) -> Picture:
    """Return (H, W, 3) after a resize, a JPEG of that size, and the resize back.

    `filters` are two of Pillow's resampling filters, there and back. The picture does not move.
    """
    resample = [Image.Resampling(value) for value in filters]
    there = Image.fromarray(picture).resize((width, height), resample[0])
    squeezed = Image.fromarray(jpeg(np.asarray(there), quality))
    return np.asarray(squeezed.resize(picture.shape[1::-1], resample[1]))


def _round_trip(picture: Picture, encoding: str, **options: int | str) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, encoding, **options)
    buffer.seek(0)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))
