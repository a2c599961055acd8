"""The pictures of a comparison: read, found to be of one shape, brought to one size."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from upres.errors import InvalidOption, UnsupportedPicture
from upres.image.decode import Decoder
from upres.image.files import read_input
from upres.image.picture import Header, Metadata, Picture
from upres.upscale.resample import BICUBIC
from upres.upscale.upscaler import Interpolation, Options, enlarge_picture

if TYPE_CHECKING:
    from upres.image.limits import Limits

Fit = Literal["nearest", "bicubic"]
"""How a smaller picture is brought to the larger one's size."""
Letter = Literal["A", "B", "T"]
"""What a picture is called for short; T is the truth."""

_TRUTH_SPARE_PX = 3
"""Benchmarks cut their pictures to a multiple of the scale, 4 at most, before making them small."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One picture of a comparison."""

    letter: Letter
    name: str
    """The file's name, always text that can be written as UTF-8."""
    data: bytes
    """The file."""
    header: Header
    picture: Picture
    """Its pixels as they are shown."""
    fit: Fit | None = None
    """How it was enlarged, where it was."""
    warnings: tuple[str, ...] = ()

    @property
    def as_in_file(self) -> bool:
        """Whether the shown pixels are all the file's, at the file's size."""
        return (self.picture.width, self.picture.height) == (self.header.width, self.header.height)


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A part of a picture, in pixels from its left upper corner."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Crop:
        """Read `X,Y,W,H`. Raises InvalidOption."""
        if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9}){3}", text, flags=re.ASCII):
            raise InvalidOption("--crop", text, "X,Y,W,H in whole pixels, such as 100,80,64,64")
        x, y, width, height = map(int, text.split(","))
        if not width or not height:
            raise InvalidOption("--crop", text, "a width and a height above 0")
        return cls(x=x, y=y, width=width, height=height)


def read(path: Path, *, letter: Letter, limits: Limits) -> Side:
    """Read and decode one still picture.

    Raises InputNotReadable, UnreadablePicture, UnsupportedPicture and PictureTooLarge.
    """
    name = shown_name(path)
    data = read_input(path, limit_bytes=limits.input_bytes)
    decoder = Decoder(data, name=name)
    header = decoder.header
    limits.check_input(header, name=name)
    if header.frames > 1:
        raise UnsupportedPicture(
            name, f"it has {header.frames} frames or pages; still pictures can be compared"
        )
    picture = decoder.picture()
    return Side(
        letter=letter,
        name=name,
        data=data,
        header=header,
        picture=picture,
        warnings=tuple(decoder.warnings),
    )


def shown_name(path: Path) -> str:
    """Return a file's name, what is no text in it replaced by question marks."""
    return path.name.encode("utf-8", "replace").decode("utf-8")


def brought_together(sides: list[Side], *, fit: Fit) -> list[Side]:
    """Return A and B, and maybe the truth, all of the larger one's size.

    The smaller is enlarged by repeating pixels or by bicubic interpolation. A truth must have the
    larger one's size, up to 3 pixels that benchmarks cut off at its right and lower edge. Raises
    InvalidOption for shapes that do not agree.
    """
    first, second, *truth = sides
    largest = max((first, second), key=lambda side: side.picture.width * side.picture.height)
    width, height = largest.picture.width, largest.picture.height
    for side in (first, second):
        if not _same_shape(side.picture, width=width, height=height):
            raise InvalidOption(
                side.name, _size(side.picture), f"the shape of {largest.name}, {width}x{height}"
            )
    together = [_fitted(side, width=width, height=height, fit=fit) for side in (first, second)]
    return together + [_cut_truth(side, width=width, height=height) for side in truth]


def cropped(sides: list[Side], crop: Crop) -> list[Side]:
    """Return the same part of each. Raises InvalidOption for a part that lies outside."""
    width, height = sides[0].picture.width, sides[0].picture.height
    if crop.x + crop.width > width or crop.y + crop.height > height:
        part = f"{crop.x},{crop.y},{crop.width},{crop.height}"
        raise InvalidOption("--crop", part, f"a part of {width}x{height} pixels")
    rows, columns = slice(crop.y, crop.y + crop.height), slice(crop.x, crop.x + crop.width)
    return [replace(side, picture=_part(side.picture, rows, columns)) for side in sides]


def _size(picture: Picture) -> str:
    return f"{picture.width}x{picture.height}"


def _same_shape(picture: Picture, *, width: int, height: int) -> bool:
    """Tell whether one factor takes both sides to the larger's, each off by less than a pixel."""
    across, down = picture.width, picture.height
    return (width - 1) * down < (height + 1) * across and (height - 1) * across < (width + 1) * down


def _fitted(side: Side, *, width: int, height: int, fit: Fit) -> Side:
    picture = side.picture
    if (picture.width, picture.height) == (width, height):
        return side
    if fit == "nearest":
        return replace(side, picture=_nearest(picture, width=width, height=height), fit=fit)
    larger = enlarge_picture(
        picture, Interpolation(kernel=BICUBIC), width=width, height=height, options=Options()
    )
    return replace(side, picture=larger, fit=fit)


def _nearest(picture: Picture, *, width: int, height: int) -> Picture:
    rows = (2 * np.arange(height) + 1) * picture.height // (2 * height)
    columns = (2 * np.arange(width) + 1) * picture.width // (2 * width)
    return _part(picture, rows[:, np.newaxis], columns)


def _cut_truth(side: Side, *, width: int, height: int) -> Side:
    spare = (side.picture.width - width, side.picture.height - height)
    if min(spare) < 0 or max(spare) > _TRUTH_SPARE_PX:
        raise InvalidOption(
            "--truth", _size(side.picture), f"a picture of the larger one's size, {width}x{height}"
        )
    if max(spare) == 0:
        return side
    return replace(side, picture=_part(side.picture, slice(height), slice(width)))


def _part(picture: Picture, rows: Any, columns: Any) -> Picture:
    """Take rows and columns of pixels and alpha, by slices or by index arrays."""
    alpha = picture.alpha
    return Picture(
        pixels=np.ascontiguousarray(picture.pixels[rows, columns]),
        alpha=None if alpha is None else np.ascontiguousarray(alpha[rows, columns]),
        metadata=Metadata(icc=picture.metadata.icc),
    )
