"""The short way through a network: from 8-bit tiles to 8-bit rows, with no planes in between.

Most pictures can go it: opaque, 8 bits, in colour, at the network's own factor. The result is that
of the long way, rounded by the engine itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from upres.image.picture import Layout, Rows
from upres.models.spec import Channels
from upres.upscale.rows import RowReader
from upres.upscale.steps import needed_rows, to_planes
from upres.upscale.tiles import TilePlan, mirrored

if TYPE_CHECKING:
    from upres.engines.base import Session
    from upres.models.spec import ModelSpec
    from upres.upscale.steps import TileSeen

_COLOUR_PLANES = 3


def fits(layout: Layout, spec: ModelSpec) -> bool:
    """Tell whether a picture of that layout and a network suit the short way."""
    colour = layout.planes == _COLOUR_PLANES and not layout.alpha
    return colour and layout.dtype == np.uint8 and spec.channels is not Channels.LUMA


def level_rows(
    rows: Iterable[Rows],
    layout: Layout,
    session: Session,
    spec: ModelSpec,
    *,
    plan: TilePlan,
    tile_done: Callable[[], None],
    tile_seen: TileSeen | None = None,
    into: Rows | None = None,
) -> Iterator[Rows]:
    """Enlarge a picture tile by tile; yields (rows, width * scale, 3) levels, the caller's own.

    `rows`, `tile_done` and `tile_seen` are as for `upres.upscale.steps.tiled_bands`. Where the
    whole result has a place, `into`, the bands are parts of it.
    """
    reader = RowReader(rows)
    scale, white = spec.scale, np.float32(spec.value_max)
    # blue first is the same on the way in and out
    order = slice(None, None, -1 if spec.channels is Channels.BGR else 1)
    for row, span in zip(plan.rows, needed_rows(plan.rows, layout.height), strict=True):
        lines = reader.read(span)[mirrored(row.source, layout.height) - span.start]
        down = row.crop.scaled(scale)
        if into is None:
            band = np.empty((down.length, layout.width * scale, _COLOUR_PLANES), np.uint8)
        else:
            band = into[row.inner.start * scale : row.inner.stop * scale]
        for column in plan.columns:
            planes = to_planes(lines[:, mirrored(column.source, layout.width), order])
            if white != 1:
                planes *= white
            levels = session.run_levels(planes[np.newaxis])
            inner, across = column.inner.scaled(scale), column.crop.scaled(scale)
            band[:, inner.start : inner.stop] = levels[
                down.start : down.stop, across.start : across.stop, order
            ]
            if tile_seen is not None:
                tile_seen(row.inner, column.inner, band[:, inner.start : inner.stop])
            tile_done()
        yield band
