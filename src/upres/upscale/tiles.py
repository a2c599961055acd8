"""Where tiles lie: pure geometry, no pixels.

Every tile of a plan has the same shape, because engines prepare themselves for a shape; shapes come
from a short list. A picture shorter than the longest listed side is extended to a listed one at
its right and lower edge, as in a mirror; whatever the tiles, the network sees the same extended
picture and its edges, and only borders between tiles need a halo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

TILE_SIDES_PX = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 416, 448, 480, 512)
"""Sides a tile may have, halo included; multiples of 16 suit every network met so far."""

_TILE_OVERHEAD_PX = 2_000
"""What starting one more tile costs, in pixels of network work; keeps ties from going tiny."""


@dataclass(frozen=True)
class Span:
    """A half-open range along one axis, in input pixels."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Pixels in the range."""
        return self.stop - self.start

    def scaled(self, scale: int) -> Span:
        """Return the same range in a picture `scale` times larger."""
        return Span(self.start * scale, self.stop * scale)


@dataclass(frozen=True)
class Step:
    """One tile's place along one axis: it reads `source` and answers for `inner`."""

    source: Span
    """Tile side long; may reach past the picture's end, where the mirror is."""
    inner: Span
    """Inside the picture; the inner spans of an axis cover it once."""

    @property
    def crop(self) -> Span:
        """`inner` counted from the start of `source`."""
        return Span(self.inner.start - self.source.start, self.inner.stop - self.source.start)


@dataclass(frozen=True)
class TilePlan:
    """Equal tiles that cover a picture: every row step with every column step."""

    rows: tuple[Step, ...]
    columns: tuple[Step, ...]

    @property
    def tile_height(self) -> int:
        """Rows of every tile, halo included."""
        return self.rows[0].source.length

    @property
    def tile_width(self) -> int:
        """Columns of every tile, halo included."""
        return self.columns[0].source.length

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.columns)

    @property
    def computed_px(self) -> int:
        """Input pixels the network sees in all, waste included."""
        return self.tiles * self.tile_height * self.tile_width


def plan_tiles(
    width: int,
    height: int,
    *,
    halo_px: int,
    budget_px: int,
    tallest_px: int | None = None,
    sides_px: tuple[int, ...] = TILE_SIDES_PX,
) -> TilePlan:
    """Choose the tile shape that wastes the fewest pixels within a budget, and place the tiles.

    `budget_px` bounds the pixels of one tile (memory); the smallest shape is used when even that
    passes it. `tallest_px` bounds the rows of a tile, for very wide pictures. Sizes are input
    pixels, at least 1.
    """
    tall_options = _axis_options(height, halo_px=halo_px, sides_px=sides_px)
    wide_options = _axis_options(width, halo_px=halo_px, sides_px=sides_px)
    plans = [
        TilePlan(rows=rows, columns=columns)
        for rows, columns in product(tall_options, wide_options)
    ]
    if tallest_px is not None:
        low = [plan for plan in plans if plan.tile_height <= tallest_px]
        lowest = min(plan.tile_height for plan in plans)
        plans = low or [plan for plan in plans if plan.tile_height == lowest]
    affordable = [plan for plan in plans if plan.tile_height * plan.tile_width <= budget_px]
    return min(
        affordable or [min(plans, key=lambda plan: plan.tile_height * plan.tile_width)],
        key=lambda plan: (plan.computed_px + plan.tiles * _TILE_OVERHEAD_PX, plan.tiles),
    )


def whole_plan(width: int, height: int, *, sides_px: tuple[int, ...] = TILE_SIDES_PX) -> TilePlan:
    """Return the plan of one tile over the whole picture: what tiled results are held against."""
    rows, columns = (
        _steps(length, side=_extended(length, sides_px), halo_px=0, sides_px=sides_px)
        for length in (height, width)
    )
    return TilePlan(rows=rows, columns=columns)


def _extended(length: int, sides_px: tuple[int, ...]) -> int:
    """Return how long the network sees an axis: it depends on the picture alone."""
    return next((side for side in sides_px if side >= length), length)


def _axis_options(
    length: int, *, halo_px: int, sides_px: tuple[int, ...]
) -> list[tuple[Step, ...]]:
    """Return the ways to cut one axis, the shortest tile side first."""
    extended = _extended(length, sides_px)
    usable = [side for side in sides_px if side == extended or (2 * halo_px < side < extended)]
    if not usable:
        raise ValueError(f"no tile side of {sides_px} has room for a halo of {halo_px} px")
    return [_steps(length, side=side, halo_px=halo_px, sides_px=sides_px) for side in usable]


def _steps(length: int, *, side: int, halo_px: int, sides_px: tuple[int, ...]) -> tuple[Step, ...]:
    """Place tiles of one side along one axis, flush with both of its ends.

    The last tile is drawn back to end where the axis ends: what is read twice are real pixels.
    """
    extended = _extended(length, sides_px)
    steps: list[Step] = []
    start = 0
    while start < length:
        first = min(max(start - halo_px, 0), extended - side)
        last = first + side
        stop = length if last == extended else min(last - halo_px, length)
        steps.append(Step(source=Span(first, last), inner=Span(start, stop)))
        start = stop
    return tuple(steps)


def mirrored(span: Span, length: int) -> NDArray[np.intp]:
    """Return the indices that `span` means along an axis of `length` pixels, mirrored at its ends.

    The edge pixel is repeated, so an axis of one pixel works too.
    """
    index = np.arange(span.start, span.stop) % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def needed_rows(steps: Sequence[Step], height: int, *, margin_px: int = 0) -> list[Span]:
    """Return for each row of tiles the source rows it and the rows of tiles below it start from.

    The mirror past the lower edge of a low picture may reach back above what its tiles start with.
    With a margin there are so many more rows around what the tiles answer for, as far as there are.
    """
    spans: list[Span] = []
    first = height
    for step in reversed(steps):
        read = mirrored(step.source, height)
        first = min(first, int(read.min()), max(step.inner.start - margin_px, 0))
        last = max(int(read.max()) + 1, min(step.inner.stop + margin_px, height))
        spans.append(Span(first, last))
    return spans[::-1]
