"""`upres bench speed`: the table that people choose a model by, measured on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from proofs.record import SHARED
from upres.bench.comparison import compare
from upres.bench.speed import SpeedRequest, measure_speed
from upres.config import Settings
from upres.workbench import Runtime, Workbench

_MODELS = ("bicubic", "lanczos", "fsrcnn", "espcn", "lite", "edsr")


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Time every model on every engine in paired rounds, and compare what the models do."""
    workbench = Workbench(Settings.from_environment())
    told: list[str] = []
    speed, chosen = measure_speed(
        SpeedRequest(models=_MODELS), workbench=workbench, tell=told.append
    )
    traits = compare(
        chosen,
        workbench=workbench,
        runtime=Runtime(engine="openvino", precision="fp32"),
        folders=(SHARED / "bench/Set5",),
        tell=told.append,
    )
    paired = all(
        one.failure is None and one.ratio is not None and len(one.seconds) > 1
        for one in speed.engines
    )
    return {
        **asdict(speed),
        "models": [asdict(one) for one in traits],
        "told": told,
        "passed": paired
        and str(speed.baseline).startswith("edsr-x3")
        and [one.model for one in traits if one.full_hd_scaled_by != 1] in ([], ["edsr-x3"]),
    }
