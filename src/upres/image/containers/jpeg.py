"""The head of a JPEG: harmless oddities are mended, so that every warning left tells of damage.

libjpeg puts only its first warning into words, and it warns of a stray byte between two segments
as it does of lost pixels. What is mended here is no loss; so whatever it warns of then, is.
"""

from __future__ import annotations

from upres.image.containers.findings import Findings

_START_OF_SCAN = 0xDA
_END = 0xD9
_APP0 = 0xE0
_SEQUENTIAL = (0xC0, 0xC1)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))
_WHOLE_SPECTRUM = b"\x00\x3f\x00"


def inspect(data: bytes) -> Findings:
    """Walk the segments up to the first scan; a file that breaks off there is left as it is."""
    parts: list[bytes] = [data[:2]]
    warnings: list[str] = []
    sequential = False
    at = 2
    while True:
        mark = _next_marker(data, at)
        if mark < 0:
            return Findings(data=data)
        kind = data[mark + 1]
        if mark > at:
            stray = len(data[at:mark].rstrip(b"\xff"))
            if stray:
                warnings.append(f"{stray} stray bytes before its segment {kind:02x} were skipped")
        if kind == _END:
            return Findings(data=data)
        if kind in _WITHOUT_LENGTH:
            at = mark + 2
            parts.append(data[mark:at])
            continue
        at = mark + 2 + int.from_bytes(data[mark + 2 : mark + 4], "big")
        segment = data[mark:at]
        sequential |= kind in _SEQUENTIAL
        mended = _mended(kind, segment, sequential=sequential, warnings=warnings)
        parts.append(mended)
        if kind == _START_OF_SCAN:
            break
    if not warnings:
        return Findings(data=data)
    return Findings(data=b"".join([*parts, data[at:]]), warnings=tuple(warnings))


def _next_marker(data: bytes, at: int) -> int:
    """Return where the next marker's last 0xff is; -1 where there is none."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return -1
        if data[at + 1] not in (0x00, 0xFF):
            return at
        at += 1


def _mended(kind: int, segment: bytes, *, sequential: bool, warnings: list[str]) -> bytes:
    if kind == _APP0 and segment[4:9] == b"JFIF\x00" and segment[9:10] not in (b"\x01", b""):
        warnings.append(f"it claims to be of JFIF {segment[9]}, which is unknown")
        return segment[:9] + b"\x01" + segment[10:]
    if kind == _START_OF_SCAN and sequential and segment[-3:] != _WHOLE_SPECTRUM:
        warnings.append("its scan has parameters that are of no use to it")
        return segment[:-3] + _WHOLE_SPECTRUM
    return segment
