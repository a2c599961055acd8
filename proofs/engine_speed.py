"""How fast each engine runs lite x3 and edsr x3 on one tile, as ratios to the mission's path."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from upres.config import Settings
from upres.engines.measurements import Measurement
from upres.engines.threads import usable_cpus
from upres.engines.tune import TILE_PX, candidates, sample_tile
from upres.engines.tune import measure as measure_engines
from upres.models.spec import ModelSpec
from upres.workbench import Workbench

_MODELS = ("lite", "edsr")
_ROUNDS = 5


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the tile is fixed
    """Time every engine in paired rounds; OpenCV's two graph engines beside each other too."""
    workbench = Workbench(Settings.from_environment())
    threads = usable_cpus()
    results: dict[str, Any] = {}
    for name in _MODELS:
        spec = workbench.catalogue.get(name, 3)
        tried = candidates(spec, path_of=_finder(spec, workbench))
        measured = measure_engines(tried, spec=spec, threads=threads, rounds=_ROUNDS, budget_s=300)
        results[spec.id] = {
            "engines": {f"{one.engine} {one.precision}": _row(one) for one in measured},
            "opencv graph engines, median s": _opencv(spec, workbench, threads=threads),
        }
    base = results["edsr-x3"]["engines"]["opencv fp32"]["median_s"]
    return {
        "tile_px": TILE_PX,
        "threads": threads,
        "results": results,
        "times faster than edsr-x3 in dnn_superres": {
            f"{model} {engine}": round(base / row["median_s"], 2)
            for model, each in results.items()
            for engine, row in each["engines"].items()
        },
        "passed": all(
            row["failure"] is None for each in results.values() for row in each["engines"].values()
        ),
    }


def _finder(
    spec: ModelSpec, workbench: Workbench
) -> Callable[[Literal["onnx", "pb", "int8"]], Path]:
    return lambda wanted: workbench.store.find(spec, format=wanted)


def _row(one: Measurement) -> dict[str, Any]:
    return {
        "seconds": [round(second, 4) for second in one.seconds],
        "median_s": round(one.median_s, 4),
        "levels_from_fp32": round(one.max_level_difference, 3),
        "failure": one.failure,
    }


def _opencv(spec: ModelSpec, workbench: Workbench, *, threads: int) -> dict[str, float]:
    """Time the ONNX graph in OpenCV's classic and new engine, A B A B."""
    cv2.setNumThreads(threads)
    path, tile = str(workbench.store.find(spec)), sample_tile(spec)
    kinds = {"classic": cv2.dnn.ENGINE_CLASSIC, "new": cv2.dnn.ENGINE_NEW}
    nets = {name: cv2.dnn.readNetFromONNX(path, engine=kind) for name, kind in kinds.items()}
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    for _ in range(_ROUNDS + 1):
        for name, net in nets.items():
            net.setInput(np.ascontiguousarray(tile))
            started = time.perf_counter()
            net.forward()
            seconds[name].append(time.perf_counter() - started)
    return {name: round(statistics.median(each[1:]), 4) for name, each in seconds.items()}
