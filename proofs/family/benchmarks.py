"""PSNR-Y of `fast` and `lite` by the standard protocol, through the command, in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from proofs.family.members import Missing, benchmark, enlarged, mean, needed, scores
from upres.models.catalogue import Catalogue

Gates = Mapping[tuple[str, int], float]
"""Mean dB that a set and a scale must reach."""
FAST: Gates = {("Set5", 2): 37.0, ("Set5", 3): 33.2, ("Set5", 4): 30.9, ("Set14", 3): 29.4}
LITE: Gates = {("Set5", 2): 37.75, ("Set5", 3): 34.2, ("Set5", 4): 31.85, ("Set14", 3): 30.2}
_UPSTREAM = ("fsrcnn", "espcn")


def _measure(seed: int, *, model: str, gates: Gates) -> dict[str, Any]:  # noqa: ARG001
    """Score the model wherever it ships, and the small upstream ones beside it."""
    found: dict[str, Any] = {}
    missing = []
    for (name, scale), gate_db in gates.items():
        try:
            needed(model, scale)
        except Missing as error:
            missing.append(str(error))
            continue
        each = {one: _scored(one, name, scale) for one in (model, *_there(scale))}
        found[f"{name} x{scale}"] = {
            "psnr_y_db": each[model],
            "mean_db": mean(each[model].values()),
            "gate_db": gate_db,
            "others_mean_db": {one: mean(each[one].values()) for one in each if one != model},
        }
    reached = all(one["mean_db"] >= one["gate_db"] for one in found.values())
    return {"results": found, "missing": missing, "passed": bool(found) and reached and not missing}


def _there(scale: int) -> list[str]:
    return [
        spec.name for spec in Catalogue.load() if spec.name in _UPSTREAM and spec.scale == scale
    ]


def _scored(model: str, name: str, scale: int) -> dict[str, float]:
    small, truths = benchmark(name, scale)
    results, _ = enlarged(small, scale, "--model", model, "--precision", "fp32")
    return {stem: round(db, 3) for stem, db in scores(results, truths, scale).items()}


measure_fast = partial(_measure, model="fast", gates=FAST)
measure_lite = partial(_measure, model="lite", gates=LITE)
