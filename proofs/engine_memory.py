"""Measures that an engine's memory stays flat over 500 runs of mixed sizes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from upres.engines import engine, installed
from upres.models.catalogue import AUTO_MODEL, Catalogue
from upres.models.store import ModelStore, StoreSettings

RUNS = 500
SAMPLE_EVERY = 10
THREADS = 2
TILE_SIDES_PX = (32, 48, 64, 96)
"""Sides that tiles have: 16 shapes."""
ANY_SIDES_PX = (24, 96)
"""For sizes that hardly ever repeat, as of a program that does not cut its own tiles."""
GROWTH_MB = {"tile sizes": 8.0, "any sizes": 16.0}
"""How much more the last fifth of the runs may hold than the second fifth, in 10^6 bytes."""


def measure(seed: int) -> dict[str, Any]:
    """Return every engine's resident memory along the runs, and whether all stayed flat.

    Needs Linux. Each engine, arithmetic and kind of sizes runs in a process of its own.
    """
    results: dict[str, Any] = {}
    for name in installed():
        for precision in engine(name).precisions():
            for sizes, limit in GROWTH_MB.items():
                samples = _in_a_process_of_its_own(name, precision, sizes, seed)
                fifth = len(samples) // 5
                growth = mean(samples[-fifth:]) - mean(samples[fifth : 2 * fifth])
                results[f"{name} {precision}, {sizes}"] = {
                    "rss_mb": samples,
                    "growth_mb": round(growth, 1),
                    "passed": growth <= limit,
                }
    return {
        "runs": RUNS,
        "sample_every": SAMPLE_EVERY,
        "model": _model()[1].id,
        "allowed_growth_mb": GROWTH_MB,
        "results": results,
        "passed": bool(results) and all(result["passed"] for result in results.values()),
    }


def _in_a_process_of_its_own(name: str, precision: str, sizes: str, seed: int) -> list[float]:
    command = [sys.executable, "-m", "proofs.engine_memory", name, precision, sizes, str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    samples: list[float] = json.loads(run.stdout)
    return samples


def _model() -> tuple[Path, Any]:
    """Return a bundled model, which needs no download."""
    spec = Catalogue.load().nearest(AUTO_MODEL, 3)
    return ModelStore(StoreSettings(folder=Path("nowhere"))).find(spec, format="onnx"), spec


def _run(name: str, precision: Any, sizes: str, seed: int) -> list[float]:
    """Run one engine on tiles of random content and size; return samples of resident memory."""
    chance = random.Random(seed)  # noqa: S311 - sizes, nothing secret
    noise = np.random.default_rng(seed)
    path, spec = _model()
    samples: list[float] = []
    with engine(name).open(path, spec, precision=precision, threads=THREADS) as session:
        for count in range(RUNS):
            if sizes == "tile sizes":
                shape = chance.choices(TILE_SIDES_PX, k=2)
            else:
                shape = [chance.randint(*ANY_SIDES_PX) for _ in range(2)]
            tile = noise.random((1, spec.channels.count, *shape), np.float32)
            session.run(tile * np.float32(spec.value_max))
            if count % SAMPLE_EVERY == SAMPLE_EVERY - 1:
                samples.append(round(_resident_bytes() / 1e6, 1))
    return samples


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    _name, _precision, _sizes, _seed = sys.argv[1:]
    print(json.dumps(_run(_name, _precision, _sizes, int(_seed))))
