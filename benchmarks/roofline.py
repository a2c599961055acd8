"""How much of what this machine can do each network gets out of it, on OpenVINO."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.arithmetic import operations_per_px
from proofs.timing.peak import CHAINS, PRECISIONS, THREADS, chains
from upres.config import Settings
from upres.engines.tune import TILE_PX, candidates, sample_tile
from upres.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upres.models.spec import ModelSpec

BAR = "each network's share of this machine's measured peak in the same arithmetic (no bar)"
_MODELS = ("fsrcnn", "espcn", "fast", "lite", "edsr")
_SCALE = 3
_ROUNDS = 5
_TURN_S = 0.2
"""A network's turn lasts at least this long; in it, how many operations a second counts."""


def measure(seed: int) -> dict[str, Any]:
    """Time the peaks and the networks in paired rounds; shares are of the same round's peak."""
    workbench = Workbench(Settings.from_environment())
    with ExitStack() as stack:
        runs: dict[tuple[str, str], Callable[[], float]] = {
            key: partial(_rate, run, operations * 1e9) for key, (run, operations) in chains(seed)
        }
        for spec in _here(workbench):
            runs |= dict(_networks(spec, workbench, stack))
        rates: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
        for _ in range(_ROUNDS):
            for key, run in runs.items():
                rates[key].append(run())
    peaks: dict[str, list[float]] = {
        kind: [max(round_) for round_ in zip(*(rates[name, kind] for name in CHAINS), strict=True)]
        for kind in PRECISIONS
    }
    shares = {key: _share(each, peaks[key[1]]) for key, each in rates.items()}
    return {
        "tile_px": TILE_PX,
        "threads": THREADS,
        "rows": [
            {
                "network": name,
                "arithmetic": arithmetic,
                "giga_operations_per_s": [round(rate / 1e9, 1) for rate in each],
                "median_giga_operations_per_s": round(median(each) / 1e9, 1),
                "share_of_peak": round(shares[name, arithmetic], 3),
            }
            for (name, arithmetic), each in rates.items()
        ],
        "passed": len(rates) > len(peaks) * len(CHAINS),  # something beside the peaks
    }


def _here(workbench: Workbench) -> Iterator[ModelSpec]:
    for spec in workbench.catalogue:
        if spec.name in _MODELS and spec.scale == _SCALE and workbench.store.installed(spec):
            yield spec


def _networks(
    spec: ModelSpec, workbench: Workbench, stack: ExitStack
) -> Iterator[tuple[tuple[str, str], Callable[[], float]]]:
    """Open a network in every arithmetic of OpenVINO's."""
    tile = sample_tile(spec)
    path = workbench.store.find(spec, format="onnx")
    operations = operations_per_px(path) * TILE_PX**2
    tried = candidates(
        spec,
        path_of=lambda wanted: workbench.store.find(spec, format=wanted),
        engines=("openvino",),
    )
    for one in tried:
        session = stack.enter_context(
            one.engine.open(one.path, spec, precision=one.precision, threads=THREADS)
        )
        session.run(tile)
        yield (spec.id, one.precision), partial(_rate, partial(session.run, tile), operations)


def _rate(run: Callable[[], object], operations: float) -> float:
    """Return operations a second over one turn."""
    runs, spent_s, began_s = 0, 0.0, time.perf_counter()
    while spent_s < _TURN_S:
        run()
        runs, spent_s = runs + 1, time.perf_counter() - began_s
    return operations * runs / spent_s


def _share(rates: list[float], peaks: list[float]) -> float:
    return median(rate / peak for rate, peak in zip(rates, peaks, strict=True))
