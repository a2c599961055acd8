"""The four things people compare models by: size, time for a 1080p picture, detail, noise."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from upres.bench.degrade import modcrop, reduced
from upres.bench.pictures import check_large_enough, open_sets, read_rgb
from upres.bench.scores import luma, psnr_y
from upres.engines.choose import chosen_engine
from upres.engines.threads import usable_cpus
from upres.errors import InputNotReadable, UpresError
from upres.image.picture import Picture
from upres.library import Upscaler
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Network, Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from upres.bench.pictures import Tell
    from upres.bench.selection import Entrant
    from upres.engines.base import Precision
    from upres.workbench import Runtime, Workbench

    Pixels = NDArray[np.uint8]

_FULL_HD = (1920, 1080)
_SMALLER = 4
"""A slow model enlarges a picture whose sides are this many times shorter."""
_PATIENCE_S = 10.0
"""A model that would need longer for the whole picture is slow."""
_RUNS = 3
_NOISE_SIGMA = 2.0
_NOISE_SIDE_PX = 96
_NOISE_SEED = 1
_MARGIN = 8
"""Small pixels at the edge of the noise that are not looked at."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """One model's line of the table."""

    model: str
    engine: str | None
    """What ran it; None for interpolations, as are the two below."""
    precision: Precision | None
    bytes: int | None
    """Of the model's file."""
    full_hd_s: float
    """Seconds for a result of 1920 x 1080, all steps but reading and writing files."""
    full_hd_scaled_by: float
    """1 where that was measured; else a smaller picture was, and its time multiplied by this."""
    detail_db: float
    """Mean PSNR-Y of pictures that MATLAB's bicubic reduced."""
    noise_gain: float
    """How much of a flat area's noise is in the result, as a multiple of bicubic's."""


def compare(
    entrants: Sequence[Entrant],
    *,
    workbench: Workbench,
    runtime: Runtime,
    folders: tuple[Path, ...] = (),
    limit: int | None = None,
    tell: Tell,
) -> list[Traits]:
    """Measure what people choose a model by, on this machine; all entrants at one factor.

    Detail is measured on the pictures in `folders`, or, where there are none, on the photograph
    that ships with upres. Raises InputNotReadable when no picture could be used.
    """
    detail = [_Detail(entrant, workbench, runtime) for entrant in entrants]
    scale = entrants[0].scale
    for truth in _truths(folders, scale=scale, workbench=workbench, limit=limit, tell=tell):
        for one in detail:
            one.see(truth)
    if not all(one.scores for one in detail):
        names = ", ".join(str(folder) for folder in folders)
        raise InputNotReadable(names, "none of its pictures could be scored")
    return [
        _traits(entrant, one.upscaler, detail_db=fmean(one.scores))
        for entrant, one in zip(entrants, detail, strict=True)
    ]


def _traits(entrant: Entrant, upscaler: Upscaler, *, detail_db: float) -> Traits:
    seconds, scaled_by = _full_hd(upscaler, entrant.scale)
    engine, precision = _ran_on(entrant, upscaler)
    return Traits(
        model=entrant.model if entrant.spec is None else entrant.spec.id,
        engine=engine,
        precision=precision,
        bytes=None if entrant.spec is None else entrant.spec.file.bytes,
        full_hd_s=seconds,
        full_hd_scaled_by=scaled_by,
        detail_db=detail_db,
        noise_gain=noise_gain(upscaler, entrant.scale),
    )


def _ran_on(entrant: Entrant, upscaler: Upscaler) -> tuple[str | None, Precision | None]:
    """Return the engine and the arithmetic that the workbench takes for a model."""
    if entrant.spec is None:
        return None, None
    settings, runtime = upscaler.workbench.settings, upscaler.runtime
    return chosen_engine(
        entrant.spec,
        engine=runtime.engine,
        precision=runtime.precision,
        threads=runtime.threads or settings.threads or usable_cpus(),
        cache_folder=settings.cache_folder,
    )


def _upscaler(workbench: Workbench, model: str, scale: int, runtime: Runtime) -> Upscaler:
    return Upscaler(
        workbench=workbench,
        model=model,
        size=SizeRequest(factor=scale),
        options=Options(),
        runtime=runtime,
    )


class _Detail:
    """A model's scores so far."""

    def __init__(self, entrant: Entrant, workbench: Workbench, runtime: Runtime) -> None:
        self.scale = entrant.scale
        self.upscaler = _upscaler(workbench, entrant.model, entrant.scale, runtime)
        self.scores: list[float] = []

    def see(self, truth: Pixels) -> None:
        large = _enlarged(self.upscaler, reduced(truth, self.scale, by="bicubic"))
        self.scores.append(psnr_y(large, truth, border_px=self.scale))


def _truths(
    folders: tuple[Path, ...], *, scale: int, workbench: Workbench, limit: int | None, tell: Tell
) -> Iterator[Pixels]:
    """Yield large pictures one by one, cut to the factor; what is of no use is told, left out."""
    limits = workbench.settings.limits
    if not folders:
        with resources.as_file(resources.files("upres.samples") / "photo.png") as path:
            yield modcrop(read_rgb(path, limits=limits, tell=tell), scale)
        return
    for each in open_sets(folders, limit=limit, tell=tell):
        for file in each.files:
            try:
                picture = modcrop(read_rgb(file, limits=limits, tell=tell), scale)
                check_large_enough(picture, scale=scale, name=file.name)
            except UpresError as error:
                tell(str(error))
            else:
                yield picture


def _full_hd(upscaler: Upscaler, scale: int) -> tuple[float, float]:
    """Return the seconds for a 1080p result, and by what they were multiplied to be that."""
    width, height = (-(-side // scale) for side in _FULL_HD)
    small = _pattern(width // _SMALLER, height // _SMALLER)
    _enlarged(upscaler, small)
    share_s = _timed(upscaler, small)
    method = upscaler.method(factor=scale)
    times = float(_SMALLER**2)
    if isinstance(method, Network):  # which sees more than the picture: tiles overlap
        whole, part = (
            method.plan(width=across, height=down).computed_px
            for across, down in ((width, height), (width // _SMALLER, height // _SMALLER))
        )
        times = whole / part
    if share_s * times > _PATIENCE_S:
        return share_s * times, times
    picture = _pattern(width, height)
    _enlarged(upscaler, picture)
    return median(_timed(upscaler, picture) for _ in range(_RUNS)), 1.0


def _pattern(width: int, height: int) -> Pixels:
    """Return some picture; what is in it does not change the time."""
    rows, columns = np.ogrid[0:height, 0:width]
    return np.stack([rows + columns, rows * columns, rows - columns], axis=2).astype(np.uint8)


def _timed(upscaler: Upscaler, pixels: Pixels) -> float:
    began_s = time.perf_counter()
    _enlarged(upscaler, pixels)
    return time.perf_counter() - began_s


def _enlarged(upscaler: Upscaler, pixels: Pixels) -> Pixels:
    result = upscaler.picture(Picture(pixels=pixels)).pixels
    return result.astype(np.uint8, copy=False)


def noise_gain(upscaler: Upscaler, scale: int) -> float:
    """Return how much stronger than bicubic's the noise of a flat area is in a model's result.

    The area is mid-gray with Gaussian noise of two levels, apart for R, G and B; compared are the
    standard deviations of luma. Below 1 the model smooths, above 1 it sharpens noise as well.
    """
    chance = np.random.default_rng(_NOISE_SEED)
    noise = chance.normal(128, _NOISE_SIGMA, (_NOISE_SIDE_PX, _NOISE_SIDE_PX, 3))
    flat = np.rint(noise).astype(np.uint8)
    bicubic = _upscaler(upscaler.workbench, "bicubic", scale, upscaler.runtime)
    inside = slice(_MARGIN * scale, -_MARGIN * scale)
    model, reference = (
        float(np.std(luma(_enlarged(one, flat)[inside, inside]))) for one in (upscaler, bicubic)
    )
    return model / reference
