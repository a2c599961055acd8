"""Enlarging one picture: the literal list of steps, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from upres.errors import InvalidOption
from upres.image.picture import Picture
from upres.upscale.resample import LANCZOS, Band, resize_bands
from upres.upscale.steps import (
    check_cancelled,
    filled_under_transparency,
    network_function,
    plain_bands,
    quantized,
    self_ensemble,
    softened,
    tiled_bands,
)
from upres.upscale.tiles import TilePlan, plan_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.engines.base import Session
    from upres.image.picture import Samples
    from upres.models.spec import ModelSpec
    from upres.upscale.resample import Kernel

ProgressCallback = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) after every tile."""
CancelCheck = Callable[[], bool]
"""Asked before every tile; True stops the work with Cancelled."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What changes the pixels, beside the model and the size."""

    tta: bool = False
    """Average over the eight flips and turns: about eight times the time."""
    soften: float = 0.0
    """0 to 1: blend towards a slight blur."""

    def __post_init__(self) -> None:
        if not 0 <= self.soften <= 1:
            raise InvalidOption("soften", self.soften, "a number from 0 to 1")


_BAND_BYTES = 256 * 2**20
"""What one row of tiles, enlarged and as wide as the picture, may hold."""
_BAND_PIXEL_BYTES = 3 * 4


@dataclass(frozen=True, kw_only=True)
class Network:
    """A model together with a session that runs it."""

    spec: ModelSpec
    session: Session
    tile_memory_bytes: int = 768 * 2**20
    """What the engine may use for one tile."""

    def plan(self, *, width: int, height: int) -> TilePlan:
        """Place tiles over a picture of that size."""
        return plan_tiles(
            width,
            height,
            halo_px=self.spec.halo_px,
            budget_px=self.tile_memory_bytes // self.spec.working_bytes_per_px,
            tallest_px=_BAND_BYTES // (width * self.spec.scale**2 * _BAND_PIXEL_BYTES),
        )


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """A baseline: no network, only a kernel."""

    kernel: Kernel


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
) -> Picture:
    """Enlarge a picture to `width` x `height` pixels.

    Samples keep their type and number of planes; metadata travels on. A network enlarges by its own
    factor, then Lanczos takes the result to the size asked for. `plan` replaces the tile plan the
    network would choose. Raises Cancelled and EngineFailed.
    """
    layers = [picture.pixels]
    if picture.alpha is not None:
        layers = [
            filled_under_transparency(picture.pixels, picture.alpha),
            picture.alpha[..., np.newaxis],
        ]
    if isinstance(method, Network) and plan is None:
        plan = method.plan(width=picture.width, height=picture.height)
    tick = _ticker(len(layers) * (plan.tiles if plan else 1), progress, cancel)

    def enlarged(samples: NDArray[Samples]) -> NDArray[Samples]:
        bands = _first_bands(samples, method, plan, options, tick)
        size = _size_after(samples, method)
        kernel = LANCZOS if isinstance(method, Network) else method.kernel
        resized = resize_bands(bands, size=size, to=(height, width), kernel=kernel)
        soft = softened(resized, strength=options.soften)
        return _collected(
            quantized(soft, sample_max=picture.sample_max),
            np.empty((height, width, samples.shape[2]), samples.dtype),
        )

    results = [enlarged(layer) for layer in layers]
    return Picture(
        pixels=results[0],
        alpha=results[1][..., 0] if results[1:] else None,
        metadata=picture.metadata,
    )


def _first_bands(
    samples: NDArray[Samples],
    method: Network | Interpolation,
    plan: TilePlan | None,
    options: Options,
    tick: Callable[[], None],
) -> Iterator[Band]:
    if isinstance(method, Interpolation) or plan is None:
        yield from plain_bands(samples)
        tick()
        return
    function = network_function(method.spec, method.session)
    if options.tta:
        function = self_ensemble(function)
    yield from tiled_bands(samples, function, plan=plan, scale=method.spec.scale, tile_done=tick)


def _size_after(samples: NDArray[Samples], method: Network | Interpolation) -> tuple[int, int]:
    scale = method.spec.scale if isinstance(method, Network) else 1
    return samples.shape[0] * scale, samples.shape[1] * scale


def _ticker(
    total: int, progress: ProgressCallback | None, cancel: CancelCheck | None
) -> Callable[[], None]:
    """Return what is called after each tile: it counts, reports, and stops when asked to."""
    done = 0
    check_cancelled(cancel)

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)
        check_cancelled(cancel)

    return tick


def _collected(bands: Iterator[NDArray[Samples]], into: NDArray[Samples]) -> NDArray[Samples]:
    row = 0
    for band in bands:
        into[row : row + len(band)] = band
        row += len(band)
    return into
