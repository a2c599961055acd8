"""Rows become files of every format, with their samples, colours, metadata and frames."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from upres.errors import PictureTooLarge
from upres.image.encode import Encoder, encode
from upres.image.formats import FORMATS, TRAITS
from upres.image.metadata import read_metadata
from upres.image.picture import Animation, Layout, Metadata, Picture
from upres.image.tiff_exif import add_exif
from upres.image.vips import libvips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.image.picture import Format, Rows

SRGB: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS: tuple[Format, ...] = ("png", "tiff")
LOSSY: tuple[Format, ...] = ("jpeg", "webp", "avif")


def noise(height: int, width: int, planes: int, bits: int = 8) -> Rows:
    """Return random samples (height, width, planes)."""
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(planes).integers(
        0, (1 << bits) - 1, (height, width, planes), dtype, endpoint=True
    )


def ramp(height: int, width: int, planes: int, bits: int) -> Rows:
    """Return samples that rise evenly from 0 to white, row by row."""
    dtype = np.uint8 if bits == 8 else np.uint16
    steps = np.linspace(0, (1 << bits) - 1, height * width).round().astype(dtype)
    return np.repeat(steps.reshape(height, width, 1), planes, axis=2)


def picture_of(rows: Rows, metadata: Metadata | None = None) -> Picture:
    """Take the last of two or four planes for alpha."""
    return Picture.from_rows(rows, alpha=rows.shape[2] in (2, 4), metadata=metadata)


def encoded(rows: Rows, kind: Format, metadata: Metadata | None = None, **options: Any) -> bytes:
    """Return the file of one picture."""
    target = io.BytesIO()
    encode(picture_of(rows, metadata), target, format=kind, **options)
    return target.getvalue()


def in_frames(frames: Sequence[Rows], kind: Format, animation: Animation | None = None) -> bytes:
    """Return the file of several pictures."""
    layout = picture_of(frames[0]).layout
    target = io.BytesIO()
    with Encoder(
        target,
        format=kind,
        layout=layout,
        metadata=Metadata(),
        frames=len(frames),
        animation=animation,
    ) as encoder:
        for rows in frames:
            encoder.write(rows)
    return target.getvalue()


def loaded(data: bytes, kind: Format) -> Any:
    """Read a file with libvips' loader of that format."""
    name = "heif" if kind == "avif" else kind
    return getattr(libvips().Image, f"{name}load_buffer")(data)


def samples(data: bytes, kind: Format) -> Rows:
    """Return what a file holds (height, width, planes)."""
    image = loaded(data, kind)
    rows: Rows = image.numpy()
    return rows.reshape(image.height, image.width, image.bands)


def opened(data: bytes) -> Image.Image:
    """Read a file with Pillow."""
    return Image.open(io.BytesIO(data))


class TestSamples:
    """What a format can hold arrives; the rest is rounded, flattened or turned into RGB."""

    @given(
        kind=st.sampled_from(LOSSLESS),
        planes=st.integers(1, 4),
        bits=st.sampled_from((8, 16)),
        height=st.integers(1, 40),
        width=st.integers(1, 40),
        cuts=st.lists(st.integers(0, 40), max_size=4),
    )
    def test_lossless_formats_hold_every_sample(
        self, kind: Format, planes: int, bits: int, height: int, width: int, cuts: list[int]
    ) -> None:
        """Gray and colour, with and without alpha, 8 and 16 bits, in bands of any height."""
        rows = noise(height, width, planes, bits)
        target = io.BytesIO()
        layout = picture_of(rows).layout
        with Encoder(target, format=kind, layout=layout, metadata=Metadata()) as encoder:
            for band in np.split(rows, sorted(cut for cut in cuts if cut < height)):
                encoder.write(band)
        again = samples(target.getvalue(), kind)
        assert again.dtype == rows.dtype
        np.testing.assert_array_equal(again, rows)

    @pytest.mark.parametrize("kind", LOSSLESS)
    @pytest.mark.parametrize("bits", [8, 16])
    def test_another_reader_agrees(self, kind: Format, bits: int) -> None:
        """OpenCV, which has blue first."""
        rows = noise(30, 50, 3, bits)
        seen = cv2.imdecode(np.frombuffer(encoded(rows, kind), np.uint8), cv2.IMREAD_UNCHANGED)
        assert seen is not None
        np.testing.assert_array_equal(seen[..., ::-1], rows)

    @pytest.mark.parametrize("kind", LOSSLESS)
    def test_rows_larger_than_what_is_sent_at_once(self, kind: Format) -> None:
        """More than a megabyte in a row, and many megabytes in a band."""
        rows = noise(8, 400_000, 3)
        np.testing.assert_array_equal(samples(encoded(rows, kind), kind), rows)

    @pytest.mark.parametrize("kind", LOSSY)
    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("planes", [1, 2, 3, 4])
    def test_lossy_formats_stay_near(self, kind: Format, planes: int, bits: int) -> None:
        """A smooth picture keeps its samples within two of 255 levels, alpha too."""
        rows = ramp(64, 64, planes, bits)
        if planes in (2, 4):
            rows[..., -1] = rows[::-1, :, 0]
        stored = samples(encoded(rows, kind), kind)
        seen = stored / np.iinfo(stored.dtype).max
        expected = rows / np.iinfo(rows.dtype).max
        if planes in (2, 4) and kind == "jpeg":
            alpha = expected[..., -1:]
            expected = expected[..., :-1] * alpha + 1 - alpha
        if planes < 3 and kind != "jpeg":
            expected = np.concatenate([expected[..., :1]] * 3 + [expected[..., 1:]], axis=2)
        assert seen.shape == expected.shape
        assert np.abs(seen - expected).mean() < 2 / 255

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("planes", [1, 3])
    def test_white_is_white_and_black_is_black(self, kind: Format, planes: int, bits: int) -> None:
        """At the usual quality; exactly, but for the lowest bits of AVIF's 12."""
        for level in (0, (1 << bits) - 1):
            rows = np.full((40, 40, planes), level, np.uint8 if bits == 8 else np.uint16)
            seen = samples(encoded(rows, kind), kind)[..., :3]
            if seen.dtype == np.uint16 and kind == "avif":
                seen = np.rint(seen / 257)
            white = 65535 if seen.dtype == np.uint16 else 255
            np.testing.assert_array_equal(seen, white if level else 0)

    @pytest.mark.parametrize(("kind", "least"), [("png", 65536), ("tiff", 65536), ("avif", 4000)])
    def test_16_bits_make_no_bands(self, kind: Format, least: int) -> None:
        """So many levels of a gradient of 65536 are left."""
        seen = samples(encoded(ramp(256, 256, 3, 16), kind), kind)
        assert len(np.unique(seen[..., 1])) >= least

    @pytest.mark.parametrize("kind", ["jpeg", "webp"])
    @pytest.mark.parametrize("planes", [1, 3])
    def test_16_bits_are_rounded_where_a_format_has_8(self, kind: Format, planes: int) -> None:
        """257 levels make one, the middle ones each its own; best quality shows it."""
        tolerance = 0 if (kind, planes) == ("jpeg", 1) else 2
        for wide, narrow in ((65535, 255), (0, 0), (100 * 257 + 128, 100), (100 * 257 + 129, 101)):
            rows = np.full((16, 16, planes), wide, np.uint16)
            seen = samples(encoded(rows, kind, quality=100), kind)
            assert seen.dtype == np.uint8
            assert np.abs(seen.astype(int) - narrow).max() <= tolerance

    def test_transparency_is_laid_over_white_in_jpeg(self) -> None:
        """Clear becomes white, half clear half white."""
        rows = np.zeros((8, 48, 4), np.uint8)
        rows[..., 3] = np.repeat([0, 128, 255], 16)
        seen = samples(encoded(rows, "jpeg"), "jpeg")
        assert seen.shape == (8, 48, 3)
        assert np.abs(seen[4, 8::16, 0].astype(int) - [255, 127, 0]).max() <= 2

    def test_transparency_is_a_mask_in_gif(self) -> None:
        """From half the opacity on a pixel is there."""
        rows = np.full((1, 256, 4), 200, np.uint8)
        rows[..., 3] = np.arange(256)
        alpha = np.asarray(opened(encoded(rows, "gif")).convert("RGBA"))[0, :, 3]
        np.testing.assert_array_equal(alpha, np.where(np.arange(256) >= 128, 255, 0))

    def test_gif_is_exact_where_a_palette_suffices(self) -> None:
        """64 colours, all of them opaque, and no loop that nobody asked for."""
        rows = noise(1, 64, 3)[np.zeros(64, int)]
        data = encoded(rows, "gif")
        seen = np.asarray(opened(data).convert("RGBA"))
        np.testing.assert_array_equal(seen[..., :3], rows)
        np.testing.assert_array_equal(seen[..., 3], 255)
        assert b"NETSCAPE" not in data

    @pytest.mark.parametrize("kind", LOSSY)
    def test_quality_is_passed_on(self, kind: Format) -> None:
        """Less of it makes a smaller file."""
        sizes = [len(encoded(noise(64, 64, 3), kind, quality=quality)) for quality in (10, 95)]
        assert sizes[0] < sizes[1] / 2

    @pytest.mark.parametrize(("quality", "factor"), [(95, 1), (90, 1), (80, 2)])
    def test_jpeg_keeps_all_colour_at_high_quality(self, quality: int, factor: int) -> None:
        """Below 90 it halves the colours' rows and columns; it is never progressive."""
        image = opened(encoded(noise(32, 32, 3), "jpeg", quality=quality))
        assert image.layer[0][1:3] == (factor, factor)  # type: ignore[attr-defined]
        assert "progressive" not in image.info

    @pytest.mark.parametrize("kind", ["webp", "avif", "gif", "jpeg"])
    def test_a_side_that_a_format_has_no_number_for(self, kind: Format) -> None:
        """It is said before anything is encoded."""
        side = TRAITS[kind].max_side_px + 1
        layout = Layout(width=side, height=1, gray=True, alpha=False, bits=8)
        with pytest.raises(PictureTooLarge, match=f"longest side in {kind.upper()} would be"):
            Encoder(io.BytesIO(), format=kind, layout=layout, metadata=Metadata())


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return an ICC profile of version 2 by hand."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        **tags,
    }
    table, body = b"", b""
    start = 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, b"mntr", space, b"XYZ "
    )
    head += struct.pack(">6H4s", 2026, 11, 22, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", *(round(65536 * value) for value in (0.9642, 1.0, 0.8249)))
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    """Return a tag of one colour."""
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in values))


def gamma(value: float) -> bytes:
    """Return a tag of a curve."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * value)) + b"\0\0"


GRAY = profile(b"GRAY", {b"kTRC": gamma(1.4)})
WIDE = profile(
    b"RGB ",
    {
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2919, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1572, 0.0666, 0.7841),
        **{name: gamma(1.8) for name in (b"rTRC", b"gTRC", b"bTRC")},
    },
)
"""Primaries of Display P3, another curve."""


def in_srgb(rows: Rows, icc: bytes) -> Rows:
    """Convert 8-bit samples with Pillow."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    image = Image.fromarray(rows[..., 0] if rows.shape[2] == 1 else rows)
    done = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    assert done is not None
    return np.asarray(done)


class TestProfiles:
    """Samples keep their profile where it has a place, else they go into sRGB."""

    @pytest.mark.parametrize("kind", [kind for kind in FORMATS if TRAITS[kind].icc])
    @pytest.mark.parametrize("planes", [3, 4])
    @pytest.mark.parametrize("bits", [8, 16])
    def test_a_colour_profile_is_kept(self, kind: Format, planes: int, bits: int) -> None:
        """Byte for byte."""
        data = encoded(noise(8, 8, planes, bits), kind, Metadata(icc=WIDE))
        assert loaded(data, kind).get("icc-profile-data") == WIDE

    @pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
    @pytest.mark.parametrize("planes", [1, 2])
    def test_a_gray_profile_is_kept(self, kind: Format, planes: int) -> None:
        """And the samples with it."""
        rows = noise(8, 8, planes)
        data = encoded(rows, kind, Metadata(icc=GRAY))
        assert loaded(data, kind).get("icc-profile-data") == GRAY
        if kind in LOSSLESS:
            np.testing.assert_array_equal(samples(data, kind), rows)

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("kind", ["webp", "avif", "gif"])
    def test_a_gray_profile_without_a_place(self, kind: Format, bits: int) -> None:
        """The samples become what they look like in sRGB."""
        rows = ramp(16, 16, 1, 8)
        expected = in_srgb(rows, GRAY)
        assert np.abs(expected.astype(int) - rows).max() > 20
        wide = rows.astype(np.uint16) * 257 if bits == 16 else rows
        data = encoded(wide, kind, Metadata(icc=GRAY))
        assert not loaded(data, kind).get_typeof("icc-profile-data")
        seen = samples(data, kind)[..., :3].astype(float)
        seen /= 257 if kind == "avif" and bits == 16 else 1
        assert np.abs(seen - expected).mean() < 1.5

    @pytest.mark.parametrize("bits", [8, 16])
    def test_a_colour_profile_in_gif(self, bits: int) -> None:
        """The palette is sRGB."""
        rows = noise(1, 64, 3)[np.zeros(8, int)]
        wide = rows.astype(np.uint16) * 257 if bits == 16 else rows
        data = encoded(wide, "gif", Metadata(icc=WIDE))
        seen = np.asarray(opened(data).convert("RGB"))
        assert np.abs(seen.astype(int) - in_srgb(rows, WIDE)).max() <= 1

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("planes", [2, 4])
    def test_alpha_is_no_colour(self, planes: int, bits: int) -> None:
        """It passes the conversion as it is."""
        rows = ramp(16, 16, planes, bits)
        icc = GRAY if planes == 2 else WIDE
        alpha = samples(encoded(rows, "gif", Metadata(icc=icc)), "gif")[..., 3]
        half = 1 << (bits - 1)
        np.testing.assert_array_equal(alpha, np.where(rows[..., -1] >= half, 255, 0))

    @pytest.mark.parametrize("kind", FORMATS)
    def test_a_profile_that_nobody_can_read(self, kind: Format) -> None:
        """Its samples are taken for sRGB: the pixels matter more."""
        broken = WIDE[:132] + bytes(len(WIDE) - 132)
        rows = noise(1, 8, 3)[np.zeros(8, int)]
        seen = samples(encoded(rows, kind, Metadata(icc=broken)), kind)[..., :3]
        if kind not in LOSSY:
            np.testing.assert_array_equal(seen, rows)


def with_exif() -> Metadata:
    """Return what a camera says: who, when and where, at 300 by 150 dots per inch."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:11:22 10:11:12"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    target = io.BytesIO()
    image = Image.fromarray(noise(8, 8, 3))
    image.save(target, "jpeg", exif=exif, dpi=(300, 150), xmp=b"<x/>", icc_profile=SRGB)
    return read_metadata(loaded(target.getvalue(), "jpeg"))


class TestMetadata:
    """EXIF, XMP and density travel with the pixels."""

    @pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "gif"])
    def test_exif_and_xmp_are_kept(self, kind: Format) -> None:
        """Maker, time and place; the camera's turn is spent."""
        data = encoded(noise(8, 8, 3), kind, with_exif())
        exif = opened(data).getexif()
        assert exif[ExifTags.Base.Make] == "Maker"
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        details = exif.get_ifd(ExifTags.IFD.Exif)
        assert details[ExifTags.Base.DateTimeOriginal] == "2026:11:22 10:11:12"
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert loaded(data, kind).get("xmp-data") == b"<x/>"

    @pytest.mark.parametrize("kind", FORMATS)
    def test_stripped_drops_what_tells_of_people(self, kind: Format) -> None:
        """Profile and density stay."""
        data = encoded(noise(8, 8, 3), kind, with_exif().stripped())
        for word in (b"Maker", b"2026:11:22", b"<x/>"):
            assert word not in data
        assert ExifTags.IFD.GPSInfo not in opened(data).getexif()

    @pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
    def test_density_is_the_formats_own(self, kind: Format) -> None:
        """Horizontal and vertical apart."""
        image = loaded(encoded(noise(8, 8, 3), kind, with_exif()), kind)
        assert (image.xres * 25.4, image.yres * 25.4) == pytest.approx((300, 150), abs=0.02)

    @pytest.mark.parametrize("kind", ["webp", "avif"])
    def test_density_is_in_exif_where_a_format_has_none(self, kind: Format) -> None:
        """With or without other EXIF."""
        for metadata in (with_exif(), with_exif().stripped()):
            exif = opened(encoded(noise(8, 8, 3), kind, metadata)).getexif()
            seen = exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution]
            assert seen == pytest.approx((300, 150), abs=0.02)
            assert exif[ExifTags.Base.ResolutionUnit] == 2


class TestFrames:
    """Frames and pages stay apart, and as long as they were."""

    @pytest.mark.parametrize("kind", ["gif", "webp"])
    @pytest.mark.parametrize("alpha", [False, True])
    @pytest.mark.parametrize("loop", [0, 1, 3])
    def test_an_animation(self, kind: Format, loop: int, *, alpha: bool) -> None:
        """Number, pixels, delays and loops are those that Pillow reads."""
        frames = [np.full((20, 30, 3 + alpha), level, np.uint8) for level in (0, 120, 255)]
        if alpha:
            for place, rows in enumerate(frames):
                rows[..., 3] = 0
                rows[:, 5 * place : 5 * place + 15, 3] = 255
        delays = (50, 100, 1200)
        image = opened(in_frames(frames, kind, Animation(delays_ms=delays, loop=loop)))
        assert image.n_frames == 3  # type: ignore[attr-defined]
        # GIF counts the repetitions, and says nothing of a single showing
        expected = {0: 0, 1: None, 3: 2}[loop] if kind == "gif" else loop
        assert image.info.get("loop") == expected
        for place, rows in enumerate(frames):
            image.seek(place)
            seen = np.asarray(image.convert("RGBA"))
            assert image.info["duration"] == delays[place]
            there = rows[..., 3] > 0 if alpha else np.ones(rows.shape[:2], bool)
            np.testing.assert_array_equal(seen[..., 3] > 0, there)
            assert np.abs(seen[there][:, :3].astype(int) - rows[there][:, :3]).max() <= 2

    def test_frames_that_are_alike(self) -> None:
        """GIF keeps each; WebP shows one for as long as both."""
        same = noise(8, 8, 3)
        animation = Animation(delays_ms=(50, 70, 90), loop=0)
        frames = [same, same, 255 - same]
        assert loaded(in_frames(frames, "gif", animation), "gif").get("delay") == [50, 70, 90]
        assert loaded(in_frames(frames, "webp", animation), "webp").get("delay") == [120, 90]

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("planes", [1, 2, 3, 4])
    def test_pages(self, planes: int, bits: int) -> None:
        """All samples of every page of a TIFF, and no delays."""
        pages = [noise(150, 20, planes, bits) // (place + 1) for place in range(3)]
        data = in_frames(pages, "tiff")
        for place, page in enumerate(pages):
            image = libvips().Image.tiffload_buffer(data, page=place)
            assert image.get("n-pages") == 3
            np.testing.assert_array_equal(image.numpy().reshape(page.shape), page)

    @pytest.mark.parametrize("kind", FORMATS)
    def test_frames_that_a_format_cannot_hold(self, kind: Format) -> None:
        """Whoever calls has checked that; nothing is dropped quietly."""
        layout = Layout(width=4, height=4, gray=True, alpha=False, bits=8)
        wrong = None if TRAITS[kind].animated else Animation(delays_ms=(10, 10), loop=0)
        with pytest.raises(ValueError, match="holds no 2 frames"):
            Encoder(
                io.BytesIO(),
                format=kind,
                layout=layout,
                metadata=Metadata(),
                frames=2,
                animation=wrong,
            )


class TestTiffExif:
    """EXIF is put into a TIFF after libvips has written it, and changes nothing else."""

    @pytest.mark.parametrize("block", ["II", "MM"])
    @pytest.mark.parametrize("start", [0, 7])
    @pytest.mark.parametrize("bigtiff", [False, True])
    def test_every_kind_of_value_arrives(self, block: str, start: int, *, bigtiff: bool) -> None:
        """In either byte order, in small and large files, behind other bytes; pixels stay."""
        rows = noise(20, 30, 3)
        image = libvips().Image.new_from_array(rows)
        file = io.BytesIO()
        file.write(bytes(start))
        file.write(image.tiffsave_buffer(bigtiff=bigtiff, compression="deflate"))
        exif = Image.Exif()
        exif.endian = ">" if block == "MM" else "<"
        exif[ExifTags.Base.Make] = "Ma"
        exif[ExifTags.Base.Copyright] = "A. Photographer"
        details = exif.get_ifd(ExifTags.IFD.Exif)
        details[ExifTags.Base.ISOSpeedRatings] = 6400
        details[ExifTags.Base.ExposureTime] = 0.125
        details[ExifTags.Base.ExposureBiasValue] = -1.5
        exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (47.0, 8.0, 30.5)
        add_exif(file, start, exif.tobytes().removeprefix(b"Exif\0\0"))
        data = file.getvalue()[start:]
        np.testing.assert_array_equal(samples(data, "tiff"), rows)
        again = opened(data).getexif()
        assert (again[ExifTags.Base.Make], again[ExifTags.Base.Copyright]) == (
            "Ma",
            "A. Photographer",
        )
        seen = again.get_ifd(ExifTags.IFD.Exif)
        assert seen == details
        place = again.get_ifd(ExifTags.IFD.GPSInfo)
        assert place[ExifTags.GPS.GPSLatitude] == (47.0, 8.0, 30.5)

    def test_later_pages_stay(self) -> None:
        """The new first directory leads on to the second."""
        pages = [noise(20, 10, 3) // (place + 1) for place in range(3)]
        target = io.BytesIO()
        layout = picture_of(pages[0]).layout
        with Encoder(
            target, format="tiff", layout=layout, metadata=with_exif(), frames=3
        ) as encoder:
            for page in pages:
                encoder.write(page)
        assert opened(target.getvalue()).getexif()[ExifTags.Base.Make] == "Maker"
        for place, page in enumerate(pages):
            seen = libvips().Image.tiffload_buffer(target.getvalue(), page=place).numpy()
            np.testing.assert_array_equal(seen, page)
