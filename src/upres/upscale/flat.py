"""Where a picture is so flat that bicubic interpolation is as good as a network, and cheaper.

Detail is what a slight blur takes away. A block whose detail reaches the network's limit belongs to
the network with a ring of blocks around it; flat parts too small to save anything do too. Between
network and interpolation the result goes over in a ramp one block wide. All of this follows from
the picture alone, wherever tiles lie, so that no border can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upres.image.picture import Rows
from upres.models.spec import ModelSpec
from upres.upscale.cover import Mask, covered
from upres.upscale.mixing import FULL_WEIGHT, Place, place_in, within
from upres.upscale.tiles import Span, Step

FLAT_VERSION = 1
"""Add 1 with every change of where the network is spared, or of what stands in for it."""

BLOCK_PX = 8
_AROUND = 4
"""Blocks beyond a part that decide about its own: ring, smallest flat part, ramp."""
MARGIN_PX = (_AROUND + 1) * BLOCK_PX + 1
"""So far beyond a part its own flatness depends on the picture."""
_CELL = 2
"""Blocks of a side of the cells that rectangles are made of."""
_PART_OVERHEAD_PX = 1_000
"""What one more part costs, in pixels of network work."""
_WHOLE = 0.9
"""Parts that cost this share of the whole tile are not worth it."""
_LEVELS = 255


@dataclass
class Tally:
    """How much of a picture was left to interpolation, in source pixels; grows tile by tile."""

    pixels: int = 0
    interpolated: int = 0
    network: int = 0
    """Given to the network, what lies around parts included."""

    @property
    def share(self) -> float:
        """Interpolated share of the picture, 0 to 1."""
        return self.interpolated / self.pixels if self.pixels else 0.0


@dataclass(frozen=True)
class Piece:
    """What the network computes of a tile."""

    source: Place
    """Of the tile's samples: what the network is given."""
    crop: Place
    """Of what it makes of them: what counts."""
    target: Place
    """Where that belongs in the enlarged inner part of the tile."""
    weights: NDArray[np.uint16]
    """The network's share in each of those pixels, 0 to 256 of 256."""


@dataclass(frozen=True)
class _Part:
    """A piece in pixels of the picture: rows, columns."""

    inner: tuple[Span, Span]
    source: tuple[Span, Span]
    """With what it needs around it; inside the tile's source."""


def block_detail(samples: Rows, *, above: int, below: int) -> NDArray[np.float32]:
    """Return the mean squared detail of every block's busiest quarter, in levels of 255.

    `samples` are (rows, width, planes) with `above` and `below` (0 or 1) rows more than the blocks;
    at an edge, and to fill the last blocks, the picture is mirrored.
    """
    planes = samples.transpose(2, 0, 1).astype(np.float32)
    planes *= np.float32(_LEVELS / np.iinfo(samples.dtype).max)
    rows, width = planes.shape[1] - above - below, planes.shape[2]
    down, across = -rows % BLOCK_PX, -width % BLOCK_PX
    pad = ((0, 0), (1 - above, 1 - below + down), (1, 1 + across))
    planes = np.pad(planes, pad, mode="symmetric")
    soft = planes[:, :-2] + 2 * planes[:, 1:-1] + planes[:, 2:]
    soft = soft[..., :-2] + 2 * soft[..., 1:-1] + soft[..., 2:]
    fine = planes[:, 1:-1, 1:-1] - soft / 16
    side = BLOCK_PX // 2
    parts = fine.reshape(len(fine), (rows + down) // side, side, -1, side)
    energy: NDArray[np.float32] = np.einsum("chiwj,chiwj->hw", parts, parts)
    energy /= len(fine) * side**2
    quarters = energy.reshape(energy.shape[0] // 2, 2, -1, 2)
    busiest: NDArray[np.float32] = quarters.max(axis=(1, 3))
    return busiest


def flat_blocks(detail: NDArray[np.float32], *, below: float) -> Mask:
    """Return the blocks that interpolation does: flat, nothing near them, and many together.

    All but the outermost `_AROUND` of an edge that is not the picture's are right.
    """
    near = ~_grown(detail >= below)
    return _grown(~_grown(~near))  # parts narrower than three blocks are gone


def _grown(mask: Mask) -> Mask:
    wide = np.pad(mask, 1, mode="edge")
    wide = wide[:-2] | wide[1:-1] | wide[2:]
    return wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]


@dataclass(frozen=True)
class Sparing:
    """Leaves what is flat of one picture to interpolation, and counts it."""

    spec: ModelSpec
    """Its `flat_below` is the limit."""
    tally: Tally

    def along(self, lines: Rows, *, first_row: int, row: Step) -> FlatMap:
        """Look at a row of tiles.

        `lines` are the picture's from `first_row` on, and go `MARGIN_PX` beyond what the tiles
        answer for; fewer mean that the picture begins or ends there.
        """
        return FlatMap(lines, first_row=first_row, row=row, sparing=self)


class FlatMap:
    """The flat parts along one row of tiles."""

    def __init__(self, lines: Rows, *, first_row: int, row: Step, sparing: Sparing) -> None:
        self._row, self._spec, self._tally = row, sparing.spec, sparing.tally
        self._height = first_row + len(lines)
        start = max(row.inner.start // BLOCK_PX - _AROUND, 0)
        end = min((-(-row.inner.stop // BLOCK_PX) + _AROUND) * BLOCK_PX, self._height)
        begin = start * BLOCK_PX
        above, below = min(begin - first_row, 1), min(self._height - end, 1)
        wanted = lines[begin - above - first_row : end + below - first_row]
        detail = block_detail(wanted, above=above, below=below)
        self._first_block = start
        self._flat = flat_blocks(detail, below=self._spec.flat_below)
        wide = np.pad(self._flat, 1, mode="edge")
        touched = wide[:-1, :-1] | wide[:-1, 1:] | wide[1:, :-1] | wide[1:, 1:]
        self._corners = (~touched).astype(np.float32)
        """For each corner of blocks, 0 beside a flat block, else 1: the network's weight."""

    def pieces(self, column: Step) -> tuple[Piece, ...] | None:
        """Return what the network has to compute of a tile, all of it where that is None.

        The rest is interpolated.
        """
        inner, tile = (self._row.inner, column.inner), (self._row.source, column.source)
        flat = self._flat_of(inner)
        self._tally.pixels += _area(inner)
        if self._network_alone(inner):
            self._tally.network += _area(tile)
            return None
        parts = self._parts(flat, column)
        if sum(_area(one.source) + _PART_OVERHEAD_PX for one in parts) > _WHOLE * _area(tile):
            parts = (_Part(inner=inner, source=tile),)
        self._tally.network += sum(_area(one.source) for one in parts)
        down, across = (_lengths(_blocks(span), span) for span in inner)
        self._tally.interpolated += int(down @ flat @ across)
        return tuple(self._piece(one, tile=tile, inner=inner) for one in parts)

    def _network_alone(self, inner: tuple[Span, Span]) -> bool:
        """Tell whether nothing is flat there, nor just beyond it, where a ramp would begin."""
        down, across = map(_blocks, inner)
        rows = slice(down.start - self._first_block, down.stop + 1 - self._first_block)
        return bool(self._corners[rows, across.start : across.stop + 1].all())

    def _flat_of(self, inner: tuple[Span, Span]) -> Mask:
        down, across = map(_blocks, inner)
        top = self._first_block
        return self._flat[down.start - top : down.stop - top, across.start : across.stop]

    def _parts(self, flat: Mask, column: Step) -> tuple[_Part, ...]:
        side, around = _CELL * BLOCK_PX, 2 * self._flat_halo_px

        def cost(rows: Any, columns: Any) -> Any:
            return (rows * side + around) * (columns * side + around) + _PART_OVERHEAD_PX

        return tuple(
            self._part(cells.rows, cells.columns, column) for cells in covered(_pooled(~flat), cost)
        )

    def _piece(self, part: _Part, *, tile: tuple[Span, Span], inner: tuple[Span, Span]) -> Piece:
        scale = self._spec.scale
        return Piece(
            source=place_in(part.source, tile, 1),
            crop=place_in(part.inner, part.source, scale),
            target=place_in(part.inner, inner, scale),
            weights=self._weights(part.inner),
        )

    @property
    def _flat_halo_px(self) -> int:
        """What a part needs beyond its ramp, where what it is cut from is flat."""
        return max(2, self._spec.halo_px - BLOCK_PX)

    def _part(self, rows: Span, columns: Span, column: Step) -> _Part:
        down = _pixels(rows, _blocks(self._row.inner), self._row.inner)
        across = _pixels(columns, _blocks(column.inner), column.inner)
        full, flat = self._spec.halo_px, self._flat_halo_px
        y, x = _blocks(down), _blocks(across)
        top = self._first_block
        beside = (
            self._busy(Span(y.start - 1 - top, y.start - top), x),
            self._busy(Span(y.stop - top, y.stop + 1 - top), x),
            self._busy(Span(y.start - top, y.stop - top), Span(x.start - 1, x.start)),
            self._busy(Span(y.start - top, y.stop - top), Span(x.stop, x.stop + 1)),
        )
        halo = [full if busy else flat for busy in beside]
        return _Part(
            inner=(down, across),
            source=(
                within(Span(down.start - halo[0], down.stop + halo[1]), self._row.source),
                within(Span(across.start - halo[2], across.stop + halo[3]), column.source),
            ),
        )

    def _busy(self, rows: Span, columns: Span) -> bool:
        """Tell whether the network goes on there, or the picture ends."""
        high, wide = self._flat.shape
        if rows.start < 0 or columns.start < 0 or rows.stop > high or columns.stop > wide:
            return True
        return not self._flat[rows.start : rows.stop, columns.start : columns.stop].all()

    def _weights(self, inner: tuple[Span, Span]) -> NDArray[np.uint16]:
        scale = self._spec.scale
        upper, lower, y = _between(inner[0], scale, first=self._first_block)
        left, right, x = _between(inner[1], scale, first=0)
        y = y[:, np.newaxis]
        rows = self._corners[upper] * (1 - y) + self._corners[lower] * y
        mixed = rows[:, left] * (1 - x) + rows[:, right] * x
        return np.rint(mixed * FULL_WEIGHT).astype(np.uint16)


def _blocks(span: Span) -> Span:
    """Return the blocks that pixels lie in."""
    return Span(span.start // BLOCK_PX, -(-span.stop // BLOCK_PX))


def _pixels(cells: Span, blocks: Span, inner: Span) -> Span:
    """Return the pixels of cells that are counted from the first of `blocks`."""
    side = _CELL * BLOCK_PX
    first = blocks.start * BLOCK_PX
    return within(Span(first + cells.start * side, first + cells.stop * side), inner)


def _area(spans: tuple[Span, Span]) -> int:
    return spans[0].length * spans[1].length


def _pooled(mask: Mask) -> Mask:
    """Return which cells hold a marked block."""
    rows, columns = mask.shape
    mask = np.pad(mask, ((0, -rows % _CELL), (0, -columns % _CELL)))
    pooled: Mask = mask.reshape(mask.shape[0] // _CELL, _CELL, -1, _CELL).max(axis=(1, 3))
    return pooled


def _lengths(blocks: Span, inner: Span) -> NDArray[np.int64]:
    """Return how many pixels of a span lie in each of its blocks."""
    starts = np.arange(blocks.start, blocks.stop) * BLOCK_PX
    return np.minimum(starts + BLOCK_PX, inner.stop) - np.maximum(starts, inner.start)


def _between(
    span: Span, scale: int, *, first: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for enlarged pixels the corners before and after them, and how near the latter is."""
    place = (np.arange(span.start * scale, span.stop * scale) + 0.5) / (scale * BLOCK_PX) - first
    corner = place.astype(np.intp)
    return corner, corner + 1, (place - corner).astype(np.float32)
