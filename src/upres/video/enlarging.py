"""Frames enlarged one after the other, without doing anew what did not change since the last one.

Reuse is exact: what is taken over from the last result lies further from every change than the
network looks, and what is computed anew is computed from as much of its tile as it looks at. That
an engine then gives the same bits is checked on the first shapes of windows, with the frames at
hand; where it does not, and where it is not known how far a network looks, only tiles whose whole
source is unchanged are taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from upres.image.picture import Picture
from upres.models.spec import Channels
from upres.upscale.resample import LANCZOS
from upres.upscale.steps import check_cancelled
from upres.upscale.tiles import TILE_SIDES_PX, Span, Step, TilePlan, mirrored, plan_tiles
from upres.upscale.upscaler import Interpolation, Network, Options, enlarge_picture
from upres.video.windows import Box, Window, changed_pixels, windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Rows
    from upres.upscale.upscaler import CancelCheck

_TILE_WORK = 2.8e11
"""Operations of a tile: about half a second on two cores, so that one can stop soon."""
_LEAST_TILE_PX = 128 * 128
_LARGE_FRAME_PX = 500_000
_BESIDE_LARGE_FRAMES_BYTES = 112 * 2**20
"""For a tile, where the encoder keeps hundreds of megabytes of enlarged frames."""
_GRANULE_PX = 16
"""Sides that are multiples of it suit every network met so far."""
_MOST_CUTS = 12
_WITH_ALPHA = 4
_SHAPES_CHECKED = 8
"""Shapes of windows that are held against their tiles before all are relied on."""
GEOMETRY = 2
"""Add 1 with every change of what is computed: work begun before must not be gone on with."""


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


@dataclass(frozen=True, kw_only=True)
class Enlarging:
    """How frames are enlarged."""

    method: Network | Interpolation
    width: int
    height: int
    options: Options
    reach_px: int | None = None
    """How far a network looks, in source pixels; None where that is not known."""
    reuse: bool = True
    """False computes all of every frame anew; the result is the same."""

    def start(self, cancel: CancelCheck | None = None) -> Callable[[Rows], Rows]:
        """Return a function of one frame after the other, (H, W, 3 or 4) each way.

        Neither what it is given nor what it returns may be written to.
        """
        run: Callable[[Rows], Rows]
        run = _Networked(self, cancel) if isinstance(self.method, Network) else _Plain(self, cancel)
        last: tuple[Rows, Rows] | None = None

        def enlarge(samples: Rows) -> Rows:
            nonlocal last
            if last is None or not self.reuse or not np.array_equal(last[0], samples):
                last = samples, run(samples)
            return last[1]

        return enlarge


class _Plain:
    """Enlarges every frame as a picture of its own, by interpolation."""

    def __init__(self, how: Enlarging, cancel: CancelCheck | None) -> None:
        self._how, self._cancel = how, cancel

    def __call__(self, samples: Rows) -> Rows:
        how = self._how
        return _enlarged(
            samples, how.method, (how.height, how.width), how.options, cancel=self._cancel
        )


class _Networked:
    """Enlarges by a network's own factor what changed, then takes the whole to its size."""

    def __init__(self, how: Enlarging, cancel: CancelCheck | None) -> None:
        assert isinstance(how.method, Network)  # noqa: S101 - for the type checker
        self._how, self._network, self._cancel = how, how.method, cancel
        self._options = Options(tta=how.options.tta)
        self._last: tuple[Rows, Rows] | None = None
        self._checked: set[tuple[int, int]] = set()
        """Shapes of windows that gave what their tiles gave."""
        luma = self._network.spec.channels is Channels.LUMA  # chroma is interpolated beside it
        self._reach_px = None if luma else how.reach_px

    def __call__(self, samples: Rows) -> Rows:
        how, scale = self._how, self._network.spec.scale
        height, width, planes = samples.shape
        size = (height * scale, width * scale)
        plan = frame_plan(width, height, self._network)
        if planes == _WITH_ALPHA:  # colours are filled from further away than a network looks
            return _enlarged(
                samples,
                self._network,
                (how.height, how.width),
                how.options,
                plan=plan,
                cancel=self._cancel,
            )
        large = None if self._last is None else self._partly(samples, plan)
        if large is None:
            large = _enlarged(
                samples, self._network, size, self._options, plan=plan, cancel=self._cancel
            )
        self._last = (samples, large) if how.reuse else None
        if (how.height, how.width) == size and not how.options.soften:
            return large
        return _enlarged(
            large,
            Interpolation(kernel=LANCZOS),
            (how.height, how.width),
            replace(how.options, tta=False),
            cancel=self._cancel,
        )

    def _partly(self, samples: Rows, plan: TilePlan) -> Rows | None:
        """Enlarge what changed since the last frame, the rest being as it was.

        Returns None where all of it has to be computed anyway.
        """
        assert self._last is not None  # noqa: S101 - for the type checker
        before, last = self._last
        changed = changed_pixels(before, samples)
        todo: list[tuple[_Tile, Window]] = []
        for steps in product(plan.rows, plan.columns):
            tile = _Tile.of(samples, changed, steps)
            if tile.changed.any():
                todo += ((tile, part) for part in self._parts(tile))
        if sum(part.source.area_px for _, part in todo) >= plan.computed_px:
            return None
        large = last.copy()
        # an engine prepares itself anew whenever the shape is another
        for tile, part in sorted(todo, key=lambda one: _shape(one[1])):
            place = part.wanted.moved(*tile.corner).scaled(self._network.spec.scale)
            large[place.slices] = self._result(tile, part)
        return large

    def _parts(self, tile: _Tile) -> list[Window]:
        """Return what to compute of a tile."""
        whole = [tile.whole]
        if self._reach_px is None:
            return whole
        parts = windows(tile.changed, tile.inner, reach_px=self._reach_px)
        if sum(part.source.area_px for part in parts) >= tile.whole.source.area_px:
            return whole
        new = {_shape(part): part for part in parts if _shape(part) not in self._checked}
        if new and len(self._checked) < _SHAPES_CHECKED and not self._same(tile, new.values()):
            self._reach_px = None
            return whole
        self._checked.update(new)
        return parts

    def _same(self, tile: _Tile, parts: Iterable[Window]) -> bool:
        """Tell whether windows give what the tile they are of gives."""
        levels = self._result(tile, tile.whole)
        for part in parts:
            there = part.wanted.seen_from(tile.inner).scaled(self._network.spec.scale)
            if not np.array_equal(self._result(tile, part), levels[there.slices]):
                return False
        return True

    def _result(self, tile: _Tile, window: Window) -> Rows:
        """Enlarge a window as the tile would be, and return what is wanted of it."""
        check_cancelled(self._cancel)
        scale = self._network.spec.scale
        source = np.ascontiguousarray(tile.samples[window.source.slices])
        height, width = source.shape[:2]
        alone = TilePlan(
            rows=(Step(source=Span(0, height), inner=Span(0, height)),),
            columns=(Step(source=Span(0, width), inner=Span(0, width)),),
        )
        large = _enlarged(
            source,
            self._network,
            (height * scale, width * scale),
            self._options,
            plan=alone,
            cancel=self._cancel,
        )
        return large[window.wanted.seen_from(window.source).scaled(scale).slices]


@dataclass(frozen=True, eq=False)
class _Tile:
    """A tile of a frame, and where it changed."""

    samples: Rows
    changed: NDArray[np.bool_]
    inner: Box
    """What its result is used for."""
    corner: tuple[int, int]
    """Where it begins in the frame: row, column."""

    @classmethod
    def of(cls, samples: Rows, changed: NDArray[np.bool_], steps: tuple[Step, Step]) -> _Tile:
        down, across = (
            mirrored(step.source, length) for step, length in zip(steps, changed.shape, strict=True)
        )
        return cls(
            samples=samples[down][:, across],
            changed=changed[down][:, across],
            inner=Box(*(step.crop for step in steps)),
            corner=(steps[0].source.start, steps[1].source.start),
        )

    @property
    def whole(self) -> Window:
        """All of it."""
        tile = Box(*(Span(0, length) for length in self.changed.shape))
        return Window(source=tile, wanted=self.inner)


def _shape(window: Window) -> tuple[int, int]:
    return window.source.rows.length, window.source.columns.length


def _enlarged(
    samples: Rows,
    method: Network | Interpolation,
    size: tuple[int, int],
    options: Options,
    *,
    plan: TilePlan | None = None,
    cancel: CancelCheck | None,
) -> Rows:
    picture = Picture.from_rows(samples, alpha=samples.shape[2] == 4)  # noqa: PLR2004
    height, width = size
    return enlarge_picture(
        picture, method, width=width, height=height, options=options, plan=plan, cancel=cancel
    ).rows()
