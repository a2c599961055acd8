"""What is found in a file's structure before libvips reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from upres.errors import PictureTooLarge, UnsupportedPicture

BuiltInProfile = Literal["p3"]

MAX_SIDE_PX = 100_000_000
"""libvips has no longer rows, and no more of them; it would say so on standard error."""
_SRGB_PRIMARIES = (1, 2, 5, 6, 7)
"""BT.709, unspecified, and those of older television, which differ little."""
_P3_PRIMARIES = 12
_SRGB_TRANSFERS = (1, 2, 4, 6, 13, 14, 15)
"""sRGB, unspecified, and television's curves, which every viewer shows as sRGB."""
_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What libvips has to be told."""

    data: bytes
    """The file, mended where it was odd without loss."""
    frames: int = 1
    """Frames or pages to read, from the first."""
    warnings: tuple[str, ...] = ()
    premultiplied: bool = False
    """Whether alpha was multiplied into the colours, and libvips leaves it so."""
    gray: bool = False
    """Whether libvips delivers three equal planes for one."""
    profile: BuiltInProfile | None = None
    """The colours' profile where the file names it instead of holding it."""


def named_profile(primaries: int, transfer: int, *, name: str) -> BuiltInProfile | None:
    """Return the profile that code points of ITU-T H.273 mean; None for sRGB.

    Raises UnsupportedPicture for high dynamic range and other colours that would come out wrong.
    """
    if transfer in _HDR_TRANSFERS:
        raise UnsupportedPicture(
            name,
            f"it has high dynamic range ({_HDR_TRANSFERS[transfer]}); convert it to a standard one",
        )
    if transfer in _SRGB_TRANSFERS:
        if primaries in _SRGB_PRIMARIES:
            return None
        if primaries == _P3_PRIMARIES:
            return "p3"
    raise UnsupportedPicture(
        name,
        f"its colours are coded in a rare way (primaries {primaries}, transfer {transfer}); "
        "convert it to sRGB",
    )


def check_sides(width: int, height: int, *, name: str) -> None:
    """Raise PictureTooLarge for what libvips cannot lay out."""
    side = max(width, height)
    if side > MAX_SIDE_PX:
        raise PictureTooLarge(name, what="its longest side has", value=side, limit=MAX_SIDE_PX)
