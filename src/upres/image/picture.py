"""A picture in memory or on its way, and the header that is known before its pixels are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import Self

Samples = np.unsignedinteger[Any]
"""uint8 or uint16."""
Rows = NDArray[Samples]
"""Some rows of a picture, (rows, width, planes): gray or R, G, B, then alpha where there is one;
alpha is not multiplied into the colours."""
Format = Literal["png", "jpeg", "webp", "avif", "tiff", "gif"]
"""What upres writes."""
InputFormat = Literal["png", "jpeg", "webp", "avif", "tiff", "gif", "bmp"]
"""What upres reads."""


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

    def denser(self, across: float, down: float) -> Metadata:
        """Return the metadata of a picture with that many times the pixels on the same paper."""
        if self.pixels_per_mm is None:
            return self
        x, y = self.pixels_per_mm
        return replace(self, pixels_per_mm=(x * across, y * down))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The shape of one frame's samples."""

    width: int
    height: int
    gray: bool
    alpha: bool
    bits: Literal[8, 16]

    @property
    def planes(self) -> int:
        """Samples of a pixel: 1 or 3 of colour, and alpha where there is one."""
        return (1 if self.gray else 3) + self.alpha

    @property
    def sample_max(self) -> int:
        """White: 255 or 65535."""
        return (1 << self.bits) - 1

    @property
    def dtype(self) -> type[Samples]:
        """The numpy type of a sample."""
        return np.uint8 if self.bits == 8 else np.uint16  # noqa: PLR2004

    def sized(self, *, width: int, height: int) -> Self:
        """Return the same kind of samples at another size."""
        return replace(self, width=width, height=height)


@dataclass(frozen=True, kw_only=True)
class Animation:
    """How the frames of an animation are shown."""

    delays_ms: tuple[int, ...]
    """One for each frame."""
    loop: int
    """How often the whole is shown; 0 is for ever."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of its picture before any pixel is decoded; sizes are upright."""

    format: InputFormat
    layout: Layout
    """Of every frame or page."""
    frames: int = 1
    """Frames of an animation, or pages of a TIFF."""
    animation: Animation | None = None
    """None for still pictures, however many pages they have."""

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.layout.width

    @property
    def height(self) -> int:
        """Rows of one frame."""
        return self.layout.height

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.layout.width * self.layout.height * self.frames


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

    @classmethod
    def from_rows(cls, rows: Rows, *, alpha: bool, metadata: Metadata | None = None) -> Picture:
        """Make a picture of all its rows, whose last plane is alpha if there is one."""
        metadata = metadata or Metadata()
        if not alpha:
            return cls(pixels=rows, metadata=metadata)
        return cls(
            pixels=np.ascontiguousarray(rows[..., :-1]),
            alpha=np.ascontiguousarray(rows[..., -1]),
            metadata=metadata,
        )

    @property
    def layout(self) -> Layout:
        """The shape of its samples."""
        return Layout(
            width=self.width,
            height=self.height,
            gray=self.gray,
            alpha=self.alpha is not None,
            bits=8 if self.sample_max == 255 else 16,  # noqa: PLR2004
        )

    def rows(self) -> Rows:
        """Return all rows, alpha as the last plane where there is one."""
        return self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])

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
