"""Which parts of a tile must be computed anew when some of its source changed: pure geometry.

A change matters as far as the network reaches; to compute that much, as far again around it has to
be seen. Changes far from each other get windows of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from upres.upscale.tiles import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Rows

_NARROWEST_GAP_PX = 16
"""Changes nearer to each other than this stay together."""
_SIDE_PX = 16
"""Windows have multiples of it as sides, so that engines meet few shapes."""
_WINDOW_OVERHEAD_PX = 2_000
"""What starting one more window costs, in pixels of network work."""


class Box(NamedTuple):
    """A rectangle of a tile."""

    rows: Span
    columns: Span

    @property
    def area_px(self) -> int:
        """How many pixels it has; 0 or less where it has none."""
        return self.rows.length * self.columns.length

    @property
    def slices(self) -> tuple[slice, slice]:
        """The same, as arrays are indexed."""
        return slice(self.rows.start, self.rows.stop), slice(self.columns.start, self.columns.stop)

    def grown(self, margin_px: int) -> Box:
        """Return the box with a margin on all sides."""
        return Box(*(Span(span.start - margin_px, span.stop + margin_px) for span in self))

    def moved(self, down_px: int, right_px: int) -> Box:
        """Return the box elsewhere."""
        ways = zip(self, (down_px, right_px), strict=True)
        return Box(*(Span(span.start + way, span.stop + way) for span, way in ways))

    def seen_from(self, other: Box) -> Box:
        """Return the box counted from where another begins."""
        return self.moved(-other.rows.start, -other.columns.start)

    def scaled(self, scale: int) -> Box:
        """Return the same box in a picture `scale` times larger."""
        return Box(*(span.scaled(scale) for span in self))

    def within(self, other: Box) -> Box:
        """Return what two boxes share; a side of it has no length where they share nothing."""
        spans = []
        for one, two in zip(self, other, strict=True):
            start = max(one.start, two.start)
            spans.append(Span(start, max(start, min(one.stop, two.stop))))
        return Box(*spans)


@dataclass(frozen=True)
class Window:
    """A part of a tile."""

    source: Box
    """What the network is shown."""
    wanted: Box
    """What its result is used for."""


def changed_pixels(before: Rows, now: Rows) -> NDArray[np.bool_]:
    """Tell for every pixel of two pictures of one shape whether any of its samples differ."""
    samples = before != now
    changed: NDArray[np.bool_] = samples[..., 0].copy()
    for plane in range(1, samples.shape[2]):
        changed |= samples[..., plane]
    return changed


def windows(changed: NDArray[np.bool_], inner: Box, *, reach_px: int) -> list[Window]:
    """Return what to compute of a tile in which some pixels changed, and of which `inner` is used.

    In every `wanted` box a network that looks `reach_px` far gives what it gives for the whole
    tile: a window ends with the tile, or that far away from what is wanted of it. Boxes may
    overlap; outside of them the result is as before.
    """
    tile = Box(*(Span(0, length) for length in changed.shape))
    found = []
    for box in _apart(changed, tile, reach_px):
        wanted = box.grown(reach_px).within(inner)
        if wanted.rows.length and wanted.columns.length:
            seen = wanted.grown(reach_px).within(tile)
            sides = zip(seen, tile, strict=True)
            source = Box(*(_rounded(span, end.stop) for span, end in sides))
            found.append(Window(source=source, wanted=wanted))
    return found


def _apart(changed: NDArray[np.bool_], within: Box, reach_px: int) -> list[Box]:
    """Return boxes around all changes, cut where nothing changes if that saves work."""
    box = _bounds(changed, within)
    if box is None:
        return []
    parts: list[Box] = []
    for half in _halves(changed, box):
        parts += _apart(changed, half, reach_px)
    if not parts or _cost(parts, changed.shape, reach_px) >= _cost([box], changed.shape, reach_px):
        return [box]
    return parts


def _bounds(changed: NDArray[np.bool_], within: Box) -> Box | None:
    part = changed[within.slices]
    rows = np.flatnonzero(part.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(part.any(axis=0))
    return Box(
        *(
            Span(span.start + int(lines[0]), span.start + int(lines[-1]) + 1)
            for span, lines in zip(within, (rows, columns), strict=True)
        )
    )


def _halves(changed: NDArray[np.bool_], box: Box) -> tuple[Box, ...]:
    """Cut a box at the widest gap that goes right across it; nothing where there is none."""
    part = changed[box.slices]
    gaps = []
    for axis in range(2):
        lines = np.flatnonzero(part.any(axis=1 - axis))
        steps = np.diff(lines)
        if len(steps):
            widest = int(steps.argmax())
            gaps.append((int(steps[widest]), axis, int(lines[widest]), int(lines[widest + 1])))
    width, axis, last, first = max(gaps, default=(0, 0, 0, 0))
    if width <= _NARROWEST_GAP_PX:
        return ()
    span = box[axis]
    low = Span(span.start, span.start + last + 1)
    high = Span(span.start + first, span.stop)
    if axis == 0:
        return Box(low, box.columns), Box(high, box.columns)
    return Box(box.rows, low), Box(box.rows, high)


def _cost(boxes: list[Box], shape: tuple[int, ...], reach_px: int) -> int:
    tile = Box(*(Span(0, length) for length in shape))
    seen = (box.grown(2 * reach_px).within(tile) for box in boxes)
    return sum(box.area_px + _WINDOW_OVERHEAD_PX for box in seen)


def _rounded(span: Span, end: int) -> Span:
    """Lengthen a span to a multiple of the usual side, or to the whole, inside of 0 to `end`."""
    length = min(-(-span.length // _SIDE_PX) * _SIDE_PX, end)
    start = min(span.start, end - length)
    return Span(start, start + length)
