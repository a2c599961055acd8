"""EXIF into a finished TIFF, among its own entries: the one format that libvips writes without."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from upres.image.metadata import with_metadata
from upres.image.vips import libvips

if TYPE_CHECKING:
    from upres.image.picture import Metadata

_PREFIX = b"Exif\x00\x00"
_EXIF, _GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
_DIRECTORIES = (_EXIF, _GPS, _INTEROPERABILITY)
_DESCRIPTIVE = {270, 271, 272, 305, 306, 315, 316, 33432, 0x4746, 0x4749, *range(0x9C9B, 0x9CA0)}
"""Description, maker, model, software, time, artist, computer, rights, rating, and Windows' own:
what of the first directory tells of the picture. The rest tells of another file's pixels."""
_INLINE_BYTES = 4
_SIZES = {40962, 40963}
"""Width and height, which a TIFF has elsewhere."""
_ELEMENTS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii"}
_ELEMENTS |= {11: "f", 12: "d", 16: "Q"}
_TEXT, _LONG, _LARGE = 2, 4, 16
"""Kinds of values: characters, numbers of 32 and of 64 bits."""


class _Entry(NamedTuple):
    tag: int
    kind: int
    values: tuple[Any, ...]
    entries: tuple[_Entry, ...]
    """Those of the directory that it points to."""


def exif_block(metadata: Metadata) -> bytes | None:
    """Return the EXIF that libvips writes to a file; None where there is none to keep."""
    if not any(name.startswith("exif-") for name in metadata.fields):
        return None
    pixel = libvips().Image.black(1, 1).copy(interpretation="b-w")
    png: bytes = with_metadata(pixel, metadata).pngsave_buffer(keep="exif")
    at = png.index(b"eXIf")
    length = int.from_bytes(png[at - 4 : at], "big")
    return png[at + 4 : at + 4 + length].removeprefix(_PREFIX)


def add_exif(file: Any, start: int, block: bytes) -> None:
    """Give the first page of the TIFF at `start` of a file an EXIF block, at the file's end.

    The page gets a new directory: the old one's entries as they are, and the block's.
    """
    _Appending(file, start).add(_read(block))


def _read(block: bytes) -> tuple[_Entry, ...]:
    order = "<" if block[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", block, 4)
    keep = {*_DESCRIPTIVE, _EXIF, _GPS}
    return tuple(entry for entry in _directory(block, order, first) if entry.tag in keep)


def _directory(block: bytes, order: str, at: int) -> tuple[_Entry, ...]:
    (count,) = struct.unpack_from(order + "H", block, at)
    found = []
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", block, place)
        if kind not in _ELEMENTS or tag in _SIZES:
            continue
        form = order + _ELEMENTS[kind] * number
        (offset,) = struct.unpack_from(order + "I", block, place + 8)
        values = struct.unpack_from(
            form, block, place + 8 if _size(form) <= _INLINE_BYTES else offset
        )
        if kind == _TEXT:
            # cameras fill up with zeros, which readers of TIFF complain of
            values = (*bytes(values).rstrip(b"\x00"), 0)
        inner = _directory(block, order, offset) if tag in _DIRECTORIES else ()
        found.append(_Entry(tag, kind, values, inner))
    return tuple(found)


class _Appending:
    """A TIFF in a file, whose offsets count from `start`."""

    def __init__(self, file: Any, start: int) -> None:
        self._file = file
        self._start = start
        head = self._at(0, 4)
        self._order = "<" if head[:2] == b"II" else ">"
        big = 43 in head[2:4]  # noqa: PLR2004
        self._count, self._offset = ("Q", "Q") if big else ("H", "I")
        self._head = 8 if big else 4

    def add(self, entries: tuple[_Entry, ...]) -> None:
        """Write a longer first directory, then point to it."""
        size = self._size("HH" + self._offset * 2)
        (at,) = self._unpack(self._offset, self._head)
        (count,) = self._unpack(self._count, at)
        at += self._size(self._count)
        old = {}
        for place in range(at, at + count * size, size):
            raw = self._at(place, size)
            old[struct.unpack_from(self._order + "H", raw)[0]] = raw
        (following,) = self._unpack(self._offset, at + count * size)
        place = self._write(old | self._packed(entries), following)
        self._file.seek(self._start + self._head)
        self._file.write(self._pack(self._offset, place))
        self._file.seek(0, os.SEEK_END)

    def _packed(self, entries: tuple[_Entry, ...]) -> dict[int, bytes]:
        """Write what does not fit into entries, and return those by their tags."""
        packed = {}
        for tag, kind, values, _ in map(self._placed, entries):
            form = _ELEMENTS[kind]
            number = len(values) // len(form)
            data = self._pack(form * number, *values)
            if len(data) > self._size(self._offset):
                data = self._pack(self._offset, self._append(data))
            data = data.ljust(self._size(self._offset), b"\x00")
            packed[tag] = self._pack("HH" + self._offset, tag, kind, number) + data
        return packed

    def _placed(self, entry: _Entry) -> _Entry:
        """Write the directory that an entry points to, if it does, and let it point there."""
        if not entry.entries:
            return entry
        kind = _LARGE if self._offset == "Q" else _LONG
        return entry._replace(kind=kind, values=(self._write(self._packed(entry.entries), 0),))

    def _write(self, entries: dict[int, bytes], following: int) -> int:
        table = b"".join(entries[tag] for tag in sorted(entries))
        count = self._pack(self._count, len(entries))
        return self._append(count + table + self._pack(self._offset, following))

    def _append(self, data: bytes) -> int:
        """Write at the end, on an even place, and return it."""
        place = int(self._file.seek(0, os.SEEK_END)) - self._start
        self._file.write(bytes(place % 2) + data)
        return place + place % 2

    def _at(self, place: int, length: int) -> bytes:
        self._file.seek(self._start + place)
        data: bytes = self._file.read(length)
        return data

    def _unpack(self, form: str, place: int) -> tuple[Any, ...]:
        return struct.unpack(self._order + form, self._at(place, self._size(form)))

    def _pack(self, form: str, *values: Any) -> bytes:
        return struct.pack(self._order + form, *values)

    def _size(self, form: str) -> int:
        return _size(self._order + form)


def _size(form: str) -> int:
    return struct.calcsize(form)
