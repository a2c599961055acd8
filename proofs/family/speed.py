"""How many times edsr's pixels per second `lite` and `fast` reach, on the same engine, in fp32."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from proofs.family.members import Missing, needed
from upres.config import Settings
from upres.engines.threads import usable_cpus
from upres.engines.tune import TILE_PX, candidates, measure_together
from upres.workbench import Workbench

if TYPE_CHECKING:
    from upres.engines.tune import Candidate
    from upres.models.spec import ModelSpec

SCALE = 3
TIMES_EDSR = {"lite": 45, "fast": 350}
_ENGINES = ("onnxruntime", "openvino")
_ROUNDS = 5
_TURN_S = 1.0


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the tile is fixed
    """Time all on one tile in paired rounds; a ratio is the median over the rounds."""
    workbench = Workbench(Settings.from_environment())
    missing, specs = [], [workbench.catalogue.get("edsr", SCALE)]
    for name in TIMES_EDSR:
        try:
            specs.append(needed(name, SCALE))
        except Missing as error:
            missing.append(str(error))
    threads = usable_cpus()
    measured = measure_together(
        [(spec, _tried(spec, workbench)) for spec in specs],
        threads=threads,
        rounds=_ROUNDS,
        budget_s=240,
        turn_s=_TURN_S,
    )
    seconds = {
        spec.name: {one.engine: one.seconds for one in group}
        for spec, group in zip(specs, measured, strict=True)
    }
    times = {
        f"{name} {engine}": [round(base / own, 1) for base, own in zip(each, runs, strict=True)]
        for name, by_engine in seconds.items()
        if name != "edsr"
        for engine, runs in by_engine.items()
        for each in [seconds["edsr"][engine]]
    }
    reached = all(
        median(ratios) >= TIMES_EDSR[name.partition(" ")[0]] for name, ratios in times.items()
    )
    return {
        "tile_px": TILE_PX,
        "threads": threads,
        "seconds": seconds,
        "times_edsr": times,
        "at_least": TIMES_EDSR,
        "missing": missing,
        "passed": reached and not missing,
    }


def _tried(spec: ModelSpec, workbench: Workbench) -> tuple[Candidate, ...]:
    return candidates(
        spec,
        path_of=lambda wanted: workbench.store.find(spec, format=wanted),
        engines=_ENGINES,
        precisions=("fp32",),
    )
