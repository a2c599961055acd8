"""Density, EXIF, XMP and IPTC are known before the pixels, and the place can be taken out."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import SRGB, noise, opened, saved
from PIL import ExifTags, Image

from upres.image.decode import Decoder
from upres.image.exif import cleaned_exif
from upres.image.metadata import with_metadata, without_location
from upres.image.picture import Metadata
from upres.image.vips import libvips

if TYPE_CHECKING:
    from pathlib import Path

SAVERS: dict[str, dict[str, Any]] = {
    "jpegsave_buffer": {},
    "pngsave_buffer": {},
    "webpsave_buffer": {},
    "heifsave_buffer": {"compression": "av1"},
}
PLACE = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><exif:GPSLatitude>47,8.5N</exif:GPSLatitude></x:xmpmeta>"
)
TITLE = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><dc:title>Sunset</dc:title></x:xmpmeta>"


def exif() -> Image.Exif:
    """Return EXIF that says who, when and where, and how large the picture is."""
    block = Image.Exif()
    block[ExifTags.Base.Make] = "Maker"
    block[ExifTags.Base.Copyright] = "A. Photographer"
    block[ExifTags.Base.ImageWidth] = 8
    block[ExifTags.Base.ImageLength] = 8
    block[ExifTags.Base.Orientation] = 6
    details = block.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2026:11:22 10:11:12"
    details[ExifTags.Base.ExifImageWidth] = 8
    details[ExifTags.Base.ExifImageHeight] = 8
    details[ExifTags.Base.MakerNote] = b"only the maker reads this"
    place = block.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (47.0, 8.0, 30.0)
    return block


def metadata(xmp: bytes = TITLE) -> Metadata:
    """Return what is read of a JPEG with all of it."""
    image = noise(8, 8, 3)
    data = saved(image, "jpeg", exif=exif(), icc_profile=SRGB, dpi=(300, 300), xmp=xmp)
    return Decoder(data).metadata


def written(what: Metadata, saver: str) -> bytes:
    """Return a file of a larger picture with that metadata."""
    image = libvips().Image.black(120, 90, bands=3).copy(interpretation="srgb")
    data = getattr(with_metadata(image, what), saver)(keep="all", **SAVERS[saver])
    assert isinstance(data, bytes)
    return data


class TestDensity:
    """Horizontal and vertical apart."""

    @pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp"])
    def test_it_is_read(self, kind: str) -> None:
        """300 and 150 dots per inch."""
        read = Decoder(saved(noise(8, 8, 3), kind, dpi=(300, 150))).metadata
        assert read.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), abs=0.001)

    def test_none_is_made_up(self) -> None:
        """WebP has none of its own."""
        assert Decoder(saved(noise(8, 8, 3), "webp")).metadata == Metadata()


class TestExif:
    """It is kept, without what a larger picture makes wrong."""

    @pytest.mark.parametrize("saver", SAVERS)
    def test_who_when_and_where_stay(self, saver: str) -> None:
        """And the maker's notes."""
        block = opened(written(metadata(), saver)).getexif()
        assert block[ExifTags.Base.Make] == "Maker"
        assert block[ExifTags.Base.Copyright] == "A. Photographer"
        details = block.get_ifd(ExifTags.IFD.Exif)
        assert details[ExifTags.Base.DateTimeOriginal] == "2026:11:22 10:11:12"
        assert details[ExifTags.Base.MakerNote] == b"only the maker reads this"
        place = block.get_ifd(ExifTags.IFD.GPSInfo)
        assert place[ExifTags.GPS.GPSLatitude] == (47.0, 8.0, 30.0)

    @pytest.mark.parametrize("saver", SAVERS)
    def test_sizes_and_turn_do_not_lie(self, saver: str) -> None:
        """The larger picture's size, or none; upright."""
        block = opened(written(metadata(), saver)).getexif()
        details = block.get_ifd(ExifTags.IFD.Exif)
        assert details.get(ExifTags.Base.ExifImageWidth, 120) == 120
        assert details.get(ExifTags.Base.ExifImageHeight, 90) == 90
        assert block.get(ExifTags.Base.ImageWidth, 120) == 120
        assert block.get(ExifTags.Base.ImageLength, 90) == 90
        assert block.get(ExifTags.Base.Orientation, 1) == 1

    @pytest.mark.parametrize("saver", SAVERS)
    def test_the_thumbnail_stays_behind(self, shared: Path, saver: str) -> None:
        """It shows the picture before, and may show what was cut away."""
        data = (shared / "awkward" / "immich" / "picasa.jpg").read_bytes()
        image = libvips().Image.jpegload_buffer(data)
        thumbnail = image.get("jpeg-thumbnail-data")
        assert thumbnail in data
        result = written(Decoder(data).metadata, saver)
        assert thumbnail[200:300] not in result
        assert len(result) < 10_000


class TestLocation:
    """What tells where a picture was taken can be taken out, and nothing else."""

    @pytest.mark.parametrize("saver", SAVERS)
    def test_gps_and_makers_notes_go(self, saver: str) -> None:
        """Out of the written file, byte for byte; the rest of EXIF stays."""
        data = written(without_location(metadata()), saver)
        block = opened(data).getexif()
        assert ExifTags.IFD.GPSInfo not in block
        assert b"only the maker" not in data
        assert struct.pack("<II", 47, 1) not in data
        assert struct.pack(">II", 47, 1) not in data
        assert block[ExifTags.Base.Make] == "Maker"
        details = block.get_ifd(ExifTags.IFD.Exif)
        assert details[ExifTags.Base.DateTimeOriginal] == "2026:11:22 10:11:12"
        assert Decoder(data).metadata.icc == SRGB

    @pytest.mark.parametrize("saver", SAVERS)
    def test_a_damaged_block_is_left_out(self, saver: str) -> None:
        """Its readable fields are kept as libvips read them, those of the place apart."""
        data = bytearray(saved(noise(8, 8, 3), "jpeg", exif=exif()))
        at = data.index(b"Exif\x00\x00") + 6
        link = data.index(struct.pack(">HHII", 0x8769, 4, 1, 0)[:8], at)
        data[link + 8 : link + 12] = b"\xff\xff\xff\xf0"
        read = without_location(Decoder(bytes(data)).metadata)
        assert "exif-data" not in read.fields
        block = opened(written(read, saver)).getexif()
        assert block[ExifTags.Base.Make] == "Maker"
        assert ExifTags.IFD.GPSInfo not in block

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_xmp_goes_when_it_tells_of_a_place(self, encoding: str) -> None:
        """And stays when it does not."""
        for xmp, stays in ((PLACE, False), (TITLE, True)):
            read = metadata(xmp.decode().encode(encoding))
            assert "xmp-data" in read.fields
            assert ("xmp-data" in without_location(read).fields) == stays

    @pytest.mark.parametrize(("dataset", "stays"), [(90, False), (101, False), (5, True)])
    def test_iptc_goes_when_it_has_a_place(self, dataset: int, *, stays: bool) -> None:
        """City, country; a title may stay."""
        kind = libvips().GValue.blob_type
        block = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + bytes(
            [0, 0, 0, 9, 0x1C, 2, dataset, 0, 4]
        )
        read = Metadata(fields={"iptc-data": (kind, block + b"Oslo")})
        assert ("iptc-data" in without_location(read).fields) == stays

    def test_nothing_else_changes(self) -> None:
        """Profile and density stay; metadata without a place is equal."""
        read = metadata()
        bare = without_location(read)
        assert (bare.icc, bare.pixels_per_mm) == (read.icc, read.pixels_per_mm)
        assert without_location(bare) == bare
        assert without_location(Metadata()) == Metadata()

    def test_a_block_that_is_not_understood_goes(self) -> None:
        """Nobody knows what is in it."""
        kind = libvips().GValue.blob_type
        read = Metadata(fields={"exif-data": (kind, b"Exif\x00\x00nonsense")})
        assert without_location(read) == Metadata()

    @given(block=st.binary(max_size=200), head=st.sampled_from([b"II*\x00", b"MM\x00*", b""]))
    def test_any_bytes_are_taken(self, block: bytes, head: bytes) -> None:
        """The result is a block of the same length, or none."""
        data = b"Exif\x00\x00" + head + block
        for location in (False, True):
            clean = cleaned_exif(data, location=location)
            assert clean is None or len(clean) == len(data)
