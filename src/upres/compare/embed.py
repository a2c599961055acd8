"""What a page carries of a picture: the file itself where a browser shows it right, else a PNG."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from upres.compare.display import eight_bit
from upres.image.encode import encoded
from upres.image.picture import Metadata

if TYPE_CHECKING:
    from upres.compare.pictures import Side

_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
}
"""What browsers show."""
_MAYBE_TURNED = {"png": b"eXIf", "webp": b"EXIF"}
"""Marks of EXIF in formats where browsers do not agree whether it turns a picture."""

_CMYK_COMPONENTS = 4
_START_OF_SCAN = 0xDA
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_APP1 = 0xE1
_ORIENTATION = 0x0112


def data_url(side: Side) -> str:
    """Return a picture as a `data:` URL."""
    kind = side.header.format
    if side.as_in_file and kind in _TYPES and shown_right(side.data, kind):
        return f"data:{_TYPES[kind]};base64,{base64.b64encode(side.data).decode('ascii')}"
    picture = eight_bit(side.picture)
    picture = replace(picture, metadata=Metadata(icc=picture.metadata.icc))
    return (
        f"data:image/png;base64,{base64.b64encode(encoded(picture, format='png')).decode('ascii')}"
    )


def shown_right(data: bytes, format: str) -> bool:  # noqa: A002
    """Tell whether every browser shows the file as upres does: neither turned nor CMYK."""
    if format == "jpeg":
        return _plain_jpeg(data)
    return _MAYBE_TURNED.get(format, b"\0no such mark") not in data


def _plain_jpeg(data: bytes) -> bool:
    for marker, content in _jpeg_segments(data):
        if marker in _START_OF_FRAME:
            return len(content) > 5 and content[5] < _CMYK_COMPONENTS  # noqa: PLR2004
        if marker == _APP1 and content[:6] == b"Exif\0\0" and _exif_turns(content[6:]):
            return False
    return False


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of what comes before the samples."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            at += 1
            continue
        if marker == _START_OF_SCAN:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _exif_turns(tiff: bytes) -> bool:
    """Tell whether a TIFF header's first folder says that the picture is not upright.

    What cannot be read is taken to turn it: then the page carries decoded pixels.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return True
    try:
        (folder,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, folder)
        for index in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, folder + 2 + 12 * index)
            if tag == _ORIENTATION:
                return bool(value > 1)
    except struct.error:
        return True
    return False
