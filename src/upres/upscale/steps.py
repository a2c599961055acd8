"""The steps between a picture and its enlargement, each from planes to planes.

Inside, pictures are float32 planes (planes, rows, width) with black at 0 and white at 1, colours
multiplied by alpha where there is one; they come as bands of rows from the top, so that no step
holds a whole enlarged picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upres.errors import Cancelled
from upres.image.picture import Layout, Rows, Samples
from upres.models.spec import Channels
from upres.upscale.alpha import neighbour_range, over_white, premultiply, split_alpha
from upres.upscale.flat import MARGIN_PX, Piece, Sparing
from upres.upscale.mixing import interpolated, mix_planes
from upres.upscale.resample import BICUBIC, Band, portions, resize
from upres.upscale.rows import RowReader
from upres.upscale.tiles import Span, TilePlan, mirrored, needed_rows

if TYPE_CHECKING:
    from upres.engines.base import Session
    from upres.models.spec import ModelSpec

TileFunction = Callable[[Band], Band]
"""Enlarges one tile of planes by a whole factor."""

TileSeen = Callable[[Span, Span, NDArray[Any]], None]
"""Shown a finished tile: the rows and columns of the source that it answers for, and its pixels
(rows, columns, planes) at the network's own factor, as levels of 8 bits or as planes in float32.
They are a view that is another tile's afterwards."""

PLAIN_ROWS = 64
"""Source rows that an interpolation takes at a time."""

_SPLIT_ROWS = 8
"""Source rows of a tile whose alpha is found at a time."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""BT.601 weights of R, G, B, full range: JPEG's luma, which the luma models were trained on."""


def to_planes(samples: NDArray[Samples]) -> Band:
    """Turn (rows, width, planes) integer samples into float planes in 0..1."""
    white = np.iinfo(samples.dtype).max
    return np.divide(samples.transpose(2, 0, 1), white, dtype=np.float32, order="C")


def network_function(spec: ModelSpec, session: Session) -> TileFunction:
    """Wrap a network so that it takes gray or RGB planes in 0..1, whatever it was made for."""

    def run(planes: Band) -> Band:
        white = np.float32(spec.value_max)
        enlarged: Band = session.run(planes[np.newaxis] * white)[0]
        if white != 1:
            enlarged /= white
        return enlarged

    def enlarge(planes: Band) -> Band:
        gray = len(planes) == 1
        if spec.channels is Channels.LUMA:
            return run(planes) if gray else _luma_apart(planes, run, scale=spec.scale)
        if gray:
            return np.tensordot(_LUMA, _ordered(run(np.repeat(planes, 3, axis=0)), spec), axes=1)[
                np.newaxis
            ]
        return _ordered(run(_ordered(planes, spec)), spec)

    return enlarge


def _ordered(planes: Band, spec: ModelSpec) -> Band:
    """Swap R and B for networks that want blue first; its own inverse."""
    return np.ascontiguousarray(planes[::-1]) if spec.channels is Channels.BGR else planes


def _luma_apart(planes: Band, run: TileFunction, *, scale: int) -> Band:
    """Give luma to the network and chroma to bicubic interpolation."""
    luma = np.tensordot(_LUMA, planes, axes=1)
    chroma = np.stack([planes[2] - luma, planes[0] - luma])
    height, width = luma.shape[0] * scale, luma.shape[1] * scale
    blue, red = resize(chroma, height=height, width=width, kernel=BICUBIC)
    enlarged = run(luma[np.newaxis])[0]
    green = -(_LUMA[0] * red + _LUMA[2] * blue) / _LUMA[1]
    return np.stack([enlarged + red, enlarged + green, enlarged + blue])


def self_ensemble(
    function: TileFunction, *, pass_done: Callable[[], None] = lambda: None
) -> TileFunction:
    """Average over the eight flips and turns of a tile (Timofte et al. 2016): slower, better.

    `pass_done` is called after each of the eight and may raise to stop.
    """

    def enlarge(planes: Band) -> Band:
        total: Band | None = None
        for turned in (planes, planes.transpose(0, 2, 1)):
            for flips in ((), (1,), (2,), (1, 2)):
                result = np.flip(function(np.ascontiguousarray(np.flip(turned, flips))), flips)
                result = result if turned is planes else result.transpose(0, 2, 1)
                total = result.copy() if total is None else total + result
                pass_done()
        assert total is not None  # noqa: S101 - for the type checker
        return total / np.float32(8)

    return enlarge


def tiled_bands(
    rows: Iterable[Rows],
    layout: Layout,
    function: TileFunction,
    *,
    plan: TilePlan,
    scale: int,
    tile_done: Callable[[], None],
    tile_seen: TileSeen | None = None,
    sparing: Sparing | None = None,
) -> Iterator[Band]:
    """Enlarge a picture tile by tile; yields bands that are the caller's.

    `rows` bring the picture from the top in bands of any heights; what one row of tiles needs is
    held, and its result. Colours come out multiplied by alpha where there is one. `tile_done` is
    called after every tile, twice where there is alpha, and may raise to stop; `tile_seen` is shown
    every tile. `sparing` leaves flat parts to interpolation, never where there is alpha.
    """
    if layout.alpha:
        sparing = None
    reader = RowReader(rows)
    tallest = max(step.inner.length for step in plan.rows)
    held = np.empty((layout.planes, tallest * scale, layout.width * scale), np.float32)
    spans = needed_rows(plan.rows, layout.height, margin_px=MARGIN_PX if sparing else 0)
    for row, span in zip(plan.rows, spans, strict=True):
        read = reader.read(span)
        lines = read[mirrored(row.source, layout.height) - span.start]
        flats = sparing.along(read, first_row=span.start, row=row) if sparing else None
        band = held[:, : row.inner.length * scale]
        for column in plan.columns:
            tile = lines[:, mirrored(column.source, layout.width)]
            inner = column.inner.scaled(scale)
            target = band[:, :, inner.start : inner.stop]
            crop = (row.crop, column.crop)
            if layout.alpha:
                _enlarge_seen(tile, function, target, crop, tile_done)
            else:
                pieces = flats.pieces(column) if flats else None
                _enlarge_opaque(to_planes(tile), function, target, crop, pieces)
                tile_done()
            if tile_seen is not None:
                tile_seen(row.inner, column.inner, np.moveaxis(target, 0, -1))
        for start, stop in portions(band):
            yield band[:, start:stop].copy()


def _enlarge_opaque(
    planes: Band,
    function: TileFunction,
    target: Band,
    crop: tuple[Span, Span],
    pieces: Iterable[Piece] | None,
) -> None:
    """Fill `target` with a tile: all of it the network's, or pieces among interpolation."""
    scale = target.shape[1] // crop[0].length
    if pieces is None:
        # an enlarged tile gets no name: it would live on beside the next one
        target[...] = _cropped(function(planes), crop, scale)
        return
    target[...] = interpolated(planes, crop, scale=scale)
    for piece in pieces:
        part = function(np.ascontiguousarray(planes[:, *piece.source]))[:, *piece.crop]
        mix_planes(target[:, *piece.target], part, piece.weights)


def _enlarge_seen(
    tile: NDArray[Samples],
    function: TileFunction,
    target: Band,
    crop: tuple[Span, Span],
    tile_done: Callable[[], None],
) -> None:
    """Fill `target` with a tile that has alpha, enlarged as it is seen: over black, over white.

    Two passes, since networks know ordinary pictures and nothing of alpha; one is enough where
    nothing shines through, none where nothing is seen. `crop` is in source pixels.
    """
    planes = to_planes(tile)
    least, most = planes[-1].min(), planes[-1].max()
    premultiply(planes)
    scale = target.shape[1] // crop[0].length
    if most == 0:
        target[...] = 0
        tile_done()
    else:
        target[:-1] = _cropped(function(planes[:-1]), crop, scale)
        tile_done()
        if least == 1:
            target[-1] = 1
        else:
            _split(target, _cropped(function(over_white(planes)), crop, scale), tile, crop)
    tile_done()


def _split(target: Band, white: Band, tile: NDArray[Samples], crop: tuple[Span, Span]) -> None:
    """Split alpha off an enlarged tile, a few source rows at a time to save memory."""
    down, across = crop
    scale = white.shape[1] // down.length
    ranges = [
        part[down.start : down.stop, across.start : across.stop] for part in neighbour_range(tile)
    ]
    for start in range(0, down.length, _SPLIT_ROWS):
        rows = slice(start, start + _SPLIT_ROWS)
        fine = slice(start * scale, (start + _SPLIT_ROWS) * scale)
        near = (
            to_planes(part[rows]).repeat(scale, axis=1).repeat(scale, axis=2) for part in ranges
        )
        split_alpha(target[:, fine], white[:, fine], *near)


def _cropped(enlarged: Band, crop: tuple[Span, Span], scale: int) -> Band:
    down, across = (span.scaled(scale) for span in crop)
    return enlarged[:, down.start : down.stop, across.start : across.stop]


def plain_bands(
    rows: Iterable[Rows], layout: Layout, *, band_done: Callable[[], None]
) -> Iterator[Band]:
    """Hand a picture on at its size, in bands of `PLAIN_ROWS` rows whatever it comes in.

    Colours come out multiplied by alpha where there is one. `band_done` is called
    after every band was used and may raise to stop.
    """
    for band in RowReader(rows).bands(layout.height, rows=PLAIN_ROWS):
        planes = to_planes(band)
        if layout.alpha:
            premultiply(planes)
        yield planes
        band_done()


def softened(bands: Iterable[Band], *, strength: float) -> Iterator[Band]:
    """Blend towards a 3x3 binomial blur, against an overdrawn, painted look.

    `strength` is 0 (unchanged) to 1 (the blur itself). The edge pixel is repeated outside.
    """
    if strength == 0:
        yield from bands
        return
    above: Band | None = None
    held: Band | None = None
    for band in bands:
        if held is not None:
            yield _soft(held, above=above, below=band[:, :1], strength=strength)
            above = held[:, -1:]
        held = band
    if held is not None:
        yield _soft(held, above=above, below=None, strength=strength)


def _soft(band: Band, *, above: Band | None, below: Band | None, strength: float) -> Band:
    top = band[:, :1] if above is None else above
    bottom = band[:, -1:] if below is None else below
    tall = np.concatenate([top, band, bottom], axis=1)
    blurred = (tall[:, :-2] + 2 * band + tall[:, 2:]) / 4
    wide = np.concatenate([blurred[..., :1], blurred, blurred[..., -1:]], axis=2)
    blurred = (wide[..., :-2] + 2 * blurred + wide[..., 2:]) / 4
    soft: Band = band + np.float32(strength) * (blurred - band)
    return soft


def quantized(bands: Iterable[Band], *, sample_max: int) -> Iterator[Rows]:
    """Round planes in 0..1 to integer samples (rows, width, planes), clipping what passes."""
    dtype: type[Samples] = np.uint8 if sample_max == np.iinfo(np.uint8).max else np.uint16
    for band in bands:
        levels = np.clip(band, 0, 1)
        levels *= np.float32(sample_max)
        levels += np.float32(0.5)
        samples = np.empty((*band.shape[1:], len(band)), dtype)
        for plane, values in enumerate(levels):
            samples[..., plane] = values
        yield samples


def check_cancelled(cancel: Callable[[], bool] | None) -> None:
    """Raise Cancelled when the caller asked to stop."""
    if cancel is not None and cancel():
        raise Cancelled
