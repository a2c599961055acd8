"""The steps between a picture and its enlargement, each from planes to planes.

Inside, pictures are float32 planes (planes, rows, width) with black at 0 and white at 1; they come
as bands of rows from the top, so that no step holds a whole enlarged picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upres.errors import Cancelled
from upres.image.picture import Samples
from upres.models.spec import Channels
from upres.upscale.resample import BICUBIC, Band, resize
from upres.upscale.tiles import Step, TilePlan, mirrored

if TYPE_CHECKING:
    from upres.engines.base import Session
    from upres.models.spec import ModelSpec

TileFunction = Callable[[Band], Band]
"""Enlarges one tile of planes by a whole factor."""

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
        enlarged: Band = session.run(planes[np.newaxis] * white)[0] / white
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


def self_ensemble(function: TileFunction) -> TileFunction:
    """Average over the eight flips and turns of a tile (Timofte et al. 2016): slower, better."""

    def enlarge(planes: Band) -> Band:
        total: Band | None = None
        for turned in (planes, planes.transpose(0, 2, 1)):
            for flips in ((), (1,), (2,), (1, 2)):
                result = np.flip(function(np.ascontiguousarray(np.flip(turned, flips))), flips)
                result = result if turned is planes else result.transpose(0, 2, 1)
                total = result.copy() if total is None else total + result
        assert total is not None  # noqa: S101 - for the type checker
        return total / np.float32(8)

    return enlarge


def tiled_bands(
    samples: NDArray[Samples],
    function: TileFunction,
    *,
    plan: TilePlan,
    scale: int,
    tile_done: Callable[[], None],
) -> Iterator[Band]:
    """Enlarge a picture tile by tile; one band for each row of tiles.

    `tile_done` is called after every tile and may raise to stop.
    """
    height, width, count = samples.shape
    for row in plan.rows:
        lines = samples[mirrored(row.source, height)]
        band = np.empty((count, row.inner.length * scale, width * scale), np.float32)
        for column in plan.columns:
            tile = to_planes(lines[:, mirrored(column.source, width)])
            inner = column.inner.scaled(scale)
            band[:, :, inner.start : inner.stop] = _cropped(function(tile), row, column, scale)
            tile_done()
        yield band


def _cropped(enlarged: Band, row: Step, column: Step, scale: int) -> Band:
    down, across = row.crop.scaled(scale), column.crop.scaled(scale)
    return enlarged[:, down.start : down.stop, across.start : across.stop]


def plain_bands(samples: NDArray[Samples], *, rows: int = 256) -> Iterator[Band]:
    """Hand a picture on in bands as it is."""
    for start in range(0, len(samples), rows):
        yield to_planes(samples[start : start + rows])


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


def quantized(bands: Iterable[Band], *, sample_max: int) -> Iterator[NDArray[Samples]]:
    """Round planes in 0..1 to integer samples (rows, width, planes), clipping what passes."""
    dtype: type[Samples] = np.uint8 if sample_max == np.iinfo(np.uint8).max else np.uint16
    for band in bands:
        levels = np.clip(band, 0, 1) * np.float32(sample_max) + np.float32(0.5)
        yield levels.astype(dtype).transpose(1, 2, 0)


def filled_under_transparency(
    pixels: NDArray[Samples], alpha: NDArray[Samples]
) -> NDArray[Samples]:
    """Carry the colours of visible pixels into fully transparent ones.

    What lies under full transparency is arbitrary, often black; a network that sees it next to an
    edge draws a fringe. Holes are filled from ever coarser averages of what is visible.
    """
    clear = alpha == 0
    if not clear.any() or clear.all():
        return pixels
    colour = _pulled(pixels.astype(np.float32), ~clear)
    return np.where(clear[..., np.newaxis], np.rint(colour).astype(pixels.dtype), pixels)


def _pulled(colour: Band, known: NDArray[np.bool_]) -> Band:
    """Return colours (H, W, C) with every unknown one taken from a picture of half the size."""
    if known.all():
        return colour
    height, width = known.shape
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    weight = known[..., np.newaxis].astype(np.float32)
    halves = [
        np.pad(plane, odd).reshape(-(-height // 2), 2, -(-width // 2), 2, -1).sum((1, 3))
        for plane in (colour * weight, weight)
    ]
    coarse = _pulled(halves[0] / np.maximum(halves[1], 1), halves[1][..., 0] > 0)
    spread = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.where(known[..., np.newaxis], colour, spread)


def check_cancelled(cancel: Callable[[], bool] | None) -> None:
    """Raise Cancelled when the caller asked to stop."""
    if cancel is not None and cancel():
        raise Cancelled
