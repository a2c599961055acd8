"""Rows as the bytes that libvips reads them from: a PNG that is not compressed.

libvips takes no pixels from a callback, but it takes a file from one. This one costs little, holds
8 and 16 bits, gray and colour and alpha exactly, and is known to be damaged where it is cut off.
"""

from __future__ import annotations

import struct
import sys
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upres.image.picture import Layout, Rows

_PIECE_BYTES = 2**20
_BLOCK_BYTES = 2**16 - 1
_DEFLATE = b"\x78\x01"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for a pixel of so many planes."""


class RowFeed:
    """Turns rows, from the top, into the pieces of one PNG of about a megabyte."""

    def __init__(self, layout: Layout, *, rows: int) -> None:
        """Begin a picture of `rows` rows."""
        self._layout = layout
        self._rows = rows
        self._piece_rows = max(1, _PIECE_BYTES // (layout.width * layout.planes * layout.bits // 8))
        self._adler = zlib.adler32(b"")

    def start(self) -> bytes:
        """Return what comes before all rows."""
        layout = self._layout
        kind = _COLOUR_TYPES[layout.planes]
        header = struct.pack(">IIBBBBB", layout.width, self._rows, layout.bits, kind, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", [header]) + _chunk(b"IDAT", [_DEFLATE])

    def pieces(self, rows: Rows) -> Iterator[bytes]:
        """Yield the next rows; none of it is shared with `rows`."""
        for top in range(0, len(rows), self._piece_rows):
            lines = _lines(rows[top : top + self._piece_rows])
            self._adler = zlib.adler32(lines, self._adler)
            yield _chunk(b"IDAT", _stored(lines))

    def end(self) -> bytes:
        """Return what comes after all rows."""
        last = [_block_head(0, last=True), struct.pack(">I", self._adler)]
        return _chunk(b"IDAT", last) + _chunk(b"IEND")


def _lines(rows: Rows) -> memoryview:
    """Return rows as PNG has them: a byte for no filter, samples with the high byte first."""
    if rows.itemsize > 1 and sys.byteorder == "little":
        rows = rows.byteswap()
    lines = np.zeros((len(rows), 1 + rows[0].nbytes), np.uint8)
    lines[:, 1:] = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    return lines.reshape(-1).data


def _stored(data: memoryview) -> Iterator[bytes | memoryview]:
    """Wrap bytes as deflate does those that it cannot make fewer."""
    for at in range(0, len(data), _BLOCK_BYTES):
        block = data[at : at + _BLOCK_BYTES]
        yield _block_head(len(block))
        yield block


def _block_head(length: int, *, last: bool = False) -> bytes:
    return struct.pack("<BHH", last, length, length ^ 0xFFFF)


def _chunk(name: bytes, body: Iterable[bytes | memoryview] = ()) -> bytes:
    parts = [name, *body]
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    length = sum(map(len, parts)) - len(name)
    return b"".join((struct.pack(">I", length), *parts, struct.pack(">I", crc)))
