from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from upres.compare.embed import data_url, shown_right
from upres.compare.pictures import Crop, Side, brought_together, cropped

MakeSide = Callable[..., Side]
Photo = NDArray[np.uint8]


def carried(url: str) -> tuple[str, bytes]:
    """Return the type and the bytes of a data URL."""
    head, _, body = url.partition(",")
    assert head.endswith(";base64")
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(body, validate=True)


def exif(orientation: int) -> bytes:
    """Return an EXIF block that says only how the picture is turned."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = "a camera"
    return block.tobytes()


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "png"), ("a.jpg", "jpeg"), ("a.webp", "webp"), ("a.gif", "gif")]
)
def test_pages_carry_the_file_where_browsers_show_it(
    side: MakeSide, photo: Photo, name: str, kind: str
) -> None:
    """Not one byte is changed."""
    one = side(photo, name)
    assert carried(data_url(one)) == (f"image/{kind}", one.data)


def test_upright_camera_pictures_are_carried_as_they_are(side: MakeSide, photo: Photo) -> None:
    """EXIF alone is no reason to decode."""
    one = side(photo, "a.jpg", exif=exif(1))
    assert carried(data_url(one)) == ("image/jpeg", one.data)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("turned.jpg", {"exif": exif(6)}),
        ("upside-down.jpg", {"exif": exif(3)}),
        ("turned.png", {"exif": exif(8)}),
        ("turned.webp", {"exif": exif(6), "lossless": True}),
        ("a.tif", {}),
    ],
)
def test_all_else_is_carried_as_the_pixels_upres_sees(
    side: MakeSide, photo: Photo, name: str, options: dict[str, object]
) -> None:
    """Turned pictures differ between browsers, and TIFF is not shown."""
    one = side(photo, name, **options)
    kind, data = carried(data_url(one))
    assert kind == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), one.picture.pixels)


def test_cmyk_is_decoded(side: MakeSide, photo: Photo) -> None:
    """Browsers disagree about its colours."""
    ink = np.asarray(Image.fromarray(photo).convert("CMYK"))
    file = io.BytesIO()
    Image.fromarray(ink, "CMYK").save(file, format="jpeg")
    one = replace(side(photo, "a.jpg"), data=file.getvalue())
    assert not shown_right(one.data, "jpeg")
    assert carried(data_url(one))[0] == "image/png"


def test_enlarged_and_cropped_pictures_are_carried_as_pixels(side: MakeSide, photo: Photo) -> None:
    """The file's own pixels are not what is shown."""
    small, large = side(photo), side(np.zeros((24, 40, 3), np.uint8), "b.png", "B")
    enlarged = brought_together([small, large], fit="nearest")[0]
    part = cropped([small], Crop.parse("1,1,4,4"))[0]
    for one in (enlarged, part):
        data = carried(data_url(one))[1]
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), one.picture.pixels)


def test_sixteen_bits_and_alpha_stay_transparent(side: MakeSide, photo: Photo) -> None:
    """The page shows them over its checkerboard."""
    one = cropped([side(np.dstack([photo, photo[..., 0]]))], Crop.parse("0,0,9,9"))[0]
    image = Image.open(io.BytesIO(carried(data_url(one))[1]))
    assert image.mode == "RGBA"


@given(st.binary(max_size=300), st.sampled_from(["jpeg", "png", "webp"]))
def test_odd_bytes_are_no_trouble(data: bytes, kind: str) -> None:
    """The look at a file never fails, whatever it finds."""
    shown_right(b"\xff\xd8" + data, kind)
    shown_right(b"\xff\xd8\xff\xe1\x00\x40Exif\0\0" + data, kind)
