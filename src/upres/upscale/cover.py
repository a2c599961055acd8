"""Covers the marked cells of a grid with rectangles, where each rectangle also costs its margins.

Recursive cuts, the best first; a cut is kept where it costs less than the rectangle it divides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upres.upscale.tiles import Span

Mask = NDArray[np.bool_]
Cost = Callable[[Any, Any], Any]
"""What a rectangle of so many rows and columns of cells costs; takes arrays too."""

_FULL = 0.9
"""A rectangle marked in this share of its cells is not divided any more."""


@dataclass(frozen=True)
class Rectangle:
    """Cells that are computed together."""

    rows: Span
    columns: Span


def covered(mask: Mask, cost: Cost) -> list[Rectangle]:
    """Return rectangles that hold every marked cell of (rows, columns), none of them twice."""
    return _covered(mask, 0, 0, cost)[1]


def _covered(mask: Mask, top: int, left: int, cost: Cost) -> tuple[float, list[Rectangle]]:
    """Cover a part of the grid that begins at `top`, `left`; returns the cost, too."""
    down = np.flatnonzero(mask.any(axis=1))
    if not len(down):
        return 0.0, []
    across = np.flatnonzero(mask.any(axis=0))
    mask = mask[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    top, left = top + int(down[0]), left + int(across[0])
    height, width = mask.shape
    whole = Rectangle(Span(top, top + height), Span(left, left + width))
    own = float(cost(height, width))
    if mask.mean() >= _FULL:
        return own, [whole]
    over_rows, row = _best_cut(mask, cost)
    over_columns, column = _best_cut(mask.T, lambda rows, columns: cost(columns, rows))
    if over_rows <= over_columns:
        parts = [(mask[:row], top, left), (mask[row:], top + row, left)]
    else:
        parts = [(mask[:, :column], top, left), (mask[:, column:], top, left + column)]
    divided = [_covered(part, y, x, cost) for part, y, x in parts]
    if sum(spent for spent, _ in divided) < own:
        return sum(spent for spent, _ in divided), [one for _, found in divided for one in found]
    return own, [whole]


def _best_cut(mask: Mask, cost: Cost) -> tuple[float, int]:
    """Return the cheapest place to cut between rows: the cost of what is marked on both sides.

    The first and the last row and column of the mask have a mark.
    """
    rows, columns = mask.shape
    if rows == 1:
        return float("inf"), 1
    marked = mask.any(axis=1)
    first = np.where(marked, mask.argmax(axis=1), columns)
    last = np.where(marked, columns - mask[:, ::-1].argmax(axis=1), 0)
    place = np.arange(rows)
    bottom = np.maximum.accumulate(np.where(marked, place + 1, 0))
    top = np.minimum.accumulate(np.where(marked, place, rows)[::-1])[::-1]
    above = cost(bottom, np.maximum.accumulate(last) - np.minimum.accumulate(first))
    reach = np.maximum.accumulate(last[::-1]) - np.minimum.accumulate(first[::-1])
    below = cost(rows - top, reach[::-1])
    both = above[:-1] + below[1:]
    # of equally good places the one where the rows differ most: a hole begins or ends there
    unlike = (mask[1:] != mask[:-1]).sum(axis=1)
    best = int(np.lexsort((-unlike, both))[0])
    return float(both[best]), best + 1
