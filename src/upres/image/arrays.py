"""From arrays, (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, to pictures and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from upres.errors import InvalidOption
from upres.image.picture import Picture


def from_array(array: np.ndarray[Any, Any]) -> Picture:
    """Take an array as a picture; raises InvalidOption for other shapes and sample types."""
    expected = "uint8 or uint16 of shape (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA"
    described = f"{array.dtype} of shape {array.shape}"
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3) or 0 in array.shape:
        raise InvalidOption("array", described, expected)
    samples = array[..., np.newaxis] if array.ndim == 2 else array  # noqa: PLR2004
    planes = samples.shape[2]
    if planes not in (1, 3, 4):
        raise InvalidOption("array", described, expected)
    if planes == 4:  # noqa: PLR2004
        return Picture(pixels=samples[..., :3], alpha=samples[..., 3])
    return Picture(pixels=samples)


def to_array(picture: Picture, *, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a picture as an array with as many axes as `like`, alpha as its fourth plane."""
    if picture.alpha is not None:
        return np.dstack([picture.pixels, picture.alpha])
    return picture.pixels[..., 0] if like.ndim == 2 else picture.pixels  # noqa: PLR2004
