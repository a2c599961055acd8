"""A file's first bytes decide what it is; its name decides only what is written."""

from __future__ import annotations

import pytest

from upres.errors import InvalidOption, PictureTooLarge, UnsupportedPicture
from upres.image.formats import (
    FORMATS,
    INPUT_FORMATS,
    TRAITS,
    check_sides,
    format_of_extension,
    sniff,
    written_as,
)
from upres.image.picture import Format, InputFormat

HEADS: list[tuple[bytes, InputFormat]] = [
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "png"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "jpeg"),
    (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "webp"),
    (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf", "avif"),
    (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "avif"),
    (b"GIF87a\x01\x00\x01\x00", "gif"),
    (b"GIF89a\x01\x00\x01\x00", "gif"),
    (b"II*\x00\x08\x00\x00\x00", "tiff"),
    (b"MM\x00*\x00\x00\x00\x08", "tiff"),
    (b"II+\x00\x08\x00\x00\x00", "tiff"),
    (b"MM\x00+\x00\x08\x00\x00", "tiff"),
    (b"BM\x36\x00\x00\x00", "bmp"),
]


@pytest.mark.parametrize(("head", "kind"), HEADS)
def test_the_content_decides(head: bytes, kind: InputFormat) -> None:
    """A wrong extension in the name makes no difference."""
    assert sniff(head, name="picture.xyz") == kind


def test_every_format_is_known_by_its_content() -> None:
    """Nothing is announced that is not recognized."""
    assert {kind for _, kind in HEADS} == set(INPUT_FORMATS)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"%PDF-1.7\n", "a PDF file"),
        (b"<?xml version='1.0'?><svg/>", "SVG or XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG file"),
        (b"\xef\xbb\xbf\n  <svg>", "an SVG file"),
        (b"8BPS\x00\x01", "a PSD file"),
        (b"\x00\x00\x01\x00\x01\x00", "an ICO file"),
        (b"\xff\x0a\xfa\x07", "a JPEG XL file"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL file"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 file"),
        (b"P6\n3 2\n255\n", "a PPM file"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a HEIC file"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1miaf", "a HEIC file"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", "a video"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "no picture that upres knows"),
        (b"Dear diary, today I", "no picture that upres knows"),
        (b"\x00" * 64, "no picture that upres knows"),
        (b"\x89PN", "no picture that upres knows"),
        (b"\xff\xd8", "no picture that upres knows"),
        (b"GIF90a", "no picture that upres knows"),
        (b"", "no picture that upres knows"),
    ],
)
def test_other_files_are_named_for_what_they_are(head: bytes, word: str) -> None:
    """The text says what the file is and what would have been read."""
    with pytest.raises(UnsupportedPicture, match=f"photo.*{word}.*") as caught:
        sniff(head, name="photo.png")
    assert str(caught.value).endswith("upres reads PNG, JPEG, WEBP, AVIF, TIFF, GIF, BMP")


def test_animated_avif_is_refused_as_such() -> None:
    """It is no format that is not known."""
    head = b"\x00\x00\x00\x1cftypavis\x00\x00\x00\x00avifavismsf1"
    with pytest.raises(UnsupportedPicture, match="animated AVIF"):
        sniff(head, name="photo.avif")


@pytest.mark.parametrize(
    ("extension", "kind"),
    [
        (".png", "png"),
        (".PNG", "png"),
        (".jpg", "jpeg"),
        (".JPG", "jpeg"),
        (".jpeg", "jpeg"),
        (".jfif", "jpeg"),
        (".webp", "webp"),
        (".WebP", "webp"),
        (".avif", "avif"),
        (".tif", "tiff"),
        (".TIFF", "tiff"),
        (".gif", "gif"),
    ],
)
def test_an_extension_asks_for_a_format(extension: str, kind: Format) -> None:
    """In any case of letters."""
    assert format_of_extension(extension) == kind


@pytest.mark.parametrize("extension", ["", ".", "png", ".bmp", ".svg", ".png ", ".p"])
def test_other_extensions_are_refused(extension: str) -> None:
    """The text lists what can be written."""
    with pytest.raises(InvalidOption, match=r"one of \.png, \.jpg, \.webp, \.avif, \.tif, \.gif"):
        format_of_extension(extension)


def test_every_format_has_its_own_extensions() -> None:
    """No extension is claimed twice, and each leads back to its format."""
    assert set(TRAITS) == set(FORMATS)
    for kind, traits in TRAITS.items():
        assert all(format_of_extension(extension) == kind for extension in traits.extensions)


@pytest.mark.parametrize(
    ("kind", "limit"), [("jpeg", 65500), ("webp", 16383), ("avif", 16384), ("gif", 65535)]
)
def test_results_that_a_format_cannot_hold_are_refused(kind: Format, limit: int) -> None:
    """Up to the limit it is held, one pixel more is refused before anything is computed."""
    check_sides(kind, width=limit, height=1, name="photo")
    check_sides(kind, width=1, height=limit, name="photo")
    with pytest.raises(PictureTooLarge, match=f"{kind.upper()} would be {limit + 1} pixels"):
        check_sides(kind, width=limit + 1, height=1, name="photo")
    with pytest.raises(PictureTooLarge, match=f"the limit is {limit}"):
        check_sides(kind, width=1, height=limit + 1, name="photo")
    check_sides("png", width=limit + 1, height=limit + 1, name="photo")


def test_what_is_read_only_is_written_as_png() -> None:
    """The others stay what they are."""
    assert written_as("bmp") == "png"
    assert all(written_as(kind) == kind for kind in FORMATS)
