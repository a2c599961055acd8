"""The chunks of a PNG: whether all are there and sound, and whether it is an animation."""

from __future__ import annotations

import zlib

from upres.errors import UnreadablePicture, UnsupportedPicture
from upres.image.containers.findings import Findings, check_sides, named_profile

_SIGNATURE_BYTES = 8
_FRAME_BYTES = 12
"""Length, name and checksum of a chunk."""


def inspect(data: bytes, *, name: str) -> Findings:
    """Look at the chunks of a PNG; the pixels' own checksums are left to the decoder.

    Raises UnreadablePicture for one that is cut off or whose checksums are wrong, and
    UnsupportedPicture for an animation (libvips would show its first frame only).
    """
    at = _SIGNATURE_BYTES
    profile = None
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        end = at + _FRAME_BYTES + length
        if end > len(data):
            raise UnreadablePicture(name, "it is cut off")
        body = memoryview(data)[at + 8 : end - 4]
        if kind != b"IDAT" and zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            text = kind.decode("ascii", "backslashreplace")
            raise UnreadablePicture(name, f"the checksum of its {text} part is wrong")
        if kind == b"IHDR":
            width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
            check_sides(width, height, name=name)
        if kind == b"acTL" and int.from_bytes(body[:4], "big") > 1:
            raise UnsupportedPicture(
                name,
                f"it is an animated PNG ({int.from_bytes(body[:4], 'big')} frames); "
                "of PNG upres reads still pictures",
            )
        if kind == b"cICP" and length == 4:  # noqa: PLR2004
            profile = named_profile(body[0], body[1], name=name)
        if kind == b"IEND":
            return Findings(data=data, profile=profile)
        at = end
