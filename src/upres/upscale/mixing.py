"""Interpolation in a network's place, and the way over from one to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upres.image.picture import Rows
from upres.upscale.resample import BICUBIC, Band, resize
from upres.upscale.tiles import Span

FULL_WEIGHT = 256
_MIX_ROWS = 32
"""Rows mixed at a time, so that what lies between stays in the CPU's caches."""

Place = tuple[slice, slice]
"""Rows and columns of an array."""


def place(spans: tuple[Span, Span], scale: int) -> Place:
    """Return where spans lie in what they are spans of, enlarged."""
    down, across = (slice(span.start * scale, span.stop * scale) for span in spans)
    return down, across


def place_in(spans: tuple[Span, Span], outer: tuple[Span, Span], scale: int) -> Place:
    """Return where spans lie in the enlarged outer ones."""
    down, across = (
        Span(span.start - around.start, span.stop - around.start)
        for span, around in zip(spans, outer, strict=True)
    )
    return place((down, across), scale)


def within(span: Span, outer: Span) -> Span:
    """Return the part of a span that lies in another."""
    return Span(max(span.start, outer.start), min(span.stop, outer.stop))


def interpolated(planes: Band, crop: tuple[Span, Span], *, scale: int) -> Band:
    """Return `crop` (rows, columns) of a tile's planes, enlarged by bicubic interpolation."""
    reach = BICUBIC.radius
    _, height, width = planes.shape
    down, across = (
        within(Span(span.start - reach, span.stop + reach), Span(0, side))
        for span, side in zip(crop, (height, width), strict=True)
    )
    part = planes[:, down.start : down.stop, across.start : across.stop]
    large = resize(part, height=part.shape[1] * scale, width=part.shape[2] * scale, kernel=BICUBIC)
    return large[:, *place_in(crop, (down, across), scale)]


def mix_levels(plain: Rows, exact: Rows, weights: NDArray[np.uint16]) -> None:
    """Bring the network's levels into interpolated ones, both (rows, columns, planes) of 8 bits."""
    for start in range(0, len(plain), _MIX_ROWS):
        rows = slice(start, start + _MIX_ROWS)
        # numpy is slow where the last of three axes is short and one operand has none
        share = weights[rows].repeat(plain.shape[2], axis=1).reshape(plain[rows].shape)
        mixed = exact[rows] * share
        mixed += plain[rows] * (FULL_WEIGHT - share)
        mixed += FULL_WEIGHT // 2
        plain[rows] = mixed >> 8


def mix_planes(plain: Band, exact: Band, weights: NDArray[np.uint16]) -> None:
    """Do the same with planes of floats, (planes, rows, columns)."""
    plain += (exact - plain) * (weights.astype(np.float32) / FULL_WEIGHT)
