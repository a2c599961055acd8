"""The short way through a network: from 8-bit tiles to 8-bit rows, with no planes in between.

Most pictures can go it: opaque, 8 bits, in colour, at the network's own factor. The result is that
of the long way, rounded by the engine itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from upres.image.picture import Layout, Rows
from upres.models.spec import Channels
from upres.upscale.flat import MARGIN_PX, Piece, Sparing
from upres.upscale.mixing import interpolated, mix_levels, place
from upres.upscale.rows import RowReader
from upres.upscale.steps import quantized, to_planes
from upres.upscale.tiles import Span, TilePlan, mirrored, needed_rows

if TYPE_CHECKING:
    from upres.engines.base import Session
    from upres.models.spec import ModelSpec
    from upres.upscale.steps import TileSeen

_COLOUR_PLANES = 3
_LEVEL_MAX = 255


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
    sparing: Sparing | None = None,
) -> Iterator[Rows]:
    """Enlarge a picture tile by tile; yields (rows, width * scale, 3) levels, the caller's own.

    `rows`, `tile_done`, `tile_seen` and `sparing` are as for `upres.upscale.steps.tiled_bands`.
    Where the whole result has a place, `into`, the bands are parts of it.
    """
    reader = RowReader(rows)
    scale = spec.scale
    run = partial(_enlarged, session=session, spec=spec)
    spans = needed_rows(plan.rows, layout.height, margin_px=MARGIN_PX if sparing else 0)
    for row, span in zip(plan.rows, spans, strict=True):
        read = reader.read(span)
        lines = read[mirrored(row.source, layout.height) - span.start]
        flats = sparing.along(read, first_row=span.start, row=row) if sparing else None
        if into is None:
            height = row.inner.length * scale
            band = np.empty((height, layout.width * scale, _COLOUR_PLANES), np.uint8)
        else:
            band = into[row.inner.start * scale : row.inner.stop * scale]
        for column in plan.columns:
            tile = lines[:, mirrored(column.source, layout.width)]
            inner, crop = column.inner.scaled(scale), (row.crop, column.crop)
            target = band[:, inner.start : inner.stop]
            pieces = flats.pieces(column) if flats else None
            if pieces is None:
                target[...] = run(tile)[place(crop, scale)]
            else:
                _spare(target, tile, crop, pieces, run)
            if tile_seen is not None:
                tile_seen(row.inner, column.inner, target)
            tile_done()
        yield band


def _spare(
    target: Rows,
    tile: Rows,
    crop: tuple[Span, Span],
    pieces: Iterable[Piece],
    run: Callable[[Rows], Rows],
) -> None:
    """Fill a tile's place with interpolation, and with the network's levels where it matters."""
    plain = interpolated(to_planes(tile), crop, scale=len(target) // crop[0].length)
    target[...] = np.concatenate(list(quantized([plain], sample_max=_LEVEL_MAX)))
    for piece in pieces:
        mix_levels(target[piece.target], run(tile[piece.source])[piece.crop], piece.weights)


def _enlarged(tile: Rows, *, session: Session, spec: ModelSpec) -> Rows:
    """Run the network on samples (rows, width, 3); returns levels."""
    # blue first is the same on the way in and out
    order = slice(None, None, -1 if spec.channels is Channels.BGR else 1)
    planes = to_planes(tile[..., order])
    if spec.value_max != 1:
        planes *= np.float32(spec.value_max)
    return session.run_levels(planes[np.newaxis])[..., order]
