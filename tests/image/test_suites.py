"""The world's awkward files: PngSuite, EXIF samples, test files of image-rs, libvips, immich."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from upres.errors import UnreadablePicture, UnsupportedPicture, UpresError
from upres.image.codec import Decoder, Limits

if TYPE_CHECKING:
    from pathlib import Path

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


def test_no_awkward_file_ends_in_anything_but_a_picture_or_our_error(shared: Path) -> None:
    """Whatever it is; pictures among them are whole and as their headers said."""
    complaints: dict[str, str] = {}
    pictures = 0
    for path in sorted((shared / "awkward").rglob("*.*")):
        data = path.read_bytes()
        if len(data) > 2_000_000:
            continue
        try:
            decoder = Decoder(data, name=path.name)
            Limits(input_pixels=4_000_000).check_input(decoder.header, name=path.name)
            picture = decoder.picture()
        except UpresError as error:
            complaints[path.name] = str(error)
            continue
        header = decoder.header
        assert (picture.width, picture.height) == (header.width, header.height)
        assert (picture.gray, picture.alpha is not None) == (header.gray, header.alpha)
        assert picture.sample_max == 2**header.bits - 1
        pictures += 1
    assert pictures > 200
    assert len(complaints) > 100
    assert all(name in text and "\n" not in text for name, text in complaints.items())
