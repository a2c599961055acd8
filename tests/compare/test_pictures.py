from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from upres.compare.pictures import Crop, Side, brought_together, cropped, read, shown_name
from upres.config import Settings
from upres.errors import InvalidOption, UnsupportedPicture
from upres.image.picture import Header, Layout, Picture

MakeSide = Callable[..., Side]
Photo = NDArray[np.uint8]


def blank(width: int, height: int, *, name: str = "a.png") -> Side:
    """A black side of that size, made without a file."""
    picture = Picture(pixels=np.zeros((height, width, 1), np.uint8))
    layout = Layout(width=width, height=height, gray=True, alpha=False, bits=8)
    header = Header(format="png", layout=layout)
    return Side(letter="A", name=name, data=b"", header=header, picture=picture)


def test_smaller_picture_gets_the_larger_ones_size_by_repeating_pixels(
    side: MakeSide, photo: Photo
) -> None:
    """Whole factors repeat every pixel equally often; the order of A and B stays."""
    small = side(photo)
    large = side(np.repeat(np.repeat(photo, 3, axis=0), 3, axis=1), "b.png", "B")
    together = brought_together([small, large], fit="nearest")
    assert [one.letter for one in together] == ["A", "B"]
    assert np.array_equal(together[0].picture.pixels, large.picture.pixels)
    assert (together[0].fit, together[1].fit) == ("nearest", None)
    assert together[1] is large
    turned = brought_together([large, small], fit="nearest")
    assert np.array_equal(turned[1].picture.pixels, large.picture.pixels)


def test_bicubic_fit_is_smooth(side: MakeSide, photo: Photo) -> None:
    """It gives the size asked for and other pixels than repeating does."""
    small, large = side(photo), side(np.zeros((36, 60, 3), np.uint8), "b.png", "B")
    nearest = brought_together([small, large], fit="nearest")[0].picture
    bicubic = brought_together([small, large], fit="bicubic")[0].picture
    assert bicubic.pixels.shape == (36, 60, 3)
    assert len(np.unique(bicubic.pixels)) > len(np.unique(photo)) / 2
    assert not np.array_equal(nearest.pixels, bicubic.pixels)


@given(
    width=st.integers(2, 400),
    height=st.integers(2, 400),
    factor=st.floats(1, 16, allow_nan=False),
)
def test_every_enlargement_has_its_originals_shape(width: int, height: int, factor: float) -> None:
    """However the sides were rounded."""
    small = blank(width, height)
    layout = small.header.layout.sized(width=round(width * factor), height=round(height * factor))
    large = replace(
        small, picture=Picture(pixels=np.zeros((layout.height, layout.width, 1), np.uint8))
    )
    for pair in ([small, large], [large, small]):
        sizes = {
            (one.picture.width, one.picture.height) for one in brought_together(pair, fit="nearest")
        }
        assert sizes == {(layout.width, layout.height)}


@pytest.mark.parametrize("other", [(120, 122), (122, 120), (60, 62), (10, 11), (250, 240)])
def test_other_shapes_are_one_clear_error(other: tuple[int, int]) -> None:
    """Two pixels are no rounding; the error names both files and both sizes."""
    width, height = other
    pair = [blank(120, 120, name="a.png"), blank(width, height, name="b.png")]
    with pytest.raises(InvalidOption, match=re.compile(r"\.png.*\.png")) as caught:
        brought_together(pair, fit="nearest")
    assert "120x120" in str(caught.value)
    assert f"{width}x{height}" in str(caught.value)


def test_truth_may_have_what_benchmarks_cut_off(side: MakeSide) -> None:
    """Up to three pixels at its right and lower edge, and no other size."""
    truth = np.random.default_rng(1).integers(0, 256, (39, 62, 3), np.uint8)
    pair = [side(truth[:36, :60]), side(truth[:36, :60], "b.png", "B")]
    cut = brought_together([*pair, side(truth, "t.png", "T")], fit="nearest")[2]
    assert np.array_equal(cut.picture.pixels, truth[:36, :60])
    for wrong in (truth[:35], np.pad(truth, ((0, 0), (0, 2), (0, 0)))):
        with pytest.raises(InvalidOption, match="60x36"):
            brought_together([*pair, side(wrong, "w.png", "T")], fit="nearest")


def test_crop_takes_the_same_part_of_all(side: MakeSide, photo: Photo) -> None:
    """Alpha goes with its colours."""
    with_alpha = np.dstack([photo, photo[..., 0]])
    sides = cropped([side(photo), side(with_alpha, "b.png", "B")], Crop.parse("3,2,5,4"))
    for one in sides:
        assert np.array_equal(one.picture.pixels, photo[2:6, 3:8])
    assert sides[1].picture.alpha is not None
    assert np.array_equal(sides[1].picture.alpha, photo[2:6, 3:8, 0])
    assert not sides[0].as_in_file


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,2,2", "0,0,0,2", "1.5,0,2,2", "٣,٣,٣,٣"]
)
def test_crops_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidOption, match="--crop"):
        Crop.parse(text)


@pytest.mark.parametrize("text", ["15,0,6,2", "0,11,2,2", "99,99,1,1"])
def test_crop_outside_is_refused(side: MakeSide, photo: Photo, text: str) -> None:
    """It is not cut to what there is."""
    with pytest.raises(InvalidOption, match="20x12"):
        cropped([side(photo)], Crop.parse(text))


def test_animations_are_refused(tmp_path: Path) -> None:
    """A slider over one frame would hide the rest."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    path = tmp_path / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(UnsupportedPicture, match="3 frames"):
        read(path, letter="A", limits=Settings.from_environment().limits)


@given(st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & {0, 47}))
def test_names_can_always_be_written(raw: bytes) -> None:
    """File names are bytes; pages and pictures want text."""
    shown_name(Path(raw.decode("utf-8", "surrogateescape"))).encode("utf-8")
