"""Smaller versions of samples: means over squares, of a picture that is never held whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upres.image.picture import Metadata, Picture
from upres.image.vips import libvips

if TYPE_CHECKING:
    from upres.image.picture import Layout, Rows

_KINDS = {
    np.dtype(np.uint8): "uchar",
    np.dtype(np.uint16): "ushort",
    np.dtype(np.float32): "float",
}


def factor_for(width: int, height: int, *, most_px: int) -> int:
    """Return the side of the squares that leave about `most_px` of a picture or fewer."""
    return max(1, math.ceil(math.sqrt(width * height / most_px)))


def means(samples: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return the means of `factor` x `factor` squares of samples (rows, columns, planes).

    Samples are uint8, uint16 or float32, and so are their means. Squares that pass the right or the
    lower edge repeat what is there.
    """
    whole = np.ascontiguousarray(samples)
    height, width, planes = whole.shape
    image = libvips().Image.new_from_memory(whole.data, width, height, planes, _KINDS[whole.dtype])
    small = image.shrink(factor, factor, ceil=True)
    return np.ndarray((small.height, small.width, planes), whole.dtype, small.write_to_memory())


class Reduction:
    """A smaller picture in the making, from rows of a large one; it alone is held."""

    def __init__(self, layout: Layout, *, most_px: int) -> None:
        """Expect all rows of that layout, of which about `most_px` pixels are to stay, or fewer."""
        self._layout = layout
        self._factor = factor_for(layout.width, layout.height, most_px=most_px)
        self._parts: list[NDArray[np.uint8]] = []
        self._rest: Rows | None = None

    def add(self, rows: Rows) -> None:
        """Take the next rows from the top, of any number."""
        if self._rest is not None:
            lacking = self._factor - len(self._rest)
            first = np.concatenate([self._rest, rows[:lacking]])
            rows = rows[lacking:]
            if len(first) < self._factor:
                self._rest = first
                return
            self._take(first)
        whole = len(rows) - len(rows) % self._factor
        if whole:
            self._take(rows[:whole])
        self._rest = rows[whole:].copy() if whole < len(rows) else None

    def picture(self, *, icc: bytes | None) -> Picture:
        """Return the smaller picture in 8 bits, with a profile, once all rows have come."""
        if self._rest is not None:
            self._take(self._rest)
            self._rest = None
        rows = np.concatenate(self._parts)
        return Picture.from_rows(rows, alpha=self._layout.alpha, metadata=Metadata(icc=icc))

    def _take(self, rows: Rows) -> None:
        small = means(rows, self._factor)
        if small.dtype == np.uint16:
            small = np.rint(small / np.float32(257)).astype(np.uint8)
        self._parts.append(small)
