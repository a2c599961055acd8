"""BMP, with Pillow: the one format that libvips does not read."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import OutOfMemory, UnreadablePicture, UnsupportedPicture
from upres.image.bands import band_rows
from upres.image.metadata import profile_fits, sound_profile
from upres.image.picture import Header, Layout, Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.image.picture import Rows

_DIB_AT = 14
_V5_HEADER_BYTES = 124
_INFO_HEADER_BYTES = 40
_EMBEDDED_PROFILE = b"DEBM"
_BIT_FIELDS = 3
_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA"}
"""What Pillow calls the samples it finds, and what they become here."""


class BmpFile:
    """A BMP's header, and its rows when they are asked for (Pillow decodes the whole then)."""

    def __init__(self, data: bytes, *, name: str) -> None:
        """Read the header; raises UnreadablePicture and UnsupportedPicture."""
        self.name = name
        self.warnings: list[str] = []
        self._file = _Watched(data)
        self._image = self._opened()
        if self._image.mode not in _MODES or _hidden_alpha(data):
            raise UnsupportedPicture(name, "it is a BMP of a rare kind; save it with 24 or 32 bits")
        self._mode = _MODES[self._image.mode]
        width, height = self._image.size
        self.header = Header(
            format="bmp",
            layout=Layout(
                width=width,
                height=height,
                gray=self._mode == "L",
                alpha=self._mode == "RGBA",
                bits=8,
            ),
        )
        self.metadata = Metadata(
            icc=_profile(data, gray=self._mode == "L"), pixels_per_mm=_density(data)
        )

    def frames(self) -> Iterator[Iterator[Rows]]:
        """Yield the one picture's rows."""
        self._load()
        yield self._rows()

    def _opened(self) -> Any:
        from PIL import BmpImagePlugin

        try:
            image = BmpImagePlugin.BmpImageFile(self._file)
        except _errors() as error:
            reason = str(error)
            if reason.startswith("Unsupported BMP"):
                raise UnsupportedPicture(self.name, f"it is a BMP of a rare kind ({reason})") from (
                    error
                )
            raise UnreadablePicture(self.name, "its header is damaged or cut off") from error
        if min(image.size) < 1 or len(image.tile) != 1:
            raise UnreadablePicture(self.name, "its header is damaged")
        decoder, _, offset, arguments = image.tile[0]
        stride = arguments[1] if isinstance(arguments, tuple) else 0
        if decoder == "raw" and offset + stride * image.size[1] > len(self._file.getbuffer()):
            raise UnreadablePicture(self.name, "it is cut off")
        return image

    def _load(self) -> None:
        compressed = self._image.tile and self._image.tile[0][0] != "raw"
        self._file.ended = False
        try:
            self._image.load()
        except MemoryError as error:
            raise OutOfMemory(self.name) from error
        except _errors() as error:
            raise UnreadablePicture(self.name, f"its pixels are damaged ({error})") from error
        if compressed and self._file.ended:
            raise UnreadablePicture(self.name, "it is cut off")

    def _rows(self) -> Iterator[Rows]:
        width, height = self._image.size
        step = band_rows(self.header.layout)
        for top in range(0, height, step):
            band = self._image.crop((0, top, width, min(top + step, height))).convert(self._mode)
            yield np.asarray(band).reshape(band.height, width, -1)


class _Watched(io.BytesIO):
    """A file that notices when it is read past its end: Pillow fills up what is missing then."""

    ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        self.ended |= size is not None and len(chunk) < size
        return chunk


def _errors() -> tuple[type[Exception], ...]:
    """Return what Pillow raises for files that it cannot read."""
    from PIL import Image

    return (
        ArithmeticError,
        AssertionError,
        AttributeError,
        Image.DecompressionBombError,
        LookupError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
        struct.error,
    )


def _hidden_alpha(data: bytes) -> bool:
    """Tell whether there is a mask of transparency beside 16 bits, which Pillow passes over."""
    size, bits, compression = _number(data, 0), _number(data, 14, "H"), _number(data, 16)
    if compression != _BIT_FIELDS or bits != 16 or size < _INFO_HEADER_BYTES + 16:  # noqa: PLR2004
        return False
    return _number(data, 52) != 0


def _number(data: bytes, at: int, form: str = "I") -> int:
    """Return a number of the header that begins behind the file's own."""
    return int(struct.unpack_from(f"<{form}", data, _DIB_AT + at)[0])


def _density(data: bytes) -> tuple[float, float] | None:
    if _number(data, 0) < _INFO_HEADER_BYTES:
        return None
    across, down = _number(data, 24, "i"), _number(data, 28, "i")
    return (across / 1000, down / 1000) if across > 0 and down > 0 else None


def _profile(data: bytes, *, gray: bool) -> bytes | None:
    if _number(data, 0) < _V5_HEADER_BYTES or data[_DIB_AT + 56 :][:4] != _EMBEDDED_PROFILE:
        return None
    start = _DIB_AT + _number(data, 112)
    icc = sound_profile(data[start : start + _number(data, 116)])
    return icc if icc is not None and profile_fits(icc, gray=gray) else None
