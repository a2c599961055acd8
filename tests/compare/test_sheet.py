from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from upres.compare.captions import Caption
from upres.compare.pictures import Side
from upres.compare.sheet import arranged, drawable, sheet

MakeSide = Callable[..., Side]
Photo = NDArray[np.uint8]


def words(letter: str, name: str = "cat.png", *scores: str) -> Caption:
    return Caption(letter=letter, name=name, size="20x12", scores=scores)  # type: ignore[arg-type]


def quiet(name: str, text: str) -> None:
    pytest.fail(f"{name}: {text}")


@pytest.mark.parametrize("zoom", [1, 2, 5])
@pytest.mark.parametrize("count", [2, 3])
def test_pictures_lie_where_they_are_arranged(
    side: MakeSide, photo: Photo, zoom: int, count: int
) -> None:
    """Every pixel repeated, none changed, in the order given."""
    shown = [photo, 255 - photo, photo[::-1]][:count]
    sides = [side(np.ascontiguousarray(one), f"{n}.png") for n, one in enumerate(shown)]
    captions = [words("ABT"[n]) for n in range(count)]
    place = arranged(sides, zoom=zoom)
    whole = sheet(sides, captions, zoom=zoom, complain=quiet)
    assert (whole.width, whole.height) == (place.width, place.height)
    for column, one in enumerate(shown):
        top, left = place.margin, place.left(column)
        part = whole.pixels[top : top + 12 * zoom, left : left + 20 * zoom]
        assert np.array_equal(part, np.repeat(np.repeat(one, zoom, axis=0), zoom, axis=1))


def test_captions_are_drawn_under_their_picture(side: MakeSide, photo: Photo) -> None:
    """Other words make other ink, within their own column."""
    sides = [side(photo), side(photo, "b.png")]
    place = arranged(sides, zoom=1)

    def captions_of(*pair: Caption) -> NDArray[np.uint8]:
        whole = sheet(sides, pair, zoom=1, complain=quiet).pixels[place.captions_top :]
        return whole.astype(np.uint8)

    plain = captions_of(words("A"), words("B"))
    scored = captions_of(words("A"), words("B", "cat.png", "PSNR-Y 31.42 dB"))
    changed = np.flatnonzero((plain != scored).any(axis=(0, 2)))
    assert changed.min() >= place.left(1)
    assert changed.max() < place.left(1) + place.column_width
    assert plain.min() < 64


def test_names_the_font_has_not_are_left_to_the_letter(side: MakeSide, photo: Photo) -> None:
    """No boxes: the sheet is as if the file had no name, and the legend is printed elsewhere."""
    sides = [side(photo), side(photo, "b.png")]
    foreign = sheet(sides, [words("A", "猫.png"), words("B")], zoom=1, complain=quiet)
    other = sheet(sides, [words("A", "犬.png"), words("B")], zoom=1, complain=quiet)
    named = sheet(sides, [words("A"), words("B")], zoom=1, complain=quiet)
    assert np.array_equal(foreign.pixels, other.pixels)
    assert not np.array_equal(foreign.pixels, named.pixels)
    assert not any(map(drawable, ("猫.png", "é.png", "a\nb.png", "a\x7f.png")))
    assert drawable("a cat (2).png")


@pytest.mark.parametrize("name", ["w" * 300 + ".png", " ", "%s {} <b>"])
def test_odd_names_stay_in_their_column(side: MakeSide, photo: Photo, name: str) -> None:
    """Long ones lose their middle."""
    sides = [side(photo), side(photo, "b.png")]
    place = arranged(sides, zoom=1)
    whole = sheet(sides, [words("A", name), words("B", name)], zoom=1, complain=quiet)
    between = slice(place.left(0) + place.column_width, place.left(1))
    assert np.ptp(whole.pixels[:, between].astype(int)) == 0


def test_transparency_shows_light_gray(side: MakeSide) -> None:
    """Neither black nor white: both may be the picture's own."""
    clear = np.zeros((12, 20, 4), np.uint8)
    sides = [side(clear), side(clear, "b.png")]
    place = arranged(sides, zoom=1)
    whole = sheet(sides, [words("A"), words("B")], zoom=1, complain=quiet)
    assert whole.pixels[place.margin, place.left(0)].tolist() == [212, 212, 212]
