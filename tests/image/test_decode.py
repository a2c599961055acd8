"""Every kind of still picture becomes upright gray or RGB of 8 or 16 bits, alpha beside it."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import SRGB, chunk, noise, png, saved, scene, several
from PIL import ExifTags, Image

from upres.errors import UnreadablePicture, UnsupportedPicture
from upres.image.decode import Decoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Samples


def whole(data: bytes) -> NDArray[Samples]:
    """Decode through the bands, as callers do, and hold them to the header."""
    decoder = Decoder(data)
    layout = decoder.header.layout
    bands = list(decoder.rows())
    for band in bands:
        assert band.shape[1:] == (layout.width, layout.planes)
        assert band.dtype == layout.dtype
        assert len(band) <= 256
    rows = np.concatenate(bands)
    assert len(rows) == layout.height
    np.testing.assert_array_equal(Decoder(data).picture().rows(), rows)
    return rows


class TestPng:
    """PNG is exact."""

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("planes", [1, 2, 3, 4])
    def test_all_samples_arrive(self, planes: int, dtype: type[np.uint8 | np.uint16]) -> None:
        """Gray and colour, with and without alpha, 8 and 16 bits; the header knew all of it."""
        samples = noise(5, 7, planes, dtype)
        header = Decoder(png(samples)).header
        assert (header.format, header.width, header.height) == ("png", 7, 5)
        assert (header.layout.gray, header.layout.alpha) == (planes < 3, planes in (2, 4))
        assert header.layout.bits == 8 * samples.dtype.itemsize
        assert (header.frames, header.animation, header.pixels) == (1, None, 35)
        np.testing.assert_array_equal(whole(png(samples)), samples)

    @given(
        width=st.integers(2, 3000), height=st.integers(2, 600), planes=st.sampled_from([1, 3, 4])
    )
    def test_bands_make_up_the_picture(self, width: int, height: int, planes: int) -> None:
        """Whatever its size."""
        rows = np.arange(height, dtype=np.uint16)[:, None, None]
        samples = np.ascontiguousarray(
            np.broadcast_to(rows * 257 % 65521, (height, width, planes)), np.uint16
        )
        np.testing.assert_array_equal(whole(png(samples)), samples)

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
    def test_what_pillow_writes_is_what_is_read(self, mode: str) -> None:
        """Palettes are looked up, single bits are black and white."""
        image = Image.fromarray(noise(9, 11, 4)).convert("RGB").convert(mode)
        if mode.endswith("A"):
            image.putalpha(Image.fromarray(noise(9, 11, 1)[..., 0]))
        plain = {"P": "RGB", "1": "L"}.get(mode, mode)
        expected = np.asarray(image.convert(plain)).reshape(9, 11, -1)
        np.testing.assert_array_equal(whole(saved(image, "png")), expected)

    @pytest.mark.parametrize("colours", [2, 4, 16, 200])
    def test_palettes_of_every_depth(self, colours: int) -> None:
        """One, two, four and eight bits a pixel; one entry of the palette may be clear."""
        image = Image.fromarray(noise(20, 20, 3)).quantize(colours)
        bits = {2: 1, 4: 2, 16: 4, 200: 8}[colours]
        data = saved(image, "png", bits=bits, transparency=1)
        layout = Decoder(data).header.layout
        assert (layout.alpha, layout.gray, layout.bits) == (True, False, 8)
        rows = whole(data)
        np.testing.assert_array_equal(rows[..., :3], np.asarray(image.convert("RGB")))
        np.testing.assert_array_equal(rows[..., 3] == 0, np.asarray(image) == 1)

    def test_16_bit_gray_of_another_writer(self) -> None:
        """All 16 bits arrive."""
        samples = noise(6, 8, 1, np.uint16)
        np.testing.assert_array_equal(whole(saved(samples, "png")), samples)

    def test_animated_png_is_refused(self) -> None:
        """Taking the first frame would lose the others."""
        frames = [Image.fromarray(noise(9, 9, 3) // part) for part in (1, 2, 3)]
        with pytest.raises(UnsupportedPicture, match=r"a\.png .*animated PNG \(3 frames\)"):
            Decoder(several(frames, "png"), name="a.png")
        assert Decoder(several(frames[:1], "png")).header.frames == 1


class TestLossy:
    """JPEG, WebP and AVIF stay near, and lossless WebP is exact."""

    @pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}])
    def test_colours_stay_near(self, kind: str, options: dict[str, Any]) -> None:
        """A smooth picture keeps its colours within a few levels."""
        expected = scene(80, 72)
        rows = whole(saved(expected, kind, quality=95, **options))
        assert rows.shape == expected.shape
        assert np.abs(rows.astype(int) - expected).mean() < 2.5

    @pytest.mark.parametrize("options", [{}, {"progressive": True}])
    def test_gray_jpeg_stays_gray(self, options: dict[str, Any]) -> None:
        """One plane."""
        expected = scene(40, 48)[..., :1]
        data = saved(expected, "jpeg", quality=95, **options)
        assert Decoder(data).header.layout.gray
        assert np.abs(whole(data).astype(int) - expected).mean() < 2

    @pytest.mark.parametrize("planes", [3, 4])
    def test_lossless_webp_is_exact(self, planes: int) -> None:
        """With and without alpha."""
        samples = noise(10, 12, planes)
        data = saved(samples, "webp", lossless=True, exact=True)
        assert Decoder(data).header.layout.alpha == (planes == 4)
        np.testing.assert_array_equal(whole(data), samples)

    def test_avif_with_alpha(self) -> None:
        """Colours as they are beside alpha, also where the file has them multiplied."""
        samples = np.dstack([scene(32, 40), np.full((32, 40), 128, np.uint8)])
        for premultiplied in (False, True):
            data = saved(
                samples, "avif", quality=100, subsampling="4:4:4", alpha_premultiplied=premultiplied
            )
            assert Decoder(data).header.layout.alpha
            rows = whole(data).astype(int)
            assert np.abs(rows[..., 3] - 128).max() <= 2
            assert np.abs(rows[..., :3] - samples[..., :3]).max() <= 8

    def test_animated_avif_is_refused(self) -> None:
        """By its brand."""
        frames = [Image.fromarray(scene(32, 32) // part) for part in (1, 2)]
        with pytest.raises(UnsupportedPicture, match="animated AVIF"):
            Decoder(several(frames, "avif"))


class TestTiff:
    """TIFF in the compressions and kinds of samples that are about."""

    @pytest.mark.parametrize(
        "compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"]
    )
    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
    def test_compressions_are_exact(self, mode: str, compression: str) -> None:
        """Gray, colour, palette, alpha."""
        image = Image.fromarray(noise(30, 20, 4)).convert("RGB").convert(mode)
        if mode.endswith("A"):
            image.putalpha(Image.fromarray(noise(30, 20, 1)[..., 0]))
        expected = np.asarray(image.convert("RGB") if mode == "P" else image).reshape(30, 20, -1)
        try:
            data = saved(image, "tiff", compression=compression)
        except OSError:
            pytest.skip(f"Pillow writes no {compression} here")
        try:
            rows = whole(data)
        except UnreadablePicture:
            assert compression in ("zstd", "lzma")
            return
        np.testing.assert_array_equal(rows, expected)

    @pytest.mark.parametrize("compression", ["raw", "group3", "group4"])
    def test_black_and_white(self, compression: str) -> None:
        """One bit a pixel becomes gray of 8 bits."""
        image = Image.fromarray(scene(40, 50)).convert("1")
        data = saved(image, "tiff", compression=compression)
        assert Decoder(data).header.layout.gray
        np.testing.assert_array_equal(whole(data)[..., 0], np.asarray(image.convert("L")))

    @pytest.mark.parametrize("mode", ["1", "L"])
    def test_where_zero_is_white(self, mode: str) -> None:
        """Paper stays white."""
        image = Image.new("L", (20, 10), 255)
        image.paste(0, (0, 0, 10, 10))
        rows = whole(saved(image.convert(mode), "tiff", tiffinfo={262: 0}))
        assert (rows[:, :10] == 0).all()
        assert (rows[:, 10:] == 255).all()

    def test_jpeg_inside(self) -> None:
        """Stored as YCbCr, delivered as RGB."""
        expected = scene(64, 80)
        rows = whole(saved(expected, "tiff", compression="jpeg", quality=95))
        assert np.abs(rows.astype(int) - expected).mean() < 2.5

    def test_8_bit_gray_alpha_and_16_bits(self) -> None:
        """The header tells them apart."""
        data = saved(noise(8, 8, 1, np.uint16), "tiff")
        assert Decoder(data).header.layout.bits == 16
        np.testing.assert_array_equal(whole(data), noise(8, 8, 1, np.uint16))


class TestBmp:
    """BMP by Pillow's reader."""

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
    def test_what_is_written_is_read(self, mode: str) -> None:
        """Palette, gray and colour are exact; density is known."""
        image = Image.fromarray(noise(300, 37, 3)).convert(mode)
        data = saved(image, "bmp", dpi=(300, 150))
        plain = {"P": "RGB", "1": "L"}.get(mode, mode)
        expected = np.asarray(image.convert(plain)).reshape(300, 37, -1)
        np.testing.assert_array_equal(whole(data), expected)
        decoder = Decoder(data)
        assert decoder.header.format == "bmp"
        assert decoder.metadata.pixels_per_mm == pytest.approx((11.811, 5.906), abs=0.01)

    def test_alpha_and_profile(self) -> None:
        """A header of version 5 has a mask for alpha and may hold a profile."""
        samples = noise(4, 6, 4)
        pixels = samples[::-1, :, [2, 1, 0, 3]].tobytes()
        masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        info = struct.pack("<IiiHHIIiiII", 124, 6, 4, 1, 32, 3, len(pixels), 0, 0, 0, 0)
        profile = struct.pack("<IIII", 0, 124 + len(pixels), len(SRGB), 0)
        header = info + masks + b"DEBM" + bytes(48) + profile
        assert len(header) == 124
        start = b"BM" + struct.pack("<IHHI", 14 + 124 + len(pixels) + len(SRGB), 0, 0, 14 + 124)
        data = start + header + pixels + SRGB
        np.testing.assert_array_equal(whole(data), samples)
        assert Decoder(data).metadata.icc == SRGB


class TestOrientation:
    """The camera's turn is spent at decoding."""

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

    @pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "avif"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_pictures_are_upright(self, orientation: int, kind: str) -> None:
        """All eight give the scene as it was, and the header has its upright size."""
        upright = noise(300, 10, 3) if kind in ("png", "webp", "tiff") else scene(304, 16)
        turn = self.TURNS[orientation - 1]
        image = Image.fromarray(upright)
        image = image if turn is None else image.transpose(turn)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        options: dict[str, dict[str, Any]] = {
            "jpeg": {"quality": 100, "subsampling": 0, "exif": exif},
            "avif": {"quality": 100, "subsampling": "4:4:4", "exif": exif},
            "webp": {"lossless": True, "exif": exif},
            "tiff": {"tiffinfo": {274: orientation}},
        }
        rows = whole(saved(image, kind, **options.get(kind, {"exif": exif})))
        limit = 8 if kind in ("jpeg", "avif") else 0
        assert np.abs(rows.astype(int) - upright).max() <= limit


class TestErrors:
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

    def test_several_frames_are_not_read_as_one(self) -> None:
        """`rows` and `picture` are for pictures with one frame."""
        frames = [Image.fromarray(noise(9, 9, 3) // part) for part in (1, 2)]
        for call in (Decoder.picture, lambda decoder: list(decoder.rows())):
            with pytest.raises(UnsupportedPicture, match="2 frames, not one"):
                call(Decoder(several(frames, "gif")))

    def test_a_warning_in_latin_1_disturbs_nobody(self) -> None:
        """PNG names profiles in Latin-1; libvips quotes such a name when it warns of one."""
        profile = chunk(b"iCCP", b"Farbr\xe4ume\x00\x00" + zlib.compress(b"\x09" + SRGB[1:]))
        samples = noise(4, 4, 3)
        decoder = Decoder(png(samples, before=profile))
        np.testing.assert_array_equal(decoder.picture().pixels, samples)
        assert any("Farbr" in warning for warning in decoder.warnings)
