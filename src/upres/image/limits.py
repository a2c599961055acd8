"""What a picture may cost, checked before any of its pixels is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from upres.errors import PictureTooLarge, UnsupportedPicture

if TYPE_CHECKING:
    from upres.image.picture import Header

MIN_SIDE_PX = 2
"""A picture with fewer rows or columns holds nothing to enlarge."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that is taken in and given out; pixels are those of all frames together."""

    input_bytes: int = 512 * 2**20
    input_pixels: int = 100_000_000
    output_pixels: int = 400_000_000
    frames: int = 1000

    def check_input(self, header: Header, *, name: str) -> None:
        """Raise PictureTooLarge or UnsupportedPicture for a picture that may not be decoded."""
        if header.frames > self.frames:
            raise PictureTooLarge(
                name, what="it has", value=header.frames, limit=self.frames, unit="frames"
            )
        if header.pixels > self.input_pixels:
            raise PictureTooLarge(name, what="it has", value=header.pixels, limit=self.input_pixels)
        if min(header.width, header.height) < MIN_SIDE_PX:
            raise UnsupportedPicture(
                name,
                f"it is {header.width}x{header.height}; both sides must be {MIN_SIDE_PX} or more",
            )

    def check_output(self, *, width: int, height: int, name: str, frames: int = 1) -> None:
        """Raise PictureTooLarge when the result, frames of that size, would pass the limit."""
        pixels = width * height * frames
        if pixels > self.output_pixels:
            many = f"{frames} frames of " if frames > 1 else ""
            raise PictureTooLarge(
                name,
                what=f"the result of {many}{width}x{height} would have",
                value=pixels,
                limit=self.output_pixels,
            )
