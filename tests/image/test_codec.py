"""Files become upright pictures and come back with their samples, profile, density and EXIF."""

from __future__ import annotations

import errno
import io
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from upres.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture
from upres.image.codec import Decoder, Limits, encode
from upres.image.formats import FORMATS
from upres.image.picture import Metadata, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Format, Samples

SRGB: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(
    height: int, width: int, planes: int, dtype: type[np.uint8 | np.uint16] = np.uint8
) -> NDArray[Samples]:
    """Return random samples (height, width, planes)."""
    limit = int(np.iinfo(dtype).max)
    return np.random.default_rng(planes).integers(
        0, limit, (height, width, planes), dtype, endpoint=True
    )


def saved(image: Image.Image, kind: Format, **options: Any) -> bytes:
    """Return the bytes that Pillow writes."""
    target = io.BytesIO()
    image.save(target, kind.upper(), **options)
    return target.getvalue()


def encoded(picture: Picture, kind: Format, **options: Any) -> bytes:
    """Return the bytes that upres writes."""
    target = io.BytesIO()
    encode(picture, target, format=kind, **options)
    return target.getvalue()


def opened(data: bytes) -> Image.Image:
    """Read a picture with Pillow."""
    return Image.open(io.BytesIO(data))


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header_chunk(width: int, height: int, *, bits: int, planes: int) -> bytes:
    """Return the start of a PNG file, up to its pixels."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[planes]
    ihdr = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr)


def png(samples: NDArray[Samples], *, extra: bytes = b"") -> bytes:
    """Write a PNG by hand: Pillow has no 16-bit colour. `extra` holds chunks before the pixels."""
    height, width, planes = samples.shape
    bits = 8 * samples.dtype.itemsize
    rows = samples.astype(f">u{samples.dtype.itemsize}").reshape(height, -1)
    pixels = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in rows))
    start = header_chunk(width, height, bits=bits, planes=planes)
    return start + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def layers(picture: Picture) -> NDArray[Samples]:
    """Return colour and alpha as one array."""
    if picture.alpha is None:
        return picture.pixels
    return np.dstack([picture.pixels, picture.alpha])


class TestSamples:
    """Every kind of PNG, JPEG and WebP becomes gray or RGB of 8 or 16 bits, alpha apart."""

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("planes", [1, 2, 3, 4])
    def test_png_round_trips_exactly(self, planes: int, dtype: type[np.uint8 | np.uint16]) -> None:
        """Gray and colour, with and without alpha, 8 and 16 bits; the header knew all of it."""
        samples = noise(5, 7, planes, dtype)
        decoder = Decoder(png(samples))
        header = decoder.header
        assert (header.format, header.width, header.height) == ("png", 7, 5)
        assert (header.gray, header.alpha) == (planes < 3, planes in (2, 4))
        assert header.bits == 8 * samples.dtype.itemsize
        picture = decoder.picture()
        np.testing.assert_array_equal(layers(picture), samples)
        again = Decoder(encoded(picture, "png"))
        assert again.header == header
        np.testing.assert_array_equal(layers(again.picture()), samples)

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
    def test_what_pillow_writes_is_what_is_read(self, mode: str) -> None:
        """Palettes are looked up, single bits are black and white."""
        image = Image.fromarray(noise(9, 11, 4)).convert("RGB").convert(mode)
        if mode.endswith("A"):
            image.putalpha(Image.fromarray(noise(9, 11, 1)[..., 0]))
        picture = Decoder(saved(image, "png")).picture()
        plain = {"P": "RGB", "1": "L"}.get(mode, mode)
        expected = np.asarray(image.convert(plain)).reshape(9, 11, -1)
        np.testing.assert_array_equal(layers(picture), expected)
        back = np.asarray(opened(encoded(picture, "png"))).reshape(9, 11, -1)
        np.testing.assert_array_equal(back, expected)

    @pytest.mark.parametrize("colours", [2, 4, 16, 200])
    def test_palettes_of_every_depth(self, colours: int) -> None:
        """One, two, four and eight bits a pixel; one entry of the palette may be clear."""
        image = Image.fromarray(noise(20, 20, 3)).quantize(colours)
        bits = {2: 1, 4: 2, 16: 4, 200: 8}[colours]
        decoder = Decoder(saved(image, "png", bits=bits, transparency=1))
        assert (decoder.header.alpha, decoder.header.gray, decoder.header.bits) == (True, False, 8)
        picture = decoder.picture()
        np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha == 0, np.asarray(image) == 1)

    def test_16_bit_gray_of_another_writer(self) -> None:
        """All 16 bits arrive, and go back."""
        samples = noise(6, 8, 1, np.uint16)
        picture = Decoder(saved(Image.fromarray(samples[..., 0]), "png")).picture()
        np.testing.assert_array_equal(picture.pixels, samples)
        back = np.asarray(opened(encoded(picture, "png")))
        np.testing.assert_array_equal(back, samples[..., 0])

    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    def test_lossless_webp_is_read_exactly(self, mode: str) -> None:
        """With and without alpha."""
        samples = noise(10, 12, len(mode))
        image = Image.fromarray(samples)
        picture = Decoder(saved(image, "webp", lossless=True, exact=True)).picture()
        np.testing.assert_array_equal(layers(picture), samples)

    @pytest.mark.parametrize("kind", ["jpeg", "webp"])
    @pytest.mark.parametrize("gray", [False, True])
    def test_lossy_formats_stay_near(self, kind: Format, *, gray: bool) -> None:
        """A smooth picture keeps its colours within a few levels; JPEG keeps gray gray."""
        ramp = np.linspace(0, 255, 64, dtype=np.uint8)
        pixels = np.stack(np.broadcast_arrays(ramp, ramp[:, np.newaxis], ramp[::-1]), axis=2)
        picture = Picture(pixels=pixels[..., :1] if gray else pixels)
        decoder = Decoder(encoded(picture, kind))
        if kind == "jpeg":
            assert decoder.header.gray == gray
        difference = decoder.picture().pixels.astype(int) - picture.pixels
        assert np.abs(difference).mean() < 2

    def test_quality_is_passed_on(self) -> None:
        """Less of it makes a smaller file."""
        picture = Picture(pixels=noise(64, 64, 3))
        for kind in ("jpeg", "webp"):
            sizes = [len(encoded(picture, kind, quality=quality)) for quality in (10, 95)]
            assert sizes[0] < sizes[1] / 2

    def test_cmyk_jpeg_comes_out_as_rgb(self) -> None:
        """Inks are turned into the colours they print, not read as three of four planes."""
        inks = {
            (0, 0, 0, 0): (255, 255, 255),
            (0, 0, 0, 255): (35, 31, 32),
            (0, 255, 255, 0): (237, 28, 36),
            (255, 0, 255, 0): (0, 166, 81),
            (255, 255, 0, 0): (46, 49, 146),
            (0, 0, 255, 0): (255, 242, 0),
        }
        image = Image.new("CMYK", (16 * len(inks), 16))
        for place, ink in enumerate(inks):
            image.paste(ink, (16 * place, 0, 16 * place + 16, 16))
        decoder = Decoder(saved(image, "jpeg", quality=95))
        assert (decoder.header.gray, decoder.header.alpha) == (False, False)
        picture = decoder.picture()
        assert picture.pixels.shape == (16, 16 * len(inks), 3)
        seen = picture.pixels[8, 8::16].astype(int)
        assert np.abs(seen - np.array(list(inks.values()))).max() < 40
        assert picture.metadata.icc is None

    def test_transparency_is_laid_over_white_in_jpeg(self) -> None:
        """JPEG holds none: clear becomes white, half clear half white."""
        pixels = np.zeros((8, 48, 3), np.uint8)
        alpha = np.repeat(np.array([0, 128, 255], np.uint8), 16)[np.newaxis].repeat(8, axis=0)
        decoder = Decoder(encoded(Picture(pixels=pixels, alpha=alpha), "jpeg"))
        assert not decoder.header.alpha
        seen = decoder.picture().pixels[4, 8::16, 0].astype(int)
        assert np.abs(seen - [255, 127, 0]).max() <= 2

    @pytest.mark.parametrize("kind", ["jpeg", "webp"])
    @pytest.mark.parametrize("planes", [1, 3])
    def test_16_bits_are_rounded_where_a_format_has_8(self, kind: Format, planes: int) -> None:
        """65535 is 255, and 257 levels make one; gray JPEG of the best quality shows it exactly."""
        tolerance = 0 if (kind, planes) == ("jpeg", 1) else 2
        for wide, narrow in ((65535, 255), (0, 0), (100 * 257 + 128, 100), (100 * 257 + 129, 101)):
            picture = Picture(pixels=np.full((16, 16, planes), wide, np.uint16))
            decoder = Decoder(encoded(picture, kind, quality=100))
            assert decoder.header.bits == 8
            assert np.abs(decoder.picture().pixels.astype(int) - narrow).max() <= tolerance


class TestOrientation:
    """The camera's turn is spent at decoding: pictures are upright inside and in every result."""

    TURNS = (
        None,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_270,
    )
    """What a camera held in way 1 to 8 does to an upright scene."""

    @staticmethod
    def turned(upright: Image.Image, orientation: int, kind: Format) -> bytes:
        """Return the file of a camera held in one of the eight ways."""
        turn = TestOrientation.TURNS[orientation - 1]
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        exif[ExifTags.Base.Make] = "Maker"
        options: dict[str, dict[str, Any]] = {
            "jpeg": {"quality": 100, "subsampling": 0},
            "webp": {"lossless": True},
        }
        image = upright if turn is None else upright.transpose(turn)
        return saved(image, kind, exif=exif, **options.get(kind, {}))

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_pictures_are_upright(self, orientation: int, kind: Format) -> None:
        """All eight give the scene as it was, and the header has its upright size."""
        scene = noise(6, 10, 3)
        decoder = Decoder(self.turned(Image.fromarray(scene), orientation, kind))
        assert (decoder.header.width, decoder.header.height) == (10, 6)
        difference = np.abs(decoder.picture().pixels.astype(int) - scene)
        assert difference.max() <= (8 if kind == "jpeg" else 0)

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_results_are_not_turned_again(self, orientation: int, kind: Format) -> None:
        """A viewer that obeys EXIF shows the written file upright too."""
        scene = Image.fromarray(noise(6, 10, 3))
        picture = Decoder(self.turned(scene, orientation, "png")).picture()
        data = encoded(picture, kind)
        exif = opened(data).getexif()
        assert exif[ExifTags.Base.Make] == "Maker"
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        again = Decoder(data).header
        assert (again.width, again.height) == (10, 6)


class TestMetadata:
    """Profile, density and EXIF travel with the pixels."""

    @pytest.mark.parametrize("into", FORMATS)
    @pytest.mark.parametrize("kind", FORMATS)
    def test_the_icc_profile_is_kept_byte_for_byte(self, kind: Format, into: Format) -> None:
        """From any format into any."""
        image = Image.fromarray(noise(8, 8, 3))
        picture = Decoder(saved(image, kind, icc_profile=SRGB)).picture()
        assert picture.metadata.icc == SRGB
        assert opened(encoded(picture, into)).info["icc_profile"] == SRGB

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize(
        "profile",
        [SRGB + b"\x00", SRGB[:-4], b"\x00" * 200, b"no profile"],
        ids=["padded", "cut", "zeros", "text"],
    )
    def test_a_damaged_profile_does_not_stop_a_picture(self, profile: bytes, kind: Format) -> None:
        """Cameras and programs write such; the pixels matter more."""
        source = saved(Image.fromarray(noise(8, 8, 3)), "jpeg", icc_profile=profile)
        picture = Decoder(source).picture()
        again = Decoder(encoded(picture, kind)).picture()
        assert again.pixels.shape == (8, 8, 3)

    def test_a_warning_in_latin_1_disturbs_nobody(self) -> None:
        """PNG names profiles in Latin-1; libvips quotes such a name when it warns of one."""
        profile = chunk(b"iCCP", b"Farbr\xe4ume\x00\x00" + zlib.compress(b"\x09" + SRGB[1:]))
        samples = noise(4, 4, 3)
        picture = Decoder(png(samples, extra=profile)).picture()
        np.testing.assert_array_equal(picture.pixels, samples)

    @pytest.mark.parametrize("into", ["png", "jpeg"])
    @pytest.mark.parametrize("kind", ["png", "jpeg"])
    def test_density_is_kept(self, kind: Format, into: Format) -> None:
        """Horizontal and vertical apart: 300 and 150 dots per inch."""
        source = saved(Image.fromarray(noise(8, 8, 3)), kind, dpi=(300, 150))
        picture = Decoder(source).picture()
        expected = (300 / 25.4, 150 / 25.4)
        assert picture.metadata.pixels_per_mm == pytest.approx(expected, abs=0.001)
        again = Decoder(encoded(picture, into)).picture()
        assert again.metadata.pixels_per_mm == pytest.approx(expected, abs=0.002)

    def test_no_density_is_made_up(self) -> None:
        """WebP has none of its own."""
        picture = Decoder(saved(Image.fromarray(noise(8, 8, 3)), "webp")).picture()
        assert picture.metadata == Metadata()

    @staticmethod
    def with_exif() -> Picture:
        """Decode a JPEG that says who, when and where."""
        exif = Image.Exif()
        exif[ExifTags.Base.Make] = "Maker"
        exif[ExifTags.Base.Copyright] = "A. Photographer"
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:11:22 10:11:12"
        exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
        exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (47.0, 8.0, 30.0)
        image = Image.fromarray(noise(8, 8, 3))
        source = saved(image, "jpeg", exif=exif, icc_profile=SRGB, dpi=(300, 300), xmp=b"<x/>")
        return Decoder(source).picture()

    @pytest.mark.parametrize("kind", FORMATS)
    def test_exif_is_kept(self, kind: Format) -> None:
        """Maker, owner, time and place."""
        exif = opened(encoded(self.with_exif(), kind)).getexif()
        assert exif[ExifTags.Base.Make] == "Maker"
        assert exif[ExifTags.Base.Copyright] == "A. Photographer"
        details = exif.get_ifd(ExifTags.IFD.Exif)
        assert details[ExifTags.Base.DateTimeOriginal] == "2026:11:22 10:11:12"
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert place[ExifTags.GPS.GPSLatitude] == (47.0, 8.0, 30.0)

    @pytest.mark.parametrize("kind", FORMATS)
    def test_stripped_drops_what_tells_of_people(self, kind: Format) -> None:
        """Maker, owner, time, place and XMP go; profile and density stay."""
        picture = self.with_exif()
        bare = Picture(pixels=picture.pixels, metadata=picture.metadata.stripped())
        data = encoded(bare, kind)
        for word in (b"Maker", b"Photographer", b"2026:11:22"):
            assert word in encoded(picture, kind)
            assert word not in data
        assert "xmp-data" in Decoder(encoded(picture, kind)).picture().metadata.fields
        assert "xmp-data" not in Decoder(data).picture().metadata.fields
        image = opened(data)
        assert ExifTags.IFD.GPSInfo not in image.getexif()
        assert image.info["icc_profile"] == SRGB
        if kind != "webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.05)


class TestLimits:
    """What a picture may cost is known from its header, before any pixel."""

    @staticmethod
    def check(width: int, height: int) -> None:
        """Offer a PNG that claims a size; its pixels are not there to be read."""
        data = header_chunk(width, height, bits=8, planes=3) + chunk(b"IDAT", b"x")
        decoder = Decoder(data, name="photo.png")
        assert (decoder.header.width, decoder.header.height) == (width, height)
        Limits().check_input(decoder.header, name="photo.png")

    def test_ordinary_sizes_pass(self) -> None:
        """From two pixels a side to a hundred million in all."""
        self.check(2, 2)
        self.check(10_000, 10_000)

    @pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_001, 10_000)])
    def test_a_decompression_bomb_is_refused(self, width: int, height: int) -> None:
        """The text has the picture's pixels and the limit."""
        with pytest.raises(PictureTooLarge, match=f"{width * height} pixels.* 100000000"):
            self.check(width, height)

    @pytest.mark.parametrize(("width", "height"), [(1, 1), (65_535, 1), (1, 65_535), (1, 2)])
    def test_single_rows_and_columns_are_refused(self, width: int, height: int) -> None:
        """There is nothing in them to enlarge."""
        with pytest.raises(UnsupportedPicture, match=f"{width}x{height}; both sides must be 2"):
            self.check(width, height)

    def test_results_have_a_limit_too(self) -> None:
        """The text has the result's size."""
        Limits().check_output(width=20_000, height=20_000, name="photo.png")
        with pytest.raises(PictureTooLarge, match="result of 20000x20001 would have 400020000"):
            Limits().check_output(width=20_000, height=20_001, name="photo.png")

    def test_animations_are_refused(self) -> None:
        """Silently taking the first frame would lose the others."""
        frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
        data = saved(frames[0], "webp", save_all=True, append_images=frames[1:])
        decoder = Decoder(data, name="clip.webp")
        assert decoder.header.frames == 3
        with pytest.raises(UnsupportedPicture, match=r"clip.webp .* animated \(3 frames\)"):
            Limits().check_input(decoder.header, name="clip.webp")

    @pytest.mark.skipif(sys.platform == "win32", reason="measured with resource")
    def test_a_bombs_header_costs_no_memory(self) -> None:
        """Reading that it is 60,000 x 60,000 takes less than 20 MB; its pixels are 10.8 GB."""
        data = header_chunk(60_000, 60_000, bits=8, planes=3) + chunk(b"IDAT", b"x")
        program = (
            "import resource, sys\n"
            "from upres.image.codec import Decoder\n"
            "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"Decoder(bytes.fromhex({encoded(Picture(pixels=noise(4, 4, 3)), 'png').hex()!r}))\n"
            "before = peak()\n"
            f"assert Decoder(bytes.fromhex({data.hex()!r})).header.pixels == 3_600_000_000\n"
            "print((peak() - before) // (1024 if sys.platform == 'darwin' else 1))\n"
        )
        child = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        )
        assert int(child.stdout) < 20_000


class TestWriting:
    """What a target does with the bytes is the target's business."""

    @pytest.mark.parametrize("kind", FORMATS)
    def test_a_target_that_fails_is_heard(self, kind: Format) -> None:
        """Its own error comes through, so that callers can tell a full disk from the rest."""

        class Full(io.BytesIO):
            def write(self, data: Any, /) -> int:
                raise OSError(errno.ENOSPC, f"no room for {len(data)} bytes")

        with pytest.raises(OSError, match="no room for") as caught:
            encode(Picture(pixels=noise(64, 64, 3)), Full(), format=kind)
        assert caught.value.errno == errno.ENOSPC

    @pytest.mark.parametrize("kind", FORMATS)
    def test_a_target_that_takes_little_at_a_time_gets_it_all(self, kind: Format) -> None:
        """As a pipe without a buffer may."""

        class Narrow(io.BytesIO):
            def write(self, data: Any, /) -> int:
                return super().write(bytes(data[:1000]))

        picture = Picture(pixels=noise(64, 64, 3))
        target = Narrow()
        encode(picture, target, format=kind)
        assert target.getvalue() == encoded(picture, kind)


class TestDecoderErrors:
    """Input that holds no picture is told apart from one of a kind that is not taken."""

    def test_nothing_at_all(self) -> None:
        """Zero bytes are an empty file."""
        with pytest.raises(UnreadablePicture, match=r"cannot read a\.png: it is empty"):
            Decoder(b"", name="a.png")

    @pytest.mark.parametrize("data", [b"hello\n", b"\x00" * 1000, "很长的文字".encode() * 50])
    def test_text_and_zeros(self, data: bytes) -> None:
        """The name of the file and what is read are in the text."""
        with pytest.raises(UnsupportedPicture, match=r"a\.png is not supported.*PNG, JPEG, WEBP"):
            Decoder(data, name="a.png")
