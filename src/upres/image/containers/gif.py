"""The blocks of a GIF: how many frames there are, and whether the last is whole.

libvips shows the frames that it finds and is silent about those that were cut off.
"""

from __future__ import annotations

from upres.errors import UnreadablePicture
from upres.image.containers.findings import Findings

_HEADER_BYTES = 13
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_IMAGE_BYTES = 10


def inspect(data: bytes, *, name: str) -> Findings:
    """Walk the blocks; raises UnreadablePicture for a file that is cut off or out of order."""
    frames = 0
    at = _HEADER_BYTES + _colours_bytes(data, 10)
    while at < len(data):
        kind = data[at]
        if kind == _TRAILER:
            return _found(data, frames, name=name)
        if kind == _EXTENSION:
            at = _after_blocks(data, at + 2)
        elif kind == _IMAGE:
            frames += 1
            pixels = at + _IMAGE_BYTES + _colours_bytes(data, at + _IMAGE_BYTES - 1)
            at = _after_blocks(data, pixels + 1)
        elif kind == 0:
            at += 1
        else:
            raise UnreadablePicture(name, f"after frame {frames} comes an unknown block")
    if at > len(data):
        raise UnreadablePicture(name, f"it is cut off in frame {max(frames, 1)}")
    return _found(data, frames, name=name, warnings=("its end mark is missing",))


def _found(data: bytes, frames: int, *, name: str, warnings: tuple[str, ...] = ()) -> Findings:
    if not frames:
        raise UnreadablePicture(name, "it holds no picture")
    return Findings(data=data, frames=frames, warnings=warnings)


def _colours_bytes(data: bytes, at: int) -> int:
    """Return the size of the colour table that the flags at a place announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Return the place after a chain of sub-blocks, past the end where the chain is cut off."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        if not length:
            return at
    return len(data) + 1
