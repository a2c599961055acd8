"""What a picture may cost is known from its header, before any pixel."""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from picture_files import chunk, header_chunk, saved, tiff
from PIL import Image

from upres.errors import PictureTooLarge, UnsupportedPicture
from upres.image.decode import Decoder
from upres.image.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path


def check(width: int, height: int) -> None:
    """Offer a PNG that claims a size; its pixels are not there to be read."""
    data = header_chunk(width, height, bits=8, planes=3)
    data += chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    decoder = Decoder(data, name="photo.png")
    assert (decoder.header.width, decoder.header.height) == (width, height)
    Limits().check_input(decoder.header, name="photo.png")


def test_ordinary_sizes_pass() -> None:
    """From two pixels a side to a hundred million in all."""
    check(2, 2)
    check(10_000, 10_000)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_001, 10_000)])
def test_a_decompression_bomb_is_refused(width: int, height: int) -> None:
    """The text has the picture's pixels and the limit."""
    with pytest.raises(PictureTooLarge, match=f"{width * height} pixels.* 100000000"):
        check(width, height)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (65_535, 1), (1, 65_535), (1, 2)])
def test_single_rows_and_columns_are_refused(width: int, height: int) -> None:
    """There is nothing in them to enlarge."""
    with pytest.raises(UnsupportedPicture, match=f"{width}x{height}; both sides must be 2"):
        check(width, height)


def test_results_have_a_limit_too() -> None:
    """The text has the result's size."""
    Limits().check_output(width=20_000, height=20_000, name="photo.png")
    with pytest.raises(PictureTooLarge, match="result of 20000x20001 would have 400020000"):
        Limits().check_output(width=20_000, height=20_001, name="photo.png")


def test_sides_that_libvips_would_complain_of(capfd: pytest.CaptureFixture[str]) -> None:
    """In its own words, on standard error."""
    for width, height in ((2**31 - 1, 2), (2, 100_000_001)):
        with pytest.raises(PictureTooLarge, match="longest side has"):
            check(width, height)
        data = tiff([np.zeros((2, 2, 1), np.uint8)], photometric=1)
        size = struct.pack(">HHII", 256, 4, 1, width) + struct.pack(">HHII", 257, 4, 1, height)
        at = data.index(struct.pack(">HHIH", 256, 3, 1, 2))
        with pytest.raises(PictureTooLarge, match="longest side has"):
            Decoder(data[:at] + size + data[at + 24 :])
    assert capfd.readouterr().err == ""


PROGRAM = """
import resource, sys
from upres.image.decode import Decoder
def peak():
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // (1024 if sys.platform == 'darwin' else 1)
small, large, rows = (open(name, 'rb').read() if name != '-' else None for name in sys.argv[1:4])
list(Decoder(small).rows())
before = peak()
decoder = Decoder(large)
header = peak() - before
count = 0
if rows is None:
    for band in decoder.rows():
        count += len(band)
    assert count == decoder.header.height
print(header, peak() - before)
"""


def peaks(folder: Path, small: bytes, large: bytes, *, header_only: bool = False) -> list[int]:
    """Return the kilobytes that reading a header, and then all rows, take in a new process."""
    (folder / "small").write_bytes(small)
    (folder / "large").write_bytes(large)
    names = [str(folder / "small"), str(folder / "large"), str(folder / "small")]
    if not header_only:
        names[2] = "-"
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], check=True, capture_output=True, text=True
    )
    return [int(number) for number in child.stdout.split()]


def flat(size: int, kind: str, **options: object) -> bytes:
    """Return a picture of one colour."""
    return saved(Image.new("RGB", (size, size), (200, 100, 50)), kind, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="measured with resource")
class TestMemory:
    """Headers cost next to nothing, rows a few bands."""

    def test_a_bombs_header(self, tmp_path: Path) -> None:
        """Reading that it is 60,000 x 60,000 takes less than 20 MB; its pixels are 10.8 GB."""
        large = header_chunk(60_000, 60_000, bits=8, planes=3)
        large += chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
        assert peaks(tmp_path, flat(16, "png"), large, header_only=True)[0] < 20_000

    @pytest.mark.parametrize(
        ("kind", "options"),
        [("jpeg", {"progressive": True}), ("avif", {"speed": 10}), ("webp", {}), ("gif", {})],
    )
    def test_headers_of_formats_that_are_decoded_whole(
        self, tmp_path: Path, kind: str, options: dict[str, object]
    ) -> None:
        """4000 x 4000: 48 MB as pixels."""
        large = flat(4000, kind, **options)
        assert peaks(tmp_path, flat(16, kind), large, header_only=True)[0] < 12_000

    @pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
    def test_rows_are_decoded_in_bands(self, tmp_path: Path, kind: str) -> None:
        """6000 x 6000: 108 MB as pixels, less than half of that while they are read."""
        options = {"compression": "tiff_lzw"} if kind == "tiff" else {}
        large = flat(6000, kind, **options)
        assert peaks(tmp_path, flat(16, kind), large)[1] < 50_000

    def test_turned_pictures_cost_their_pixels_once(self, tmp_path: Path) -> None:
        """108 MB, and the bands beside."""
        exif = Image.Exif()
        exif[0x0112] = 6
        large = flat(6000, "jpeg", exif=exif)
        assert peaks(tmp_path, flat(16, "jpeg"), large)[1] < 108_000 + 50_000
