"""The formats upres reads and writes: how they begin, what they are called, what they can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from upres.errors import InvalidOption, PictureTooLarge, UnsupportedPicture
from upres.image.picture import Format

FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, kw_only=True)
class FormatTraits:
    """What one format is called and can hold."""

    extensions: tuple[str, ...]
    """With the dot, the usual one first."""
    max_side_px: int
    sixteen_bit: bool
    alpha: bool
    lossy: bool


TRAITS: dict[Format, FormatTraits] = {
    "png": FormatTraits(
        extensions=(".png",), max_side_px=2**31 - 1, sixteen_bit=True, alpha=True, lossy=False
    ),
    "jpeg": FormatTraits(
        extensions=(".jpg", ".jpeg", ".jpe", ".jfif"),
        max_side_px=65500,
        sixteen_bit=False,
        alpha=False,
        lossy=True,
    ),
    "webp": FormatTraits(
        extensions=(".webp",), max_side_px=16383, sixteen_bit=False, alpha=True, lossy=True
    ),
}

_FOREIGN_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"<?xml", "SVG or XML"),
    (b"<svg", "SVG"),
    (b"8BPS", "PSD"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP", "JPEG 2000"),
)


def sniff(head: bytes, *, name: str) -> Format:
    """Tell the format from a file's first bytes (at least 16 where there are so many).

    The content decides, never the extension. Raises UnsupportedPicture.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    supported = ", ".join(traits.upper() for traits in FORMATS)
    for magic, kind in _FOREIGN_MAGIC:
        if head.startswith(magic):
            raise UnsupportedPicture(name, f"it is a {kind} file; upres reads {supported}")
    if head[4:8] == b"ftyp":
        raise UnsupportedPicture(
            name, f"it is an AVIF, HEIC or video file; upres reads {supported}"
        )
    raise UnsupportedPicture(name, f"it is no picture that upres knows; upres reads {supported}")


def format_of_extension(extension: str) -> Format:
    """Tell the format that a file name's extension (with its dot, any case) asks for.

    Raises InvalidOption.
    """
    for name, traits in TRAITS.items():
        if extension.lower() in traits.extensions:
            return name
    known = ", ".join(traits.extensions[0] for traits in TRAITS.values())
    raise InvalidOption("output file extension", extension, f"one of {known}")


def check_sides(format: Format, *, width: int, height: int, name: str) -> None:  # noqa: A002
    """Raise PictureTooLarge when a format cannot hold a picture of that size."""
    limit = TRAITS[format].max_side_px
    side = max(width, height)
    if side > limit:
        raise PictureTooLarge(
            name, what=f"the longest side in {format.upper()} would be", value=side, limit=limit
        )
