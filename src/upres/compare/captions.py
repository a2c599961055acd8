"""What is said of each picture: its name, its size, its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upres.compare.pictures import Letter, Side


@dataclass(frozen=True, kw_only=True)
class Caption:
    """The words under one picture."""

    letter: Letter
    name: str
    size: str
    """Of the file, and how it was brought to the common size where that is another."""
    scores: tuple[str, ...]
    """None where there is no truth to score against."""

    @property
    def line(self) -> str:
        """All but the name."""
        return "  ".join((self.size, *self.scores))


def caption(side: Side, *, scores: dict[str, float]) -> Caption:
    """Describe a picture; `scores` are PSNR-Y in dB, inf for equal pictures, and maybe SSIM-Y."""
    size = f"{side.header.width}x{side.header.height}"
    return Caption(
        letter=side.letter,
        name=side.name,
        size=size if side.fit is None else f"{size}, enlarged ({side.fit})",
        scores=tuple(_score(name, value) for name, value in scores.items()),
    )


def _score(name: str, value: float) -> str:
    if not name.startswith("PSNR"):
        return f"{name} {value:.4f}"
    return f"{name} {value:.2f} dB" if value != float("inf") else f"{name} infinite"
