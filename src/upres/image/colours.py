"""From what a file's samples are to what upres works with: gray or RGB, straight alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import UnsupportedPicture
from upres.image.picture import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.containers.findings import Findings
    from upres.image.picture import Rows

_PLAIN = {"b-w": 1, "grey16": 1, "srgb": 3, "rgb16": 3}
"""Colour planes of what is taken as it is: with its own profile, or sRGB."""
_LAB = ("lab", "labs")
_WHITE = 65535
_TYPES = {
    "char": "8-bit integers with a sign",
    "short": "16-bit integers with a sign",
    "int": "32-bit integers",
    "uint": "32-bit integers",
    "float": "floating-point numbers",
}
_CLIPPED = "values outside 0..1 (high dynamic range) were cut to what a picture can show"
_TOLERANCE = 1 / 1024


class Samples:
    """A libvips image as rows of gray or RGB samples of 8 or 16 bits.

    CMYK is turned into sRGB by the embedded profile, or a common one where there is none, with
    perceptual intent and black point compensation: paper becomes white, and full ink black.
    L*a*b* becomes 16-bit sRGB. Floating-point RGB is taken for linear light, 1.0 for white, and
    becomes 16-bit sRGB.
    """

    def __init__(self, image: Any, found: Findings, *, name: str) -> None:
        """Prepare the conversion; raises UnsupportedPicture for samples of other kinds."""
        self.warnings: list[str] = []
        self.keeps_profile = image.interpretation in _PLAIN
        self._linear = image.interpretation == "scrgb" and image.format == "float"
        self._bits = _stated_bits(image)
        image = _converted(image, name=name)
        if found.gray:
            image = _first_of_three(image)
        colours = 3 if self._linear else _PLAIN[image.interpretation]
        if image.bands not in (colours, colours + 1):
            raise UnsupportedPicture(
                name, f"it has {image.bands} channels; upres takes gray, RGB or CMYK, and alpha"
            )
        alpha = image.bands > colours
        if alpha and found.premultiplied:
            image = _straight(image)
        self.image = image
        self.layout = Layout(
            width=image.width,
            height=image.height,
            gray=colours == 1,
            alpha=alpha,
            bits=8 if image.format == "uchar" else 16,
        )

    def rows(self, buffer: Any, height: int) -> Rows:
        """Return what libvips delivered of `image` as samples (height, width, planes)."""
        if self._linear:
            return self._encoded(self._array(buffer, height, np.float32))
        rows: Rows = self._array(buffer, height, self.layout.dtype)
        if self.layout.bits == 16 and self._bits in (10, 12):  # noqa: PLR2004
            # libvips fills up with zeros: the highest value would not be white
            return np.bitwise_or(rows, np.right_shift(rows, self._bits), dtype=np.uint16)
        return rows

    def _array(self, buffer: Any, height: int, dtype: Any) -> NDArray[Any]:
        return np.frombuffer(buffer, dtype).reshape(height, self.image.width, self.image.bands)

    def _encoded(self, linear: NDArray[np.float32]) -> Rows:
        values = np.nan_to_num(linear)
        if values.min() < -_TOLERANCE or values.max() > 1 + _TOLERANCE:
            self.warnings = [_CLIPPED]
        values = values.clip(0, 1)
        colours = values[..., :3]
        curved = 1.055 * colours ** (1 / 2.4) - 0.055
        values[..., :3] = np.where(colours <= 0.0031308, 12.92 * colours, curved)  # noqa: PLR2004
        return np.rint(values * _WHITE).astype(np.uint16)


def _converted(image: Any, *, name: str) -> Any:
    """Return the image in gray or RGB; floating-point RGB stays."""
    kind, form = image.interpretation, image.format
    whole = form in ("uchar", "ushort")
    if kind == "cmyk" and whole:
        return image.icc_transform(
            "srgb",
            embedded=True,
            input_profile="cmyk",
            intent="perceptual",
            black_point_compensation=True,
            depth=8 if form == "uchar" else 16,
        )
    if kind in _LAB and image.bands == 3:  # noqa: PLR2004
        return image.colourspace("rgb16")
    if kind == "scrgb" and form == "float":
        return image
    if kind in _PLAIN and whole:
        return image
    raise UnsupportedPicture(
        name,
        f"its samples are {_TYPES.get(form, form)} ({kind}); upres takes integers of 8 and 16 bits "
        "without a sign, and floating-point RGB",
    )


def _first_of_three(image: Any) -> Any:
    """Return the gray that a decoder wrote into three equal planes, and alpha if there is one."""
    gray = image.extract_band(0)
    if image.bands > 3:  # noqa: PLR2004
        gray = gray.bandjoin(image.extract_band(3))
    return gray.copy(interpretation="b-w" if image.format == "uchar" else "grey16")


def _straight(image: Any) -> Any:
    """Divide alpha out of the colours."""
    white = 255 if image.format == "uchar" else _WHITE
    straight = image.unpremultiply(max_alpha=white).rint().cast(image.format)
    return straight.copy(interpretation=image.interpretation)


def _stated_bits(image: Any) -> int:
    return int(image.get("bits-per-sample")) if image.get_typeof("bits-per-sample") else 0
