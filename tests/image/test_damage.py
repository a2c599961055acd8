"""Damaged files end in one of upres' own errors, or in a whole picture; never in anything else."""

from __future__ import annotations

import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import chunk, header_chunk, noise, png, saved, scene, several, tiff
from PIL import Image

from upres.errors import UnreadablePicture, UnsupportedPicture, UpresError
from upres.image.decode import Decoder
from upres.image.limits import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL = Limits(input_pixels=1_000_000)


def made(mode: str, kind: str, **options: Any) -> bytes:
    """Return a noisy picture as Pillow writes it, turned by EXIF."""
    exif = Image.Exif()
    exif[274] = 6
    exif[271] = "Maker"
    if kind not in ("tiff", "gif", "bmp"):
        options["exif"] = exif
    return saved(Image.fromarray(noise(40, 32, 3)).convert(mode), kind, **options)


def moving(kind: str) -> bytes:
    """Return a noisy animation."""
    return several([Image.fromarray(noise(20, 24, 3) // part) for part in (1, 2, 3)], kind)


FILES = {
    "jpeg": made("RGB", "jpeg"),
    "progressive jpeg": made("RGB", "jpeg", progressive=True),
    "gray jpeg": made("L", "jpeg"),
    "cmyk jpeg": made("CMYK", "jpeg"),
    "png": made("RGB", "png"),
    "palette png": made("P", "png", transparency=3),
    "gray png with alpha": made("LA", "png"),
    "webp": made("RGB", "webp"),
    "lossless webp": made("RGB", "webp", lossless=True),
    "webp with alpha": made("RGBA", "webp"),
    "moving webp": moving("webp"),
    "avif": made("RGB", "avif"),
    "avif with alpha": made("RGBA", "avif"),
    "gif": made("P", "gif"),
    "moving gif": moving("gif"),
    "tiff": made("RGB", "tiff"),
    "lzw tiff": made("RGBA", "tiff", compression="tiff_lzw"),
    "deflate tiff": made("RGB", "tiff", compression="tiff_adobe_deflate"),
    "jpeg tiff": made("RGB", "tiff", compression="jpeg"),
    "fax tiff": made("1", "tiff", compression="group4"),
    "big tiff of pages": tiff([noise(9, 8, 3), noise(9, 8, 3)], big=True),
    "floating-point tiff": tiff([noise(9, 8, 3).astype(np.float32) / 255], format=3),
    "bmp": made("RGB", "bmp"),
    "palette bmp": made("P", "bmp"),
}


def decoded(data: bytes, *, name: str = "picture") -> list[NDArray[Any]]:
    """Decode as callers do, header, limits, pixels; hold the pixels to the header."""
    decoder = Decoder(data, name=name)
    header = decoder.header
    SMALL.check_input(header, name=name)
    frames = [np.concatenate(list(bands)) for bands in decoder.frames()]
    assert len(frames) == header.frames
    for rows in frames:
        assert rows.shape == (header.height, header.width, header.layout.planes)
        assert rows.dtype == header.layout.dtype
    assert all("\n" not in warning for warning in decoder.warnings)
    return frames


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_read(name: str) -> None:
    """What is cut and bent below is sound to begin with; nothing is said of it."""
    assert decoded(FILES[name])
    assert Decoder(FILES[name]).warnings == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8, 0.95])
def test_cut_files_are_unreadable(name: str, share: float) -> None:
    """No half picture is ever handed on as a whole one."""
    data = FILES[name]
    with pytest.raises(UnreadablePicture, match="cannot read picture: "):
        decoded(data[: int(len(data) * share)])


@pytest.mark.parametrize("name", FILES)
def test_cut_headers_are_no_pictures(name: str) -> None:
    """Every length up to 64 bytes."""
    for length in range(64):
        with pytest.raises((UnreadablePicture, UnsupportedPicture)):
            decoded(FILES[name][:length])


@pytest.mark.parametrize("name", FILES)
def test_what_follows_a_file_is_harmless(name: str) -> None:
    """Cameras append films and previews."""
    for garbage in (b"\x00" * 100, b"GARBAGE" * 100, FILES["jpeg"]):
        for whole, longer in zip(decoded(FILES[name]), decoded(FILES[name] + garbage), strict=True):
            np.testing.assert_array_equal(longer, whole)


@pytest.mark.parametrize("name", FILES)
def test_a_few_missing_bytes_are_noticed(name: str) -> None:
    """The end of a file may be padding, but never more than its end mark."""
    for missing in (2, 3, 5, 9, 20):
        try:
            rows = decoded(FILES[name][:-missing])
        except UnreadablePicture:
            continue
        for seen, whole in zip(rows, decoded(FILES[name]), strict=True):
            np.testing.assert_array_equal(seen, whole)


class TestChecksums:
    """PNG has one for each part, and one for its pixels."""

    def test_every_part_is_checked(self) -> None:
        """Of text, before and after the pixels, too."""
        text = chunk(b"tEXt", b"Title\x00photo")
        bent = text[:-1] + bytes([text[-1] ^ 1])
        decoded(png(noise(8, 8, 3), before=text, after=text))
        for place in ("before", "after"):
            with pytest.raises(UnreadablePicture, match="checksum of its tEXt part is wrong"):
                decoded(png(noise(8, 8, 3), **{place: bent}))

    @settings(max_examples=100)
    @given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def test_no_bit_turns_over_unnoticed(self, place: float, bit: int) -> None:
        """Anywhere behind the signature."""
        data = bytearray(FILES["png"])
        at = 8 + int(place * (len(data) - 8))
        data[at] ^= 1 << bit
        with pytest.raises((UnreadablePicture, UnsupportedPicture)):
            decoded(bytes(data))

    def test_pixels_that_are_too_few_or_too_many(self) -> None:
        """Too few are damage; too many are beside the picture, and it is said."""
        start = header_chunk(16, 16, bits=8, planes=3)
        rows = (b"\x00" + bytes(48)) * 16
        for pixels in (zlib.compress(rows[:-1]), zlib.compress(rows)[:-4]):
            with pytest.raises(UnreadablePicture):
                decoded(start + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
        decoder = Decoder(start + chunk(b"IDAT", zlib.compress(rows * 9)) + chunk(b"IEND", b""))
        assert decoder.picture().pixels.shape == (16, 16, 3)
        assert decoder.warnings == ["IDAT: Too much image data"]


class TestJpeg:
    """JPEG has no checksum; what its decoder notices is told apart from what is no loss."""

    SOUND = saved(scene(256, 320), "jpeg", quality=90)
    PROGRESSIVE = saved(scene(256, 320), "jpeg", quality=90, progressive=True)

    @pytest.mark.parametrize("whole", [SOUND, PROGRESSIVE], ids=["baseline", "progressive"])
    def test_stray_bytes_between_segments_are_harmless(self, whole: bytes) -> None:
        """The picture is the same, and the file's oddity is told."""
        expected = decoded(whole)[0]
        table = whole.index(b"\xff\xdb")
        odd = {
            whole[:20] + b"\x00\x01\x02" + whole[20:]: "3 stray bytes before its segment db",
            whole[:table] + b"\x00" + whole[table:]: "1 stray bytes before its segment db",
            whole.replace(b"JFIF\x00\x01", b"JFIF\x00\x05"): "JFIF 5",
            whole[:table] + b"\xff\xff" + whole[table:]: "",
        }
        for data, words in odd.items():
            decoder = Decoder(data)
            np.testing.assert_array_equal(decoder.picture().pixels, expected)
            assert any(words in warning for warning in decoder.warnings) or not words

    @pytest.mark.parametrize("whole", [SOUND, PROGRESSIVE], ids=["baseline", "progressive"])
    def test_stray_bytes_do_not_hide_damage(self, whole: bytes) -> None:
        """Libjpeg words its first warning only."""
        scan = whole.index(b"\xff\xda") + 500
        data = whole[:20] + b"\x00" + whole[20:scan] + b"\xff\xd9" + whole[scan:]
        with pytest.raises(UnreadablePicture, match="premature end of data"):
            decoded(data)

    @pytest.mark.parametrize("whole", [SOUND, PROGRESSIVE], ids=["baseline", "progressive"])
    def test_a_lost_end_is_noticed(self, whole: bytes) -> None:
        """With its end mark in place: the last rows are not there."""
        with pytest.raises(UnreadablePicture, match=r"premature end of data|extraneous"):
            decoded(whole[:-300] + whole[-2:])

    def test_a_restart_marker_too_many(self) -> None:
        """It cuts what is decoded."""
        scan = self.SOUND.index(b"\xff\xda") + 500
        with pytest.raises(UnreadablePicture):
            decoded(self.SOUND[:scan] + b"\xff\xd3" + self.SOUND[scan:])

    def test_endless_scans_end(self) -> None:
        """A progressive file may go over its picture again and again."""
        last = self.PROGRESSIVE.rindex(b"\xff\xda")
        data = self.PROGRESSIVE[:-2] + self.PROGRESSIVE[last:-2] * 5000 + b"\xff\xd9"
        started = time.monotonic()
        with pytest.raises(UnreadablePicture):
            decoded(data)
        assert time.monotonic() - started < 10


def test_gif_blocks_out_of_order() -> None:
    """Libvips would show the frames before them."""
    data = FILES["moving gif"]
    with pytest.raises(UnreadablePicture, match="after frame 3 comes"):
        decoded(data[:-1] + b"\x99" + data[-1:])


def test_packbits_that_run_over_are_damage() -> None:
    """Libtiff only warns of them."""
    data = tiff([noise(4, 8, 1)], photometric=1, tags={259: 32773})
    assert len(data) > 40
    with pytest.raises(UnreadablePicture):
        decoded(data)


def test_a_directory_that_points_outside() -> None:
    """Of a TIFF."""
    data = b"MM\x00*" + struct.pack(">I", 1 << 30)
    with pytest.raises(UnreadablePicture, match="list of pages"):
        decoded(data)


def test_threads_hear_their_own_warnings() -> None:
    """What one file's decoder says is not told of another, nor missed."""
    start = header_chunk(16, 16, bits=8, planes=3)
    pixels = zlib.compress((b"\x00" + bytes(48)) * 99)
    odd = start + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

    def warnings(data: bytes) -> list[str]:
        decoder = Decoder(data)
        decoder.picture()
        return decoder.warnings

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(warnings, [odd, png(noise(16, 16, 3))] * 100))
    assert said == [["IDAT: Too much image data"], []] * 100


@settings(max_examples=600)
@given(
    name=st.sampled_from(sorted(FILES)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    early=st.booleans(),
    cut=st.none() | st.floats(0, 1),
)
def test_bent_files_end_in_upres_errors(
    *, name: str, flips: list[tuple[float, int]], early: bool, cut: float | None
) -> None:
    """Bytes changed anywhere, or among the first 200, and the rest cut off somewhere."""
    data = bytearray(FILES[name])
    reach = min(len(data), 200) if early else len(data)
    for place, value in flips:
        data[int(place * reach)] = value
    if cut is not None:
        data = data[: int(cut * len(data))]
    complaint = ""
    try:
        decoded(bytes(data))
    except UpresError as error:
        complaint = str(error)
    assert "\n" not in complaint
