"""Frames enlarged one after the other, without doing anew what did not change since the last one.

Reuse is exact: a tile (or a frame) is taken over only where every source sample the network would
see, halo included, equals the last frame's. What is computed is the same with reuse and without,
because the tiles are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from upres.image.picture import Picture
from upres.upscale.resample import LANCZOS
from upres.upscale.tiles import TILE_SIDES_PX, Span, Step, TilePlan, mirrored, plan_tiles
from upres.upscale.upscaler import Interpolation, Network, enlarge_picture

if TYPE_CHECKING:
    from upres.image.picture import Rows
    from upres.upscale.upscaler import CancelCheck, Options

_SMALL_SIDES_PX = (32, 48, 64, 80, 96)
_WIDER_SIDES_PX = (*_SMALL_SIDES_PX, 128, 160, 192, 224, 256)
_HALOS_IN_SIDE = 8
"""A small tile is about this many times its halo, so that not too much is computed twice."""
_WORTH_IT = 0.8
"""Small tiles are used when they are likely to take less than this share of the time."""
_TILE_WORK = 2.8e11
"""Operations of a tile: about half a second on two cores, so that one can stop soon."""
_LEAST_TILE_PX = 128 * 128
_LARGE_FRAME_PX = 500_000
_BESIDE_LARGE_FRAMES_BYTES = 112 * 2**20
"""For a tile, where the encoder keeps hundreds of megabytes of enlarged frames."""
_GRANULE_PX = 16
"""Sides that are multiples of it suit every network met so far."""
_MOST_CUTS = 12
GEOMETRY = 1
"""Add 1 with every change of where tiles lie: work begun before must not be gone on with."""


def calm(method: Network | Interpolation) -> Network | Interpolation:
    """Return a method whose tiles are over soon enough to cancel between them."""
    if isinstance(method, Interpolation) or not method.spec.parameters:
        return method
    pixels = max(_LEAST_TILE_PX, int(_TILE_WORK / (2 * method.spec.parameters)))
    memory = min(method.tile_memory_bytes, pixels * method.spec.working_bytes_per_px)
    return replace(method, tile_memory_bytes=memory)


def frame_plan(width: int, height: int, network: Network) -> TilePlan:
    """Place tiles cut to the frames of a clip, which an engine prepares itself for once.

    The sides that pictures of all sizes share would have it compute a quarter more of 640x360.
    """
    halo = network.spec.halo_px
    budget_bytes = network.tile_memory_bytes
    if width * height > _LARGE_FRAME_PX:
        budget_bytes = min(budget_bytes, _BESIDE_LARGE_FRAMES_BYTES)
    cut = {
        -(-(length + 2 * halo * (tiles - 1)) // (tiles * _GRANULE_PX)) * _GRANULE_PX
        for length in (width, height)
        for tiles in range(1, _MOST_CUTS + 1)
    }
    return plan_tiles(
        width,
        height,
        halo_px=halo,
        budget_px=budget_bytes // network.spec.working_bytes_per_px,
        sides_px=tuple(sorted({*TILE_SIDES_PX, *cut})),
    )


def small_plan(width: int, height: int, network: Network) -> TilePlan:
    """Place tiles small enough that few of them change where little of a picture does."""
    wanted = _HALOS_IN_SIDE * network.spec.halo_px
    last = max(96, next((side for side in _WIDER_SIDES_PX if side >= wanted), 256))
    sides = tuple(side for side in _WIDER_SIDES_PX if side <= last)
    return plan_tiles(
        width, height, halo_px=network.spec.halo_px, budget_px=last * last, sides_px=sides
    )


def still_enough(
    looks: Iterable[Sequence[Rows]], method: Network | Interpolation, *, alpha: bool
) -> bool:
    """Tell from samples of a clip whether small tiles and reuse will save time.

    Not with transparency: its colours are filled from further away than a tile's halo.
    """
    if alpha or isinstance(method, Interpolation):
        return False
    changed = compared = 0
    whole = small = None
    for frames in looks:
        for before, now in pairwise(frames):
            height, width = now.shape[:2]
            small = small or small_plan(width, height, method)
            whole = whole or frame_plan(width, height, method)
            changed += len(list(_changed(small, before, now)))
            compared += small.tiles
    if not compared or small is None or whole is None:
        return False
    return changed / compared * small.computed_px / whole.computed_px < _WORTH_IT


def _changed(plan: TilePlan, before: Rows | None, now: Rows) -> Iterable[tuple[Step, Step]]:
    """Yield the tiles, (row, column), whose source differs."""
    height, width = now.shape[:2]
    for row in plan.rows:
        down = slice(row.source.start, min(row.source.stop, height))
        for column in plan.columns:
            across = slice(column.source.start, min(column.source.stop, width))
            if before is None or not np.array_equal(before[down, across], now[down, across]):
                yield row, column


@dataclass(frozen=True, kw_only=True)
class Enlarging:
    """How frames are enlarged."""

    method: Network | Interpolation
    width: int
    height: int
    options: Options
    tiled: bool
    """Whether in small tiles, so that still ones can be taken over."""
    reuse: bool = True
    """False computes all of every frame anew; the result is the same."""

    def start(self, cancel: CancelCheck | None = None) -> Callable[[Rows], Rows]:
        """Return a function of one frame after the other, (H, W, 3 or 4) each way."""
        run = _Tiled(self, cancel) if self.tiled else _Whole(self, cancel)
        last: tuple[Rows, Rows] | None = None

        def enlarge(samples: Rows) -> Rows:
            nonlocal last
            if last is None or not self.reuse or not np.array_equal(last[0], samples):
                last = samples, run(samples)
            return last[1]

        return enlarge


class _Whole:
    """Enlarges every frame as a picture of its own."""

    def __init__(self, how: Enlarging, cancel: CancelCheck | None) -> None:
        self._how, self._cancel = how, cancel
        self._plan: TilePlan | None = None

    def __call__(self, samples: Rows) -> Rows:
        how = self._how
        if self._plan is None and isinstance(how.method, Network):
            self._plan = frame_plan(samples.shape[1], samples.shape[0], how.method)
        return _enlarged(
            samples,
            how.method,
            how.width,
            how.height,
            how.options,
            plan=self._plan,
            cancel=self._cancel,
        )


class _Tiled:
    """Enlarges what changed, tile by tile, into a picture that is kept."""

    def __init__(self, how: Enlarging, cancel: CancelCheck | None) -> None:
        assert isinstance(how.method, Network)  # noqa: S101 - `still_enough` says no to others
        self._how, self._network, self._cancel = how, how.method, cancel
        self._before: Rows | None = None
        self._canvas: Rows | None = None

    def __call__(self, samples: Rows) -> Rows:
        height, width, planes = samples.shape
        scale = self._network.spec.scale
        plan = small_plan(width, height, self._network)
        if self._canvas is None:
            self._canvas = np.empty((height * scale, width * scale, planes), samples.dtype)
        for row, column in _changed(plan, self._before, samples):
            tile = samples[mirrored(row.source, height)][:, mirrored(column.source, width)]
            self._put(self._canvas, np.ascontiguousarray(tile), row, column)
        self._before = samples if self._how.reuse else None
        if (height * scale, width * scale) == (self._how.height, self._how.width):
            return self._canvas.copy()
        return _enlarged(
            self._canvas,
            Interpolation(kernel=LANCZOS),
            self._how.width,
            self._how.height,
            replace(self._how.options, tta=False, soften=0.0),
            cancel=self._cancel,
        )

    def _put(self, canvas: Rows, tile: Rows, row: Step, column: Step) -> None:
        scale = self._network.spec.scale
        height, width = tile.shape[:2]
        large = _enlarged(
            tile,
            self._network,
            width * scale,
            height * scale,
            self._how.options,
            cancel=self._cancel,
        )
        target = tuple(_slice(span.scaled(scale)) for span in (row.inner, column.inner))
        canvas[target] = large[tuple(_slice(step.crop.scaled(scale)) for step in (row, column))]


def _slice(span: Span) -> slice:
    return slice(span.start, span.stop)


def _enlarged(
    samples: Rows,
    method: Network | Interpolation,
    width: int,
    height: int,
    options: Options,
    *,
    plan: TilePlan | None = None,
    cancel: CancelCheck | None,
) -> Rows:
    picture = Picture.from_rows(samples, alpha=samples.shape[2] == 4)  # noqa: PLR2004
    return enlarge_picture(
        picture, method, width=width, height=height, options=options, plan=plan, cancel=cancel
    ).rows()
