"""A picture in memory, and the header that is known before its pixels are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples = np.unsignedinteger[Any]
"""uint8 or uint16."""
Format = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What travels with the pixels; the codec alone knows how a format stores it."""

    icc: bytes | None = None
    """ICC profile that the samples are encoded in; None means sRGB (or its gray)."""
    pixels_per_mm: tuple[float, float] | None = None
    """Print density, horizontal and vertical. A JPEG or PNG without one reads as 72 per inch."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """EXIF, XMP and IPTC as the codec read them, orientation already spent."""

    def stripped(self) -> Metadata:
        """Return what must stay for the picture to look and print the same: profile, density."""
        return Metadata(icc=self.icc, pixels_per_mm=self.pixels_per_mm)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of its picture before any pixel is decoded; sizes are upright."""

    format: Format
    width: int
    height: int
    gray: bool
    alpha: bool
    bits: Literal[8, 16]
    frames: int = 1

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """An upright picture: colour samples, maybe alpha, and what travels with them."""

    pixels: NDArray[Samples]
    """(H, W, 3) RGB or (H, W, 1) gray, uint8 or uint16, not premultiplied."""
    alpha: NDArray[Samples] | None = None
    """(H, W) of the same sample type; 0 is transparent."""
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or dtype not in (np.uint8, np.uint16):  # noqa: PLR2004
            raise TypeError(f"pixels are {dtype} {shape}; expected uint8 or uint16 (H, W, 1 or 3)")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype != dtype):
            raise TypeError(
                f"alpha is {self.alpha.dtype} {self.alpha.shape}; pixels {dtype} {shape}"
            )

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def gray(self) -> bool:
        """Whether there is one colour plane."""
        return bool(self.pixels.shape[2] == 1)

    @property
    def sample_max(self) -> int:
        """White: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)
