"""Which files are clips, and the folders in which workers keep what they finished of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MPEG_TS = 0x47
_TS_PACKET_BYTES = 188
HEAD_BYTES = 4 * _TS_PACKET_BYTES
"""What is needed of a file to tell."""
_PICTURE_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"heim", b"jxl ")
_MAGIC = (
    (0, b"\x1a\x45\xdf\xa3", "video/x-matroska"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\x00\x00\x01\xba", "video/mpeg"),
    (0, b"\x00\x00\x01\xb3", "video/mpeg"),
    (0, b"OggS", "video/ogg"),
    (4, b"moov", "video/quicktime"),
    (4, b"mdat", "video/quicktime"),
    (4, b"wide", "video/quicktime"),
    (8, b"AVI ", "video/x-msvideo"),
)
CLIPS = tuple(
    dict.fromkeys(["video/mp4", "video/webm", "video/mp2t", *(type_ for *_, type_ in _MAGIC)])
)
"""Their media types."""


def clip_type(head: bytes) -> str | None:
    """Return the media type of a file that begins so and may be a clip; None for others."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _PICTURE_BRANDS:
            return None
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    for place, magic, type_ in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return "video/webm" if b"webm" in head[:64] else type_
    stream = head[::_TS_PACKET_BYTES]
    return "video/mp2t" if len(stream) > 1 and set(stream) == {_MPEG_TS} else None


def clips_possible() -> bool:
    """Tell whether what decodes clips is installed."""
    return find_spec("av") is not None


def forget_folder(folder: Path) -> None:
    """Remove what workers left of a job."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep_folder(clips: Path, *, wanted: Callable[[str], bool]) -> None:
    """Remove what workers left of jobs that nobody will go on with."""
    with suppress(OSError):
        for folder in list(clips.iterdir()):
            if not wanted(folder.name):
                forget_folder(folder)
