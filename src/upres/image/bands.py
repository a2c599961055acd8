"""Rows that travel together, put together to a whole, or turned upright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from upres.errors import OutOfMemory, UnsupportedPicture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from upres.image.picture import Header, Layout, Rows

SWAPPED = (5, 6, 7, 8)
"""EXIF orientations that swap the axes."""

_BAND_BYTES = 4 * 2**20
_MOST_ROWS = 256
_GROUP = 16
"""JPEG is decoded in groups of so many rows."""
_SQUARE_PX = 128
_MIRRORED, _FLIPPED, _TRANSPOSED = 2, 4, (5, 7)
_QUARTERS = {3: 2, 4: 2, 6: 3, 7: 2, 8: 1}
"""Quarter turns against the clock that bring an orientation (transposed first) upright."""


def band_rows(layout: Layout) -> int:
    """Return the rows of a band: 256, fewer of wide pictures so that a band has about 4 MB."""
    row_bytes = layout.width * layout.planes * (layout.bits // 8)
    rows = max(1, min(_MOST_ROWS, _BAND_BYTES // row_bytes))
    return rows - rows % _GROUP if rows > _GROUP else rows


def gathered(bands: Iterable[Rows], layout: Layout, *, name: str) -> Rows:
    """Return all rows of a picture as one array; raises OutOfMemory."""
    try:
        rows: Rows = np.empty((layout.height, layout.width, layout.planes), layout.dtype)
    except MemoryError as error:
        raise OutOfMemory(name) from error
    top = 0
    for band in bands:
        rows[top : top + len(band)] = band
        top += len(band)
    return rows


class Frames(Protocol):
    """What yields a picture's frames, wherever they are decoded."""

    @property
    def name(self) -> str:
        """For errors."""

    @property
    def header(self) -> Header:
        """What is known before any pixel."""

    def frames(self) -> Iterator[Iterator[Rows]]:
        """Yield every frame as bands of rows."""


def only_frame(source: Frames) -> Iterator[Rows]:
    """Yield the bands of rows of a picture with one frame; raises UnsupportedPicture for others."""
    if source.header.frames > 1:
        raise UnsupportedPicture(source.name, f"it has {source.header.frames} frames, not one")
    for frame in source.frames():
        yield from frame


def turned(
    bands: Iterator[Rows], orientation: int, upright: Layout, *, name: str
) -> Iterator[Rows]:
    """Turn a picture upright, whose EXIF orientation is one of 1 to 8.

    Band by band where only left and right change, else as a whole. Raises OutOfMemory.
    """
    if orientation == _MIRRORED:
        for band in bands:
            yield np.ascontiguousarray(band[:, ::-1])
        return
    if orientation not in (*_QUARTERS, *_TRANSPOSED):
        yield from bands
        return
    stored = upright
    if orientation in SWAPPED:
        stored = upright.sized(width=upright.height, height=upright.width)
    whole = gathered(bands, stored, name=name)
    # one item for a pixel: numpy moves whole items several times faster
    pixels = whole.view(np.dtype((np.void, whole.itemsize * upright.planes)))[..., 0]
    if orientation in _TRANSPOSED:
        pixels = pixels.T
    pixels = np.rot90(pixels, _QUARTERS.get(orientation, 0))
    if orientation == _FLIPPED:
        pixels = pixels[:, ::-1]
    step = band_rows(upright)
    for top in range(0, upright.height, step):
        copy = _copied(pixels[top : top + step])
        yield copy.view(upright.dtype).reshape(len(copy), upright.width, upright.planes)


def _copied(pixels: NDArray[np.void]) -> NDArray[np.void]:
    """Return a copy in order, made square by square, as caches like it."""
    copy = np.empty(pixels.shape, pixels.dtype)
    for left in range(0, pixels.shape[1], _SQUARE_PX):
        copy[:, left : left + _SQUARE_PX] = pixels[:, left : left + _SQUARE_PX]
    return copy
