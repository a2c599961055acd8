"""Measures how a chosen engine is run best: with how many threads, in what tiles, alone or beside.

Threads and tiles are for one picture at a time. Whether several processes with a thread each do
more in all than one with all threads is told to whoever sets up a service's workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from upres.engines.measurements import Setting
from upres.engines.tune import TILE_PX, sample_tile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from upres.engines.base import Session
    from upres.engines.tune import Candidate
    from upres.models.spec import ModelSpec

_SIDES_PX = (128, 256, 512)
_LONGEST_RUN_S = 0.5
"""Tiles that are likely to take longer are not tried: they stay as memory allows."""
_ROUNDS = 3
_BESIDE_S = 0.5
"""How long several sessions are run beside each other, at least one tile each."""
_GAIN = 1.1
"""A setting other than the usual one must be so many times as fast, and in every round faster."""
_Key = TypeVar("_Key")


def fitted(candidate: Candidate, spec: ModelSpec, *, threads: int, tile_s: float) -> Setting:
    """Measure one engine in one arithmetic; a few seconds at most for networks that are not huge.

    `threads` is the most to use, `tile_s` what a tile of `TILE_PX` is known to take with them.
    Raises EngineFailed.
    """
    counts = sorted({threads, max(1, threads // 2), 1}, reverse=True)
    with ExitStack() as stack:
        opened = {count: stack.enter_context(_open(candidate, spec, count)) for count in counts}
        small = sample_tile(spec)
        rates = _rates({count: _work(one, small) for count, one in opened.items()})
        best = _best(rates, usual=threads)
        tile_px = _tile_px(opened[best], spec, tile_s=tile_s)
        beside = 1.0
        if threads > 1:
            others = [stack.enter_context(_open(candidate, spec, 1)) for _ in range(threads - 1)]
            beside = _beside([opened[1], *others], opened[threads], small)
    return Setting(
        engine=candidate.engine.name,
        precision=candidate.precision,
        threads=best,
        tile_px=tile_px,
        processes=threads,
        processes_gain=beside,
    )


def _open(candidate: Candidate, spec: ModelSpec, threads: int) -> Session:
    return candidate.engine.open(
        candidate.path, spec, precision=candidate.precision, threads=threads
    )


def _work(session: Session, tile: NDArray[np.float32]) -> Callable[[], object]:
    return lambda: session.run(tile)


def _rates(
    works: Mapping[_Key, Callable[[], object]], pixels: Mapping[_Key, int] | None = None
) -> dict[_Key, list[float]]:
    """Return useful pixels a second in each round, A B C A B C, after one run each."""
    rates: dict[_Key, list[float]] = {key: [] for key in works}
    for count in range(_ROUNDS + 1):
        for key, work in works.items():
            began_s = time.perf_counter()
            work()
            if count:
                useful = 1 if pixels is None else pixels[key]
                rates[key].append(useful / (time.perf_counter() - began_s))
    return rates


def _best(rates: Mapping[_Key, list[float]], *, usual: _Key) -> _Key:
    """Return the fastest, by ratios within a round; the usual one unless another clearly is."""
    gains = {
        key: [own / base for own, base in zip(each, rates[usual], strict=True)]
        for key, each in rates.items()
    }
    best = max(gains, key=lambda key: median(gains[key]))
    return best if median(gains[best]) >= _GAIN and min(gains[best]) > 1 else usual


def _tile_px(session: Session, spec: ModelSpec, *, tile_s: float) -> int | None:
    """Return the tile side that gives the most result a second; None: as large as memory allows."""
    sides = [
        side
        for side in _SIDES_PX
        if side > 2 * spec.halo_px and tile_s * (side / TILE_PX) ** 2 <= _LONGEST_RUN_S
    ]
    if len(sides) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    tiles = {side: sample_tile(spec, side_px=side) for side in sides}
    useful = {side: (side - 2 * spec.halo_px) ** 2 for side in sides}
    rates = _rates({side: _work(session, tile) for side, tile in tiles.items()}, useful)
    best = _best(rates, usual=sides[-1])
    return None if best == sides[-1] else best


def _beside(several: Iterable[Session], alone: Session, tile: NDArray[np.float32]) -> float:
    """Return how many times as much sessions with a thread each do together as one with all."""
    sessions = list(several)
    with ThreadPoolExecutor(len(sessions)) as pool:
        together = sum(pool.map(lambda session: _rate(session, tile), sessions))
    return together / _rate(alone, tile)


def _rate(session: Session, tile: NDArray[np.float32]) -> float:
    runs, spent_s, began_s = 0, 0.0, time.perf_counter()
    while spent_s < _BESIDE_S:
        session.run(tile)
        runs, spent_s = runs + 1, time.perf_counter() - began_s
    return runs / spent_s
