"""The boxes of an AVIF that tell how its colours are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.image.containers.findings import Findings, check_sides, named_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.image.containers.findings import BuiltInProfile

_HEADER_BYTES = 8
_FULL_BOX_BYTES = 4
"""Version and flags, before the content of some boxes."""
_CODING_BYTES = 4
_MONOCHROME = 0x10


def inspect(data: bytes, *, name: str) -> Findings:
    """Find the code points of the colours, and whether it is gray or has premultiplied alpha.

    A profile inside the file is found by libvips itself. Raises UnsupportedPicture for high
    dynamic range, and PictureTooLarge.
    """
    found = Findings(data=data)
    for start, end in _boxes(data, 0, len(data), b"meta"):
        inner = start + _FULL_BOX_BYTES
        premultiplied = any(
            True
            for at, stop in _boxes(data, inner, end, b"iref")
            for _ in _boxes(data, at + _FULL_BOX_BYTES, stop, b"prem")
        )
        containers = [
            container
            for properties in _boxes(data, inner, end, b"iprp")
            for container in _boxes(data, *properties, b"ipco")
        ]
        for extent in _properties(data, containers, b"ispe"):
            width, height = int.from_bytes(extent[4:8], "big"), int.from_bytes(extent[8:12], "big")
            check_sides(width, height, name=name)
        codings = _properties(data, containers, b"av1C")
        colours = _properties(data, containers, b"colr")
        found = Findings(
            data=data,
            premultiplied=premultiplied,
            # alpha is always coded as gray, and a colour picture is not
            gray=bool(codings) and all(coding[2] & _MONOCHROME for coding in codings),
            profile=_profile(colours, name=name),
        )
    return found


def _properties(data: bytes, containers: list[tuple[int, int]], kind: bytes) -> list[bytes]:
    return [
        data[at:stop]
        for container in containers
        for at, stop in _boxes(data, *container, kind)
        if stop - at >= _CODING_BYTES
    ]


def _profile(colours: list[bytes], *, name: str) -> BuiltInProfile | None:
    kinds = [colour[:4] for colour in colours]
    if b"nclx" not in kinds or b"prof" in kinds or b"rICC" in kinds:
        return None
    points = colours[kinds.index(b"nclx")]
    primaries, transfer = int.from_bytes(points[4:6], "big"), int.from_bytes(points[6:8], "big")
    return named_profile(primaries, transfer, name=name)


def _boxes(data: bytes, at: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Yield the content's bounds of every box of a kind between two places."""
    while at + _HEADER_BYTES <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        start = at + _HEADER_BYTES
        if size == 1:
            size = int.from_bytes(data[start : start + 8], "big")
            start += 8
        stop = end if size == 0 else at + size
        if stop < start or stop > end:
            return
        if data[at + 4 : at + 8] == kind:
            yield start, stop
        at = stop
