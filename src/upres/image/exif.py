"""EXIF blocks with entries taken out: libvips keeps what the block has, whatever its fields say."""

from __future__ import annotations

import struct

_PREFIX = b"Exif\x00\x00"
_ENTRY_BYTES = 12
_EXIF_DIRECTORY = 0x8769
_UNTRUE = {0x0100, 0x0101, 0x011A, 0x011B, 0x0128}
"""Width, height and density of the picture before: libvips writes the new ones."""
_LOCATION = {0x8825, 0x02BC, 0x83BB}
"""The directory of GPS; XMP and IPTC, which may have a place too."""
_MAKER_NOTE = {0x927C}


def cleaned_exif(block: bytes, *, location: bool) -> bytes | None:
    """Return an EXIF block without the source's size and thumbnail, and, unless `location`, place.

    What tells of the place are the GPS fields and the maker's own notes, which nobody can read.
    None for a block that cannot be understood.
    """
    try:
        return _cleaned(block, location=location)
    except struct.error:
        return None


def _cleaned(block: bytes, *, location: bool) -> bytes:
    base = len(_PREFIX) if block.startswith(_PREFIX) else 0
    data = bytearray(block)
    order = {b"II": "<", b"MM": ">"}.get(block[base : base + 2])
    if order is None:
        raise struct.error
    directory = base + int(struct.unpack_from(order + "I", data, base + 4)[0])
    inner = _without(data, directory, order, _UNTRUE | (set() if location else _LOCATION))
    if not location and inner:
        _without(data, base + inner, order, _MAKER_NOTE, last=False)
    return bytes(data)


def _without(data: bytearray, at: int, order: str, tags: set[int], *, last: bool = True) -> int:
    """Take entries out of the directory at a place; return where the inner directory is, or 0.

    `last` cuts off what follows it: behind the first comes the thumbnail's.
    """
    (count,) = struct.unpack_from(order + "H", data, at)
    start = at + 2
    end = start + count * _ENTRY_BYTES
    # so that a table that is cut off is noticed before it is changed
    struct.unpack_from(order + "I", data, end)
    kept = bytearray()
    inner = 0
    for place in range(start, end, _ENTRY_BYTES):
        entry = data[place : place + _ENTRY_BYTES]
        tag, _, _, value = struct.unpack(order + "HHII", entry)
        if tag == _EXIF_DIRECTORY:
            inner = value
        if tag not in tags:
            kept += entry
    following = bytes(4) if last else bytes(data[end : end + 4])
    table = struct.pack(order + "H", len(kept) // _ENTRY_BYTES) + kept + following
    data[at : end + 4] = table.ljust(end + 4 - at, b"\x00")
    return inner
