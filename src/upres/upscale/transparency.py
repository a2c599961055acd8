"""Colours under transparency: made up from what is visible around.

A local rule, so that a picture can pass through it in bands of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upres.image.picture import Layout, Rows, Samples
from upres.upscale.rows import RowReader
from upres.upscale.tiles import Span

_RADII = (1, 2, 4, 8, 16, 32)
REACH_PX = _RADII[-1]
"""How far colours are carried: further than any kernel of later work on the result looks."""

FAINT = 4 / 255
"""Share of full alpha below which a pixel's own colour counts for nothing on its own."""
_ENOUGH = 0.5
"""Alpha, in opaque pixels, that must lie in a box before its colour is trusted."""
_BLOCK_ROWS, _BLOCK_COLUMNS = 96, 1024
"""What is filled at a time; bounds memory, changes nothing."""

_Table = NDArray[np.unsignedinteger[Any]]


def filled_rows(rows: Iterable[Rows], layout: Layout) -> Iterator[Rows]:
    """Carry the colours of visible pixels into (nearly) transparent ones, band by band.

    What lies under transparency is arbitrary, often black, and colours of faint pixels are rounded
    coarsely; whoever scales or filters a result without heed of alpha mixes them into the edge and
    draws a fringe. A pixel with alpha below `FAINT` takes the average colour, weighted
    by alpha, of the smallest box around it that holds enough alpha; one with no alpha at all within
    `REACH_PX` becomes mid-gray. Other pixels, and alpha, stay as they are. Works in integers: the
    result does not depend on the bands.
    """
    reader = RowReader(rows)
    for start in range(0, layout.height, _BLOCK_ROWS):
        inner = Span(start, min(start + _BLOCK_ROWS, layout.height))
        around = _widened(inner, layout.height)
        yield _filled(reader.read(around), inner=_within(inner, around), layout=layout)


def _widened(span: Span, length: int) -> Span:
    return Span(max(span.start - REACH_PX, 0), min(span.stop + REACH_PX, length))


def _within(inner: Span, around: Span) -> Span:
    return Span(inner.start - around.start, inner.stop - around.start)


def _filled(samples: Rows, *, inner: Span, layout: Layout) -> Rows:
    """Return the inner rows of a band that has all the rows they depend on."""
    visible = samples[inner.start : inner.stop]
    faint = visible[..., -1] < FAINT * layout.sample_max
    if not faint.any():
        return visible
    result = visible.copy()
    for start in range(0, layout.width, _BLOCK_COLUMNS):
        columns = Span(start, min(start + _BLOCK_COLUMNS, layout.width))
        wanted = faint[:, columns.start : columns.stop]
        if not wanted.any():
            continue
        around = _widened(columns, layout.width)
        down, across = np.nonzero(wanted)
        result[down, across + columns.start, :-1] = _carried(
            samples[:, around.start : around.stop],
            down + inner.start,
            across + columns.start - around.start,
            white=layout.sample_max,
        )
    return result


def _carried(
    samples: Rows, down: NDArray[np.intp], across: NDArray[np.intp], *, white: int
) -> NDArray[Samples]:
    """Return the colours (pixels, planes) for the pixels at those rows and columns."""
    # sums may wrap around in the tables: differences of them are exact all the same
    alpha: _Table = samples[..., -1].astype(np.uint32 if samples.dtype == np.uint8 else np.uint64)
    weights = _summed(alpha)
    colours = np.full((len(down), samples.shape[2] - 1), (white + 1) // 2, samples.dtype)
    open_ = np.flatnonzero(_box(weights, down, across, REACH_PX))
    if not len(open_):
        return colours
    sums = [_summed(alpha * samples[..., plane]) for plane in range(colours.shape[1])]
    for radius in _RADII:
        y, x = down[open_], across[open_]
        weight = _box(weights, y, x, radius)
        known = weight >= (_ENOUGH * white if radius < REACH_PX else 1)
        y, x, weight = y[known], x[known], weight[known]
        for plane, table in enumerate(sums):
            total = _box(table, y, x, radius)
            colours[open_[known], plane] = (total + weight // 2) // weight
        open_ = open_[~known]
    return colours


def _summed(values: _Table) -> _Table:
    """Return the summed-area table, with a row and a column of zeros before the first."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=0, dtype=values.dtype, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, dtype=values.dtype, out=table[1:, 1:])
    return table


def _box(table: _Table, y: NDArray[np.intp], x: NDArray[np.intp], radius: int) -> _Table:
    """Return the sums over the boxes around pixels, as far as the boxes lie in the picture."""
    rows, columns = table.shape
    flat = table.reshape(-1)
    top = np.maximum(y - radius, 0) * columns
    bottom = np.minimum(y + radius + 1, rows - 1) * columns
    left, right = np.maximum(x - radius, 0), np.minimum(x + radius + 1, columns - 1)
    total: _Table = flat[bottom + right] - flat[bottom + left] - flat[top + right]
    total += flat[top + left]
    return total
