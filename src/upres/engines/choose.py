"""Which engine and arithmetic to run a model with: measured on a machine, else as is usual."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upres.engines import ENGINE_NAMES, engine, installed
from upres.engines.instructions import has_int8_dot_product
from upres.engines.measurements import (
    BUDGET_DB,
    Conditions,
    Measurement,
    Setting,
    kept_budget_db,
    kept_setting,
    load,
)
from upres.errors import EngineFailed, EngineMissing, InvalidOption
from upres.models.calibration import calibration_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

AUTO = "auto"
INT8_ENGINE = "openvino"
"""The one that gains from int8 graphs."""


def chosen_engine(
    spec: ModelSpec,
    *,
    engine: str,
    precision: Literal["auto", "fp32", "bf16", "int8"],
    threads: int,
    cache_folder: Path | None,
) -> tuple[str, Precision]:
    """Return the name of the engine and the arithmetic to run a model with.

    What is `auto` comes from the measurements kept in `cache_folder`: the fastest that loses no
    more than the budget against fp32, or, where an arithmetic is asked for, the fastest that has
    it. Without measurements it is the first engine of `ENGINE_NAMES` that is installed: OpenVINO
    in int8 where the model has a table of ranges and the CPU the instructions, else fp32. Nothing
    is measured unasked.
    Raises InvalidOption (no such engine) and EngineMissing (no engine is installed).
    """
    if engine not in (AUTO, *ENGINE_NAMES):
        raise InvalidOption("engine", engine, f"one of {', '.join((AUTO, *ENGINE_NAMES))}")
    wanted: Precision | None = None if precision == "auto" else precision
    if engine != AUTO and wanted:
        return engine, wanted
    conditions = current_conditions(spec.parts[0], threads=threads)
    known = cache_folder and load(conditions=conditions, folder=cache_folder)
    suitable = [
        measurement
        for measurement in known or ()
        if engine in (AUTO, measurement.engine) and wanted in (None, measurement.precision)
        if measurement.precision != "int8" or calibration_of(spec) is not None  # blends have none
    ]
    if suitable and cache_folder:
        budget_db = kept_budget_db(conditions=conditions, folder=cache_folder)
        # Who asks for an arithmetic accepts its differences.
        best = choose(suitable, budget_db=float("inf") if wanted else budget_db)
        return best.engine, best.precision
    if engine == AUTO:
        engine = _first(wanted or "fp32")
    return engine, wanted or _usual(spec, engine)


def chosen_setting(
    spec: ModelSpec,
    *,
    engine: str,
    precision: Precision,
    threads: int,
    cache_folder: Path | None,
) -> Setting | None:
    """Return how that engine is run best in that arithmetic; None where it was not measured."""
    if cache_folder is None:
        return None
    conditions = current_conditions(spec.parts[0], threads=threads)
    setting = kept_setting(conditions=conditions, folder=cache_folder)
    same = setting is not None and (setting.engine, setting.precision) == (engine, precision)
    return setting if same else None


def _usual(spec: ModelSpec, engine: str) -> Precision:
    """Return the arithmetic to take where nothing was measured.

    Every table of ranges that ships is proved to keep within the budget, and OpenVINO's int8 to be
    the fastest there is wherever the CPU has the instructions.
    """
    fast = engine == INT8_ENGINE and has_int8_dot_product() and calibration_of(spec) is not None
    return "int8" if fast else "fp32"


def _first(precision: Precision) -> str:
    """Return the first installed engine that has an arithmetic, else the first."""
    here = installed()
    if not here:
        raise EngineMissing(ENGINE_NAMES[0], engine(ENGINE_NAMES[0]).package)
    if precision == "fp32":  # which every engine has: none needs to be loaded to know
        return here[0]
    return next((name for name in here if precision in engine(name).precisions()), here[0])


def choose(measurements: Sequence[Measurement], *, budget_db: float = BUDGET_DB) -> Measurement:
    """Return the fastest that loses at most `budget_db` against fp32, else the one losing least.

    At least one engine must have been measured. Raises EngineFailed when all of them failed.
    """
    working = [measurement for measurement in measurements if measurement.failure is None]
    if not working:
        reasons = "; ".join(f"{one.engine}: {one.failure}" for one in measurements)
        raise EngineFailed(AUTO, "that was measured", reasons)
    near = [one for one in working if _loss_db(one) <= budget_db]
    if near:
        return min(near, key=lambda one: one.median_s)
    return min(working, key=_loss_db)


def _loss_db(one: Measurement) -> float:
    """Return what a measurement lost; what was not scored counts as exact in fp32 alone."""
    if one.loss_db is not None:
        return one.loss_db
    return 0.0 if one.precision == "fp32" else float("inf")


def current_conditions(spec: ModelSpec, *, threads: int) -> Conditions:
    """Return what measurements made now would depend on."""
    return Conditions(
        cpu=cpu_name(),
        threads=threads,
        engines=tuple((name, _version(name)) for name in installed()),
        model=spec.id,
        sha256=spec.file.sha256,
    )


@cache
def _version(name: str) -> str:
    return engine(name).version()


@cache
def cpu_name() -> str:
    """Return this machine's CPU as people and caches tell it from others, on one line."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return parse_cpu_name(text) or platform.processor() or platform.machine() or "unknown CPU"


def parse_cpu_name(text: str) -> str:
    """Return the first CPU of /proc/cpuinfo, '' when it names none.

    Virtual machines often hide the model name (`AMD EPYC`), so family and model are told too.
    """
    first, _, _ = text.partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    if name := fields.get("model name"):
        numbers = [f"{key} {fields[key]}" for key in ("cpu family", "model") if key in fields]
        return f"{name} ({', '.join(numbers)})" if numbers else name
    arm = [fields[key] for key in ("CPU implementer", "CPU part") if key in fields]
    return f"ARM {' '.join(arm)}" if arm else ""
