"""The directories of a TIFF: its pages, whether they are alike, and whether they can be read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from upres.errors import UnreadablePicture, UnsupportedPicture
from upres.image.containers.findings import Findings, check_sides

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PAGES = 100_000
"""More than any limit allows; where a file's directories run in a circle, the count ends here."""

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 256, 257, 258, 259
_PHOTOMETRIC, _ORIENTATION, _SAMPLES, _EXTRA, _FORMAT = 262, 274, 277, 338, 339
_DNG_VERSION = 50706
_OLD_JPEG = 6
_MOST_BITS = 32
_INKS, _LAB = 5, 8
_ASSOCIATED = 1
_REDUCED = 1
_FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_DEFAULTS = {_BITS: 1, _COMPRESSION: 1, _ORIENTATION: 1, _SAMPLES: 1, _FORMAT: 1}
_WANTED = {_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION}
_WANTED |= {_SAMPLES, _EXTRA, _FORMAT, _DNG_VERSION}


@dataclass(frozen=True)
class _Page:
    tags: dict[int, int]

    def __getitem__(self, tag: int) -> int:
        return self.tags.get(tag, _DEFAULTS.get(tag, 0))

    @property
    def reduced(self) -> bool:
        return bool(self[_SUBFILE] & _REDUCED)

    def kind(self) -> tuple[int, ...]:
        """What must be alike in all pages beside the size."""
        tags = (_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _EXTRA, _FORMAT)
        return tuple(self[tag] for tag in tags)


def inspect(data: bytes, *, name: str) -> Findings:
    """Look at every page's directory.

    Smaller copies after the last page (a pyramid) are left out. Raises UnreadablePicture for a
    chain of directories that leads nowhere, UnsupportedPicture for pages that differ and for files
    of cameras.
    """
    try:
        pages = list(_pages(data))
    except (struct.error, IndexError, OverflowError) as error:
        raise UnreadablePicture(name, "its list of pages is damaged or cut off") from error
    if not pages:
        raise UnreadablePicture(name, "it holds no picture")
    _check_kind(pages[0], name=name)
    while len(pages) > 1 and pages[-1].reduced:
        pages.pop()
    first = pages[0]
    size = first[_WIDTH], first[_HEIGHT]
    check_sides(*size, name=name)
    for number, page in enumerate(pages, 1):
        other = page[_WIDTH], page[_HEIGHT]
        if other != size:
            what = f"page {number} is {other[0]}x{other[1]}, page 1 is {size[0]}x{size[1]}"
        elif page.kind() != first.kind():
            what = f"page {number} is of another kind of samples than page 1"
        else:
            continue
        raise UnsupportedPicture(name, f"{what}; all pages must be alike")
    return Findings(data=data, frames=len(pages))


def _check_kind(page: _Page, *, name: str) -> None:
    if page[_DNG_VERSION] or page.reduced:
        raise UnsupportedPicture(name, "it is a camera's raw file; develop it first")
    if page[_COMPRESSION] == _OLD_JPEG:
        raise UnsupportedPicture(name, "it is a TIFF compressed as old-style JPEG")
    if page[_PHOTOMETRIC] == _INKS and page[_EXTRA] == _ASSOCIATED:
        raise UnsupportedPicture(name, "it is CMYK with transparency multiplied into the inks")
    if page[_BITS] > _MOST_BITS:
        raise UnsupportedPicture(name, f"it is a TIFF with samples of {page[_BITS]} bits")
    if page[_PHOTOMETRIC] == _LAB and page[_BITS] == 8:  # noqa: PLR2004
        raise UnsupportedPicture(name, "it is a TIFF of 8-bit L*a*b*; save it with 16 bits")


def _pages(data: bytes) -> Iterator[_Page]:
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    # number of entries, an entry, an offset
    count, entry, offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    (at,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    for _ in range(MAX_PAGES):
        if not at:
            return
        (entries,) = struct.unpack_from(order + count, data, at)
        at += struct.calcsize(order + count)
        size = struct.calcsize(order + entry)
        if at + entries * size > len(data):
            raise IndexError
        tags: dict[int, int] = {}
        for place in range(at, at + entries * size, size):
            tag, kind, number, value = struct.unpack_from(order + entry, data, place)
            if tag in _WANTED and kind in _FORMATS and number:
                tags.setdefault(tag, _value(data, order, kind, number, value))
        yield _Page(tags)
        (at,) = struct.unpack_from(order + offset, data, at + entries * size)


def _value(data: bytes, order: str, kind: int, number: int, value: bytes) -> int:
    """Return a tag's first value, inline or where the entry points."""
    form = order + _FORMATS[kind]
    if struct.calcsize(form) * number <= len(value):
        found = struct.unpack_from(form, value)
    else:
        (place,) = struct.unpack(order + ("I" if len(value) == 4 else "Q"), value)  # noqa: PLR2004
        found = struct.unpack_from(form, data, place)
    return int(found[0])
