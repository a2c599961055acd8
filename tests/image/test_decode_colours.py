"""Samples of unusual kinds come out as the colours they mean, or are refused by name."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import SRGB, chunk, noise, png, saved, scene, tiff
from PIL import Image

from upres.errors import UnsupportedPicture
from upres.image.decode import Decoder
from upres.image.vips import libvips

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

INKS = {
    (0, 0, 0, 0): (255, 255, 255),
    (0, 0, 0, 255): (35, 31, 32),
    (0, 255, 255, 0): (237, 28, 36),
    (255, 0, 255, 0): (0, 166, 81),
    (255, 255, 0, 0): (46, 49, 146),
    (0, 0, 255, 0): (255, 242, 0),
    (255, 255, 255, 255): (0, 0, 0),
}


def vips_image(samples: NDArray[Any], kind: str, form: str) -> Any:
    """Return samples as a libvips image."""
    height, width, planes = samples.shape
    image = libvips().Image.new_from_memory(samples.tobytes(), width, height, planes, form)
    return image.copy(interpretation=kind)


class TestCmyk:
    """Inks are turned into the colours they print."""

    @staticmethod
    def check(data: bytes, *, bits: int = 8) -> None:
        """Compare what a file of the inks shows with what they print."""
        decoder = Decoder(data)
        layout = decoder.header.layout
        assert (layout.gray, layout.alpha, layout.bits) == (False, False, bits)
        seen = decoder.picture().pixels[8, 8::16].astype(int) // (257 if bits == 16 else 1)
        assert np.abs(seen - np.array(list(INKS.values()))).max() < 50
        assert seen[0].tolist() == [255, 255, 255]
        assert seen[-1].max() <= 2
        assert decoder.metadata.icc is None

    @staticmethod
    def inks(dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
        """Return squares of the inks."""
        row = np.array(list(INKS), np.uint16) * (257 if dtype == np.uint16 else 1)
        return np.repeat(np.repeat(row[np.newaxis].astype(dtype), 16, 0), 16, 1)

    @pytest.mark.parametrize("profile", [None, b"\x00" * 200, SRGB], ids=["none", "bad", "rgb"])
    def test_jpeg(self, profile: bytes | None) -> None:
        """White is white and black is black, with no profile or one that is of no use."""
        image = Image.fromarray(self.inks(), "CMYK")
        options = {} if profile is None else {"icc_profile": profile}
        self.check(saved(image, "jpeg", quality=100, **options))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_tiff(self, dtype: type[np.uint8 | np.uint16]) -> None:
        """8 and 16 bits; the bits stay."""
        bits = 8 * np.dtype(dtype).itemsize
        self.check(tiff([self.inks(dtype)], photometric=5), bits=bits)

    def test_alpha_multiplied_into_inks_is_refused(self) -> None:
        """Such inks are divided wrongly by libvips."""
        inks = np.dstack([self.inks(), noise(16, 16 * len(INKS), 1)])
        with pytest.raises(UnsupportedPicture, match="multiplied into the inks"):
            Decoder(tiff([inks], photometric=5, tags={338: 1}))

    def test_alpha_beside_the_inks(self) -> None:
        """It stays what it is."""
        inks = np.dstack([self.inks(), noise(16, 16 * len(INKS), 1)])
        rows = Decoder(tiff([inks], photometric=5, tags={338: 2})).picture()
        np.testing.assert_array_equal(rows.alpha, inks[..., 4])


class TestSixteenBits:
    """All 16 bits arrive, and white is white."""

    @pytest.mark.parametrize("bits", [10, 12])
    def test_avif_fills_the_range(self, bits: int) -> None:
        """0 is 0, the highest value 65535, a ramp keeps its levels and its order."""
        ramp = np.linspace(0, 65535, 1 << bits).round().astype(np.uint16)
        samples = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (16, 1 << bits, 3)))
        image = vips_image(samples, "rgb16", "ushort")
        data = image.heifsave_buffer(
            compression="av1", bitdepth=bits, lossless=True, subsample_mode="off"
        )
        decoder = Decoder(data)
        assert decoder.header.layout.bits == 16
        row = decoder.picture().pixels[5, :, 0].astype(int)
        assert (row[0], row[-1]) == (0, 65535)
        assert (np.diff(row) >= 0).all()
        assert np.abs(row - ramp).max() <= 65536 >> bits
        assert len(np.unique(row)) > 0.9 * (1 << bits)

    def test_gray_avif_stays_gray(self) -> None:
        """With and without alpha; libvips delivers three planes."""
        picture = scene(64, 64)
        for planes in (1, 2):
            data = saved(picture[..., :planes], "avif", quality=95, subsampling="4:0:0")
            layout = Decoder(data).header.layout
            assert (layout.gray, layout.alpha) == (True, planes == 2)
            rows = Decoder(data).picture().rows().astype(int)
            assert np.abs(rows - picture[..., :planes]).max() <= 4


class TestTiffSamples:
    """Alpha in its three ways, L*a*b*, floating point, and what is refused."""

    @given(colour=st.integers(0, 255), alpha=st.integers(1, 255), wide=st.booleans())
    def test_associated_alpha_is_divided_out(self, colour: int, alpha: int, *, wide: bool) -> None:
        """As near as the stored samples tell; unassociated alpha is left alone."""
        top = 257 if wide else 1
        stored = np.array([colour * alpha // 255, 0, 0, alpha], np.uint16) * top
        samples = np.tile(stored.astype(np.uint16 if wide else np.uint8), (4, 4, 1))
        rows = Decoder(tiff([samples], tags={338: 1})).picture().rows() / top
        assert rows[2, 2, 3] == alpha
        assert abs(rows[2, 2, 0] - colour) <= math.ceil(255 / alpha)
        for kind in (0, 2):
            straight = Decoder(tiff([samples], tags={338: kind})).picture().rows()
            np.testing.assert_array_equal(straight, samples)

    @pytest.mark.parametrize("kind", ["lab", "labs"])
    def test_lab_becomes_16_bit_srgb(self, kind: str) -> None:
        """16-bit integers and floating point; black stays black."""
        expected = scene(40, 50)
        data = vips_image(expected, "srgb", "uchar").colourspace(kind).tiffsave_buffer()
        picture = Decoder(data).picture()
        assert picture.sample_max == 65535
        assert np.abs(picture.pixels / 257 - expected).max() < 0.1

    def test_8_bit_lab_is_refused(self) -> None:
        """Libvips cannot read it."""
        with pytest.raises(UnsupportedPicture, match=r"8-bit L\*a\*b\*"):
            Decoder(tiff([noise(8, 8, 3)], photometric=8))

    def test_floating_point_is_linear_light(self) -> None:
        """By the formula of sRGB; alpha is linear."""
        linear = np.linspace(0, 1, 64, dtype=np.float32)
        samples = np.ascontiguousarray(np.broadcast_to(linear[None, :, None], (8, 64, 4)))
        decoder = Decoder(tiff([samples], format=3, tags={338: 2}))
        rows = decoder.picture().rows()[3] / 65535
        expected = [v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
        np.testing.assert_allclose(rows[:, 0], expected, atol=2e-5)
        np.testing.assert_allclose(rows[:, 3], linear, atol=2e-5)
        assert decoder.warnings == []

    def test_high_dynamic_range_is_cut_and_said(self) -> None:
        """Values beyond white, and none."""
        samples = np.array([-1, 0.5, 7, np.nan], np.float32).repeat(3).reshape(1, 4, 3).repeat(2, 0)
        decoder = Decoder(tiff([samples], format=3))
        row = decoder.picture().pixels[0, :, 0]
        assert (row[0], row[2], row[3]) == (0, 65535, 0)
        assert any("outside 0..1" in warning for warning in decoder.warnings)

    @pytest.mark.parametrize(
        ("dtype", "kind", "word"),
        [
            (np.int8, 2, "8-bit integers with a sign"),
            (np.int16, 2, "16-bit integers with a sign"),
            (np.uint32, 1, "32-bit integers"),
            (np.int32, 2, "32-bit integers"),
            (np.float64, 3, "samples of 64 bits"),
        ],
    )
    @pytest.mark.parametrize("planes", [1, 3])
    def test_other_samples_are_refused(
        self, planes: int, dtype: type[Any], kind: int, word: str
    ) -> None:
        """By name."""
        photometric = 2 if planes == 3 else 1
        data = tiff([np.ones((4, 4, planes), dtype)], photometric=photometric, format=kind)
        with pytest.raises(UnsupportedPicture, match=word):
            Decoder(data)

    def test_floating_point_gray_is_refused(self) -> None:
        """Heights, temperatures: nobody says what is white."""
        data = tiff([np.ones((4, 4, 1), np.float32)], photometric=1, format=3)
        with pytest.raises(UnsupportedPicture, match="floating-point numbers"):
            Decoder(data)

    @pytest.mark.parametrize("planes", [5, 7])
    def test_many_channels_are_refused(self, planes: int) -> None:
        """A satellite's."""
        data = tiff([noise(4, 4, planes)], tags={338: (0,) * (planes - 3)})
        with pytest.raises(UnsupportedPicture, match=f"{planes} channels"):
            Decoder(data)

    def test_bigtiff(self) -> None:
        """With offsets of 64 bits."""
        samples = noise(9, 8, 4)
        data = tiff([samples], tags={338: 2}, big=True)
        np.testing.assert_array_equal(Decoder(data).picture().rows(), samples)

    @pytest.mark.parametrize("name", ["rgb32f_bw", "rgb32f_color"])
    def test_files_of_image_rs(self, shared: Path, name: str) -> None:
        """Floating point; the coloured one has values below black."""
        decoder = Decoder((shared / "awkward" / "image-rs" / f"{name}.tiff").read_bytes())
        picture = decoder.picture()
        assert picture.pixels.shape == (32, 32, 3)
        assert bool(decoder.warnings) == (name == "rgb32f_color")


class TestNamedProfiles:
    """Files that name their colours' profile instead of holding it."""

    @staticmethod
    def png(primaries: int, transfer: int) -> bytes:
        """Return a PNG with these code points."""
        body = struct.pack("BBBB", primaries, transfer, 0, 1)
        return png(noise(4, 4, 3), before=chunk(b"cICP", body))

    @staticmethod
    def avif(primaries: int, transfer: int) -> bytes:
        """Return an AVIF with these code points."""
        data = bytearray(saved(scene(32, 32), "avif"))
        at = data.index(b"colrnclx") + 8
        data[at : at + 4] = struct.pack(">HH", primaries, transfer)
        return bytes(data)

    @pytest.mark.parametrize("make", [png, avif])
    def test_srgb_needs_none(self, make: Any) -> None:
        """Nor does what viewers take for it."""
        for points in ((1, 13), (1, 1), (2, 2)):
            assert Decoder(make(*points)).metadata.icc is None

    @pytest.mark.parametrize("make", [png, avif])
    def test_display_p3_gets_its_profile(self, make: Any) -> None:
        """So that the colours stay as vivid as they are."""
        icc = Decoder(make(12, 13)).metadata.icc
        assert icc is not None
        assert icc[36:40] == b"acsp"

    @pytest.mark.parametrize("make", [png, avif])
    @pytest.mark.parametrize(
        ("points", "word"),
        [((9, 16), r"high dynamic range \(PQ\)"), ((9, 18), "HLG"), ((9, 14), "primaries 9")],
    )
    def test_what_would_come_out_wrong_is_refused(
        self, points: tuple[int, int], word: str, make: Any
    ) -> None:
        """High dynamic range, and primaries without a profile at hand."""
        with pytest.raises(UnsupportedPicture, match=word):
            Decoder(make(*points))


class TestProfiles:
    """A profile travels if it is one, and one for such samples."""

    @pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "avif", "tiff"])
    def test_it_is_kept_byte_for_byte(self, kind: str) -> None:
        """From any format that has one."""
        assert Decoder(saved(noise(8, 8, 3), kind, icc_profile=SRGB)).metadata.icc == SRGB

    @pytest.mark.parametrize(
        "profile",
        [SRGB + b"\x00", SRGB[:-4], b"\x00" * 200, b"no profile"],
        ids=["padded", "cut", "zeros", "text"],
    )
    def test_a_damaged_one_does_not_stop_a_picture(self, profile: bytes) -> None:
        """Cameras and programs write such; the pixels matter more."""
        decoder = Decoder(saved(noise(8, 8, 3), "jpeg", icc_profile=profile))
        assert decoder.picture().pixels.shape == (8, 8, 3)
        assert decoder.metadata.icc == (SRGB if profile.startswith(SRGB) else None)

    def test_one_for_other_samples_is_left_out(self) -> None:
        """An RGB profile beside gray samples, and it is said."""
        decoder = Decoder(saved(noise(8, 8, 1), "jpeg", icc_profile=SRGB))
        assert decoder.metadata.icc is None
        assert any("profile" in warning for warning in decoder.warnings)
