"""Makes the small picture of a large one: the ways by which benchmarks reduce, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from upres.engines.opencv import library
from upres.upscale.resample import BICUBIC, axis_taps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    """(H, W, 3) RGB."""

Degradation = Literal["bicubic", "area", "cubic", "jpeg"]
"""`bicubic`: MATLAB's imresize, antialiased, the benchmarks' rule; `area` and `cubic`: OpenCV's
resize, cubic without antialiasing; `jpeg`: bicubic, then through a JPEG file."""
DEGRADATIONS: tuple[Degradation, ...] = ("bicubic", "area", "cubic", "jpeg")


def modcrop(pixels: Pixels, scale: int) -> Pixels:
    """Cut a picture at its right and lower edge so that both sides divide by the scale."""
    height, width = pixels.shape[:2]
    return pixels[: height - height % scale, : width - width % scale]


def reduced(pixels: Pixels, scale: int, *, by: Literal["bicubic", "area", "cubic"]) -> Pixels:
    """Return a picture whose sides divide by `scale` that many times smaller.

    Raises EngineMissing for `area` and `cubic` where OpenCV is not installed.
    """
    return _REDUCERS[by](pixels, scale)


def _matlab_bicubic(pixels: Pixels, scale: int) -> Pixels:
    """Reduce as MATLAB's `imresize` does a uint8 picture: it rounds between the two axes."""
    return _shorter(_shorter(pixels, scale, axis=0), scale, axis=1)


def _shorter(pixels: Pixels, scale: int, *, axis: int) -> Pixels:
    """Reduce one axis, in double precision, halves rounded up."""
    lines = np.moveaxis(pixels, axis, 0)
    taps = axis_taps(len(lines), len(lines) // scale, BICUBIC)
    mixed = np.zeros((len(taps.indices), *lines.shape[1:]))
    for indices, weights in zip(taps.indices.T, taps.weights.T, strict=True):
        mixed += lines[indices] * weights[:, np.newaxis, np.newaxis]
    levels = np.clip(np.floor(mixed + 0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(levels, 0, axis))


def _opencv(name: str) -> Callable[[Pixels, int], Pixels]:
    def reduce(pixels: Pixels, scale: int) -> Pixels:
        cv2: Any = library()
        height, width = pixels.shape[:2]
        size = (width // scale, height // scale)
        small: Pixels = cv2.resize(pixels, size, interpolation=getattr(cv2, name))
        return small

    return reduce


_REDUCERS = {
    "bicubic": _matlab_bicubic,
    "area": _opencv("INTER_AREA"),
    "cubic": _opencv("INTER_CUBIC"),
}
