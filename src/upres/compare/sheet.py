"""The side-by-side picture: A, B and maybe the truth in a row, each over its caption."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.compare.display import over_gray, srgb
from upres.image.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from upres.compare.captions import Caption
    from upres.compare.pictures import Side

_PAPER = 238
_UNDER_TRANSPARENCY = 212
_INK = 28
_PALE_INK = 96
_LEAST_COLUMN_PX = 220
"""Room for a caption under the smallest picture."""


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Where everything lies, in pixels of the whole."""

    picture_width: int
    picture_height: int
    column_width: int
    margin: int
    text_px: int
    columns: int

    @classmethod
    def of(cls, *, width: int, height: int, columns: int) -> Arrangement:
        """Arrange pictures of one size; text and margins grow with them."""
        column = max(width, _LEAST_COLUMN_PX)
        text = min(max(14, column // 36), 72)
        return cls(
            picture_width=width,
            picture_height=height,
            column_width=column,
            margin=text,
            text_px=text,
            columns=columns,
        )

    @property
    def width(self) -> int:
        """Of the whole."""
        return self.columns * (self.column_width + self.margin) + self.margin

    @property
    def height(self) -> int:
        """Of the whole."""
        return self.captions_top + 2 * self.line_px + self.margin

    @property
    def captions_top(self) -> int:
        """Where captions begin."""
        return self.margin + self.picture_height + (2 * self.margin) // 3

    @property
    def line_px(self) -> int:
        """From one line of text to the next."""
        return self.text_px * 3 // 2

    def left(self, column: int) -> int:
        """Where a column begins."""
        return self.margin + column * (self.column_width + self.margin)


def arranged(sides: Sequence[Side], *, zoom: int) -> Arrangement:
    """Lay out a sheet before any of it is made: its size can still be refused."""
    picture = sides[0].picture
    return Arrangement.of(
        width=picture.width * zoom, height=picture.height * zoom, columns=len(sides)
    )


def sheet(
    sides: Sequence[Side],
    captions: Sequence[Caption],
    *,
    zoom: int,
    complain: Callable[[str, str], None],
) -> Picture:
    """Make the side-by-side picture, 8-bit sRGB; every pixel is repeated `zoom` x `zoom` times.

    A name in other than printable ASCII cannot be drawn: its letter stands for it. `complain` is
    given a picture's name and what is wrong with its colour profile.
    """
    place = arranged(sides, zoom=zoom)
    canvas = np.full((place.height, place.width, 3), _PAPER, np.uint8)
    for column, (side, words) in enumerate(zip(sides, captions, strict=True)):
        flat = over_gray(
            srgb(side.picture, complain=partial(complain, side.name)),
            level=_UNDER_TRANSPARENCY,
        )
        _lay(canvas[place.margin :, place.left(column) :], flat, zoom=zoom)
        _write(canvas, words, place, column=column)
    return Picture(pixels=canvas)


def drawable(name: str) -> bool:
    """Tell whether a name can be drawn: the built-in font has printable ASCII and little else."""
    return name.isascii() and name.isprintable()


def _lay(canvas: NDArray[np.uint8], pixels: NDArray[np.uint8], *, zoom: int) -> None:
    height, width = pixels.shape[0] * zoom, pixels.shape[1] * zoom
    for row in range(zoom):
        for column in range(zoom):
            canvas[row:height:zoom, column:width:zoom] = pixels


def _write(canvas: NDArray[np.uint8], words: Caption, place: Arrangement, *, column: int) -> None:
    from PIL import Image, ImageDraw, ImageFont

    name = f"{words.letter}  {words.name}" if drawable(words.name) else words.letter
    strip = Image.new("L", (place.column_width, 2 * place.line_px), _PAPER)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(place.text_px)
    small = ImageFont.load_default(place.text_px * 6 // 7)
    draw.text((0, 0), _shortened(name, font, place.column_width), font=font, fill=_INK)
    line = _shortened(words.line, small, place.column_width)
    draw.text((0, place.line_px), line, font=small, fill=_PALE_INK)
    top, left = place.captions_top, place.left(column)
    target = canvas[top : top + strip.height, left : left + strip.width]
    target[:] = np.asarray(strip)[..., np.newaxis]


def _shortened(text: str, font: Any, width: int) -> str:
    """Leave out the middle of what is too wide: names differ at both ends."""
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        head = (kept + 1) // 2
        short = f"{text[:head]}...{text[len(text) - (kept - head) :]}"
        if font.getlength(short) <= width:
            return short
    return text[:1]
