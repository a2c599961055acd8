"""Enlarging one picture: the literal list of steps, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from upres.errors import InvalidOption
from upres.image.picture import Layout, Picture, Rows
from upres.upscale.alpha import straight_bands
from upres.upscale.flat import Sparing, Tally
from upres.upscale.levels import fits, level_rows
from upres.upscale.resample import LANCZOS, Band, resize_bands
from upres.upscale.rows import checked_rows, forked
from upres.upscale.steps import (
    PLAIN_ROWS,
    check_cancelled,
    network_function,
    plain_bands,
    quantized,
    self_ensemble,
    softened,
    tiled_bands,
)
from upres.upscale.tiles import TilePlan, plan_tiles
from upres.upscale.transparency import filled_rows

if TYPE_CHECKING:
    from upres.engines.base import Precision, Session
    from upres.models.spec import ModelSpec
    from upres.upscale.resample import Kernel
    from upres.upscale.steps import TileSeen

ProgressCallback = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) after every tile."""
CancelCheck = Callable[[], bool]
"""Asked before every tile; True stops the work with Cancelled."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What changes the pixels, beside the model and the size."""

    tta: bool = False
    """Average over the eight flips and turns: about eight times the time, unless all are alike."""
    soften: float = 0.0
    """0 to 1: blend towards a slight blur."""

    def __post_init__(self) -> None:
        if not 0 <= self.soften <= 1:
            raise InvalidOption("soften", self.soften, "a number from 0 to 1")


_BAND_BYTES = 96 * 2**20
"""What one row of tiles, enlarged and as wide as the picture, may hold."""
_FLOAT_BYTES = 4
_COLOUR_PLANES = 3


@dataclass(frozen=True, kw_only=True)
class Network:
    """A model together with a session that runs it."""

    spec: ModelSpec
    session: Session
    tile_memory_bytes: int = 768 * 2**20
    """What the engine may use for one tile."""
    engine: str | None = None
    precision: Precision | None = None
    """What runs it, where that was chosen; nothing here depends on it."""
    spares_flat: bool = False
    """Leave to bicubic interpolation what is too flat for the network to show."""

    def plan(
        self,
        *,
        width: int,
        height: int,
        planes: int = _COLOUR_PLANES,
        sample_bytes: int = _FLOAT_BYTES,
    ) -> TilePlan:
        """Place tiles over a picture of that size.

        `planes` counts alpha; `sample_bytes` is what an enlarged sample takes, 1 on the short way.
        """
        row_bytes = width * self.spec.scale**2 * planes * sample_bytes
        return plan_tiles(
            width,
            height,
            halo_px=self.spec.halo_px,
            budget_px=self.tile_memory_bytes // self.spec.working_bytes_per_px,
            tallest_px=_BAND_BYTES // row_bytes + self.spec.halo_px,
        )


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """A baseline: no network, only a kernel."""

    kernel: Kernel


def enlarge_rows(
    rows: Iterable[Rows],
    layout: Layout,
    method: Network | Interpolation,
    *,
    width: int,
    height: int,
    options: Options,
    plan: TilePlan | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCheck | None = None,
    tile_seen: TileSeen | None = None,
    into: Rows | None = None,
    tally: Tally | None = None,
) -> Iterator[Rows]:
    """Enlarge a picture of that layout to `width` x `height` pixels; yields rows from the top.

    `rows` bring the picture from the top in bands of any heights; results come in bands of other
    heights, of the same sample type and planes. Neither picture is ever held whole. A network
    enlarges by its own factor, then Lanczos takes the result to the size asked for. `plan` replaces
    the tile plan the network would choose; `tile_seen` is shown its tiles, `tally` told
    what was interpolated. Where the whole result has a place, `into`, bands may already be parts of
    it. Raises Cancelled, EngineFailed, UnreadablePicture for too few or many rows, what `rows` do.
    """
    check_cancelled(cancel)
    source = checked_rows(rows, layout)
    source, beside = forked(source) if layout.alpha else (source, iter(()))
    if isinstance(method, Network):
        own_size = (layout.width * method.spec.scale, layout.height * method.spec.scale)
        short = options == Options() and (width, height) == own_size and fits(layout, method.spec)
        plan = plan or _plan(method, layout, short=short)
        tick = _ticker(plan.tiles * (2 if layout.alpha else 1), progress, cancel)
        sparing = Sparing(method.spec, tally or Tally()) if method.spares_flat else None
        tiling = _Tiling(plan=plan, tile_done=tick, tile_seen=tile_seen, sparing=sparing)
        if short:
            yield from level_rows(source, layout, method.session, method.spec, into=into, **tiling)
            return
        bands = _network_bands(source, layout, method, options, tiling)
        scale, kernel = method.spec.scale, LANCZOS
    else:
        tick = _ticker(-(-layout.height // PLAIN_ROWS), progress, cancel)
        bands = plain_bands(source, layout, band_done=tick)
        scale, kernel = 1, method.kernel
    size = (layout.height * scale, layout.width * scale)
    resized = resize_bands(bands, size=size, to=(height, width), kernel=kernel)
    results = softened(resized, strength=options.soften)
    if layout.alpha:
        filled = filled_rows(beside, layout)
        results = straight_bands(results, filled, layout, width=width, height=height)
    yield from quantized(results, sample_max=layout.sample_max)


def _plan(method: Network, layout: Layout, *, short: bool) -> TilePlan:
    return method.plan(
        width=layout.width,
        height=layout.height,
        planes=layout.planes,
        sample_bytes=1 if short else _FLOAT_BYTES,
    )


def enlarge_picture(
    picture: Picture,
    method: Network | Interpolation,
    *,
    width: int,
    height: int,
    options: Options,
    plan: TilePlan | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCheck | None = None,
    tally: Tally | None = None,
) -> Picture:
    """Enlarge a whole picture as `enlarge_rows` does; metadata travels on."""
    layout = picture.layout.sized(width=width, height=height)
    pixels = np.empty((height, width, layout.planes - layout.alpha), layout.dtype)
    alpha = np.empty((height, width), layout.dtype) if layout.alpha else None
    row = 0
    for band in enlarge_rows(
        _picture_rows(picture),
        picture.layout,
        method,
        width=width,
        height=height,
        options=options,
        plan=plan,
        progress=progress,
        cancel=cancel,
        into=pixels,
        tally=tally,
    ):
        stop = row + len(band)
        if band.base is not pixels:
            pixels[row:stop] = band[..., : pixels.shape[2]]
        if alpha is not None:
            alpha[row:stop] = band[..., -1]
        row = stop
    return Picture(pixels=pixels, alpha=alpha, metadata=picture.metadata)


def _picture_rows(picture: Picture) -> Iterator[Rows]:
    if picture.alpha is None:
        yield picture.pixels
        return
    for start in range(0, picture.height, PLAIN_ROWS):
        stop = start + PLAIN_ROWS
        yield np.dstack([picture.pixels[start:stop], picture.alpha[start:stop]])


class _Tiling(TypedDict):
    """How tiles are gone through, whichever way."""

    plan: TilePlan
    tile_done: Callable[..., None]
    tile_seen: TileSeen | None
    sparing: Sparing | None


def _network_bands(
    rows: Iterable[Rows], layout: Layout, method: Network, options: Options, tiling: _Tiling
) -> Iterator[Band]:
    function = network_function(method.spec, method.session)
    if options.tta and not method.spec.symmetric:
        # eight passes make one tile, and a slow network takes minutes for them
        function = self_ensemble(function, pass_done=partial(tiling["tile_done"], 0))
    return tiled_bands(rows, layout, function, scale=method.spec.scale, **tiling)


def _ticker(
    total: int, progress: ProgressCallback | None, cancel: CancelCheck | None
) -> Callable[..., None]:
    """Return what is called after each tile: it counts, reports, and stops when asked to.

    Called with 0 it only reports, the same again, and may stop.
    """
    done = 0

    def tick(tiles: int = 1) -> None:
        nonlocal done
        done += tiles
        if progress is not None:
            progress(done, total)
        check_cancelled(cancel)

    return tick
