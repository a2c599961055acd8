"""The formats upres reads and writes: how they begin, what they are called, what they can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from upres.errors import InvalidOption, PictureTooLarge, UnsupportedPicture
from upres.image.picture import Format, InputFormat

if TYPE_CHECKING:
    from upres.image.picture import Header

FORMATS: tuple[Format, ...] = get_args(Format)
"""What is written."""
INPUT_FORMATS: tuple[InputFormat, ...] = get_args(InputFormat)
"""What is read."""


@dataclass(frozen=True, kw_only=True)
class FormatTraits:
    """What one format is called and can hold."""

    extensions: tuple[str, ...]
    """With the dot, the usual one first."""
    max_side_px: int
    bits: Literal[8, 12, 16] = 8
    """The most bits of a sample; 12 stands for samples of 16 bits, rounded."""
    transparency: Literal["none", "mask", "full"] = "full"
    """A mask is clear or opaque, nothing between."""
    animated: bool = False
    pages: bool = False
    """Whether it holds several pictures that are no animation."""
    streamed: bool = True
    """Whether rows are written as they come; else the encoder keeps the picture in memory."""
    icc: bool = True
    gray_icc: bool = True
    """Whether samples of one plane, and the profile of such, can be stored."""

    @property
    def alpha(self) -> bool:
        """Whether there is any transparency."""
        return self.transparency != "none"


TRAITS: dict[Format, FormatTraits] = {
    # libvips has no rows of more than 100 million pixels
    "png": FormatTraits(extensions=(".png",), max_side_px=100_000_000, bits=16),
    "jpeg": FormatTraits(
        extensions=(".jpg", ".jpeg", ".jpe", ".jfif"),
        max_side_px=65500,
        transparency="none",
    ),
    "webp": FormatTraits(
        extensions=(".webp",), max_side_px=16383, animated=True, streamed=False, gray_icc=False
    ),
    "avif": FormatTraits(
        extensions=(".avif",), max_side_px=16384, bits=12, streamed=False, gray_icc=False
    ),
    "tiff": FormatTraits(
        extensions=(".tif", ".tiff"), max_side_px=100_000_000, bits=16, pages=True
    ),
    "gif": FormatTraits(
        extensions=(".gif",),
        max_side_px=65535,
        transparency="mask",
        animated=True,
        icc=False,
        gray_icc=False,
        streamed=False,
    ),
}

_MAGIC: tuple[tuple[bytes, InputFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00\x08\x00", "tiff"),
    (b"MM\x00+\x00\x08", "tiff"),
    (b"BM", "bmp"),
)
"""TIFF in four ways: each byte order, with offsets of 32 or (BigTIFF) 64 bits."""

_FOREIGN_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF file"),
    (b"<?xml", "an SVG or XML file"),
    (b"<svg", "an SVG file"),
    (b"<!DOCTYPE svg", "an SVG file"),
    (b"8BPS", "a PSD file"),
    (b"\x00\x00\x01\x00", "an ICO file"),
    (b"\x00\x00\x02\x00", "a CUR or TGA file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file"),
    (b"#?RADIANCE", "a Radiance HDR file"),
    (b"\x76\x2f\x31\x01", "an OpenEXR file"),
    (b"qoif", "a QOI file"),
    (b"IIRO", "a camera's raw file"),
    (b"IIU\x00", "a camera's raw file"),
    (b"FUJIFILM", "a camera's raw file"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
)

_NETPBM = {
    b"1": "PBM",
    b"2": "PGM",
    b"3": "PPM",
    b"4": "PBM",
    b"5": "PGM",
    b"6": "PPM",
    b"7": "PAM",
}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(head: bytes, *, name: str) -> InputFormat:
    """Tell the format from a file's first bytes (64 of them, where there are so many).

    The content decides, never the extension. Raises UnsupportedPicture.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _sniff_brands(head, name=name)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, what in _FOREIGN_MAGIC:
        if head.startswith(magic) or (magic.startswith(b"<") and text.startswith(magic)):
            raise _foreign(name, what)
    if head[:1] == b"P" and head[1:2] in _NETPBM and head[2:3].isspace():
        raise _foreign(name, f"a {_NETPBM[head[1:2]]} file")
    raise _foreign(name, "no picture that upres knows")


def _sniff_brands(head: bytes, *, name: str) -> InputFormat:
    """Tell AVIF from the other files of ISO boxes by the brands that the first box lists."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major} | {head[at : at + 4] for at in range(16, length - 3, 4)}
    if b"avis" in brands:
        raise UnsupportedPicture(name, "it is an animated AVIF; of AVIF upres reads still pictures")
    if b"avif" in brands and major not in _HEIC_BRANDS - {b"mif1"}:
        return "avif"
    if brands & _HEIC_BRANDS:
        raise _foreign(name, "a HEIC file")
    raise _foreign(name, "a video, or another file of ISO boxes")


def _foreign(name: str, what: str) -> UnsupportedPicture:
    known = ", ".join(kind.upper() for kind in INPUT_FORMATS)
    return UnsupportedPicture(name, f"it is {what}; upres reads {known}")


def written_as(kind: InputFormat) -> Format:
    """Return the format in which the result of such an input is written by default."""
    return "png" if kind == "bmp" else kind


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
    """Raise PictureTooLarge when a format cannot hold a picture (or frame) of that size."""
    limit = TRAITS[format].max_side_px
    side = max(width, height)
    if side > limit:
        raise PictureTooLarge(
            name, what=f"the longest side in {format.upper()} would be", value=side, limit=limit
        )


def check_holds(format: Format, header: Header, *, name: str) -> None:  # noqa: A002
    """Raise UnsupportedPicture when a format cannot hold all that a source has.

    An animation goes into animated formats only, several pages into TIFF only. Transparency and
    depth are no reason: the encoder says what it makes of them.
    """
    traits = TRAITS[format]
    if header.animation is not None:
        held, what, choices = traits.animated, f"animated ({header.frames} frames)", _animated()
    elif header.frames > 1:
        held, what, choices = traits.pages, f"of {header.frames} pages", _paged()
    else:
        return
    if held:
        return
    room = "no animation" if traits.pages else "no pages" if traits.animated else "one picture"
    raise UnsupportedPicture(
        name,
        f"it is {what}, and {format.upper()} holds {room}; use --format {' or '.join(choices)}",
    )


def _animated() -> list[Format]:
    return [kind for kind, traits in TRAITS.items() if traits.animated]


def _paged() -> list[Format]:
    return [kind for kind, traits in TRAITS.items() if traits.pages]
