"""The world's awkward files: PngSuite, EXIF samples, test files of image-rs, libvips, immich."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from upres.errors import UnreadablePicture, UnsupportedPicture, UpresError
from upres.image.decode import Decoder
from upres.image.limits import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Picture

PILLOW_IS_WRONG = {"tbbn0g04.png"}
"""4-bit gray with a transparent level: Pillow compares the level before widening it to 8 bits."""


def decoded(path: Path) -> Picture:
    """Decode as callers do: header, limits, pixels."""
    decoder = Decoder(path.read_bytes(), name=path.name)
    Limits().check_input(decoder.header, name=path.name)
    return decoder.picture()


def of_pillow(path: Path, like: Picture) -> NDArray[np.uint8]:
    """Decode with Pillow into the same planes, 8 bits."""
    mode = ("L" if like.gray else "RGB") + ("" if like.alpha is None else "A")
    with Image.open(path) as image:
        return np.asarray(image.convert(mode)).reshape(like.height, like.width, -1)


def test_pngsuite_is_read_exactly(shared: Path) -> None:
    """Every sound 8-bit file of it equals what Pillow reads; every corrupt one is refused."""
    files = sorted((shared / "awkward" / "pngsuite").glob("*.png"))
    assert len(files) == 176
    compared = 0
    for path in files:
        if path.name.startswith("x"):
            with pytest.raises((UnreadablePicture, UnsupportedPicture)):
                decoded(path)
        elif path.name.startswith("s01"):
            with pytest.raises(UnsupportedPicture, match="1x1"):
                decoded(path)
        else:
            picture = decoded(path)
            if picture.sample_max == 255 and path.name not in PILLOW_IS_WRONG:
                planes = [picture.pixels] + ([] if picture.alpha is None else [picture.alpha])
                np.testing.assert_array_equal(
                    np.dstack(planes), of_pillow(path, picture), err_msg=path.name
                )
                compared += 1
    assert compared > 120


@pytest.mark.parametrize("scene", ["Landscape", "Portrait"])
def test_all_eight_ways_to_hold_a_camera_show_one_scene(shared: Path, scene: str) -> None:
    """The nine files were saved apart, so they differ by compression and by nothing else."""
    folder = shared / "awkward" / "exif-orientation"
    upright = decoded(folder / f"{scene}_1.jpg").pixels.astype(int)
    for orientation in (0, *range(2, 9)):
        pixels = decoded(folder / f"{scene}_{orientation}.jpg").pixels
        assert pixels.shape == upright.shape
        assert np.abs(pixels - upright).mean() < 10


@pytest.mark.parametrize("suite", ["awkward", "real"])
def test_every_file_is_a_picture_or_one_clear_error(shared: Path, suite: str) -> None:
    """Whatever it is, in less than 20 seconds; pictures are whole and as their headers said."""
    complaints: dict[str, str] = {}
    pictures = 0
    for path in sorted(file for file in (shared / suite).rglob("*") if file.is_file()):
        started = time.monotonic()
        try:
            decoder = Decoder(path.read_bytes(), name=path.name)
            header = decoder.header
            Limits().check_input(header, name=path.name)
            check_frames(decoder)
        except UpresError as error:
            complaints[path.name] = str(error)
        else:
            pictures += 1
        assert time.monotonic() - started < 20, path
    assert pictures > {"awkward": 290, "real": 55}[suite]
    assert all(name in text and "\n" not in text for name, text in complaints.items())
    unread = {Path(name).suffix for name in complaints}
    assert suite == "awkward" or unread == {".tsv"}


def check_frames(decoder: Decoder) -> None:
    """Read all rows and hold them to the header."""
    header = decoder.header
    layout = header.layout
    frames = 0
    for bands in decoder.frames():
        frames += 1
        rows = 0
        for band in bands:
            assert band.shape[1:] == (layout.width, layout.planes)
            assert band.dtype == layout.dtype
            rows += len(band)
        assert rows == layout.height
    assert frames == header.frames


def test_bmp_files_are_read_exactly(shared: Path) -> None:
    """The forms of one picture agree: top-down or not, of 24 or 32 bits."""
    folder = shared / "awkward" / "image-rs"
    for form in ("Info_1_Bit", "Info_4_Bit", "Info_8_Bit", "Info_R8_G8_B8", "Info_X1_R5_G5_B5"):
        upright = decoded(folder / f"{form}.bmp")
        top_down = decoded(folder / f"{form}_Top_Down.bmp")
        np.testing.assert_array_equal(top_down.pixels, upright.pixels)
    plain = decoded(folder / "rgb24.bmp").pixels
    for form in ("rgb32", "pal8v4", "pal8v5", "rgb24prof"):
        difference = decoded(folder / f"{form}.bmp").pixels.astype(int) - plain
        assert np.abs(difference).mean() < 20, form


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("libvips/ojpeg-tile.tif", "old-style JPEG"),
        ("libvips/multi-channel-z-series.ome.tif", "with a sign"),
        ("libvips/invalid_multiframe.gif", "unknown block"),
        ("libvips/truncated.gif", "cut off in frame 1"),
        ("libvips/truncated.jpg", "premature end"),
        ("image-rs/pal4rlecut.bmp", "damaged"),
        ("image-rs/ball.png", "animated PNG"),
        ("image-rs/V3_A1_R5_G5_B5.bmp", "rare kind"),
        ("immich/10bit-HDR-P3-nclx.avif", "high dynamic range"),
        ("immich/IMG_2682.heic", "a HEIC file"),
    ],
)
def test_known_traps_are_refused(shared: Path, name: str, word: str) -> None:
    """Libvips or Pillow would deliver something else than the picture, and say nothing."""
    with pytest.raises((UnreadablePicture, UnsupportedPicture), match=word):
        decoded(shared / "awkward" / name)


@pytest.mark.parametrize(
    ("name", "strip"), [("cogs", 5), ("dispose-background", 3), ("dispose-previous", 3)]
)
def test_animations_are_composed_as_libvips_own_tests_say(
    shared: Path, name: str, strip: int
) -> None:
    """Their frames, one under the other, lie beside them as PNG."""
    folder = shared / "awkward" / "libvips"
    decoder = Decoder((folder / f"{name}.gif").read_bytes())
    assert decoder.header.frames == strip
    rows = np.concatenate([band for bands in decoder.frames() for band in bands])
    expected = decoded(folder / f"{name}.png").rows()
    np.testing.assert_array_equal(rows[..., 3], expected[..., 3])
    seen = rows[..., 3] > 0
    np.testing.assert_array_equal(rows[seen], expected[seen])
