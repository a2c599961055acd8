"""How large a result is to be: by factor, width, height or long side, under one size rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from upres.errors import InvalidOption

MAX_FACTOR = 16
DEFAULT_FACTOR = 3


@dataclass(frozen=True, kw_only=True)
class SizeRequest:
    """What a user asked for; at most one of the four, by default three times the size.

    `factor` may be any number from 1 to 16. The other three are output pixels; the aspect ratio is
    kept, and a result smaller than the picture is refused, because upres enlarges.
    """

    factor: float | None = None
    width: int | None = None
    height: int | None = None
    long_side: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            kinds = (int, float) if name == "factor" else int
            if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
                raise InvalidOption(name.replace("_", " "), value, "a number")
        given = [name for name, value in vars(self).items() if value is not None]
        if len(given) > 1:
            raise InvalidOption(
                "size", " and ".join(given), "one of scale, width, height, long side"
            )
        if self.factor is not None and not (
            math.isfinite(self.factor) and 1 <= self.factor <= MAX_FACTOR
        ):
            raise InvalidOption("scale", self.factor, f"a number from 1 to {MAX_FACTOR}")
        for name in ("width", "height", "long_side"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidOption(name.replace("_", " "), value, "a number of pixels above 0")

    def size_for(self, *, width: int, height: int) -> tuple[int, int]:
        """Return the result's (width, height) for a picture of that size.

        Sides are rounded to the nearest pixel, halves up. Raises InvalidOption.
        """
        factor = self._factor_for(width, height)
        if not 1 <= factor <= MAX_FACTOR:
            asked = next(value for value in vars(self).values() if value is not None)
            raise InvalidOption(
                "size",
                asked,
                f"1 to {MAX_FACTOR} times the picture's {width}x{height} pixels",
            )
        return _rounded(width * factor), _rounded(height * factor)

    def _factor_for(self, width: int, height: int) -> Fraction:
        if self.width is not None:
            return Fraction(self.width, width)
        if self.height is not None:
            return Fraction(self.height, height)
        if self.long_side is not None:
            return Fraction(self.long_side, max(width, height))
        # a decimal such as 1.1 is meant as 11/10, not as the binary number beside it
        return Fraction(str(self.factor or DEFAULT_FACTOR))

    @property
    def nominal_factor(self) -> float | None:
        """The factor where one was asked for (or is the default), else None."""
        if self.width or self.height or self.long_side:
            return None
        return self.factor or DEFAULT_FACTOR


def _rounded(side: Fraction) -> int:
    return max(1, math.floor(side + Fraction(1, 2)))
