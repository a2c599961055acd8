"""Which engine and arithmetic to run a model with: measured once on a machine, else the first."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upres.engines import ENGINE_NAMES, engine, installed
from upres.engines.measurements import Conditions, Measurement, load
from upres.errors import EngineFailed, EngineMissing, InvalidOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

AUTO = "auto"
MAX_LEVEL = 1.0
"""How far from fp32 a result may be, in levels of 255, to be chosen without being asked for."""


def chosen_engine(
    spec: ModelSpec,
    *,
    engine: str,
    precision: Literal["auto", "fp32", "bf16"],
    threads: int,
    cache_folder: Path | None,
) -> tuple[str, Precision]:
    """Return the name of the engine and the arithmetic to run a model with.

    What is `auto` comes from the measurements kept in `cache_folder`: the fastest within one level
    of fp32, or, where bf16 is asked for, the fastest that has it. Without measurements it is the
    first engine of `ENGINE_NAMES` that is installed, in fp32: nothing is measured unasked.
    Raises InvalidOption (no such engine) and EngineMissing (no engine is installed).
    """
    if engine not in (AUTO, *ENGINE_NAMES):
        raise InvalidOption("engine", engine, f"one of {', '.join((AUTO, *ENGINE_NAMES))}")
    wanted: Precision | None = None if precision == "auto" else precision
    if engine != AUTO and wanted:
        return engine, wanted
    known = cache_folder and load(
        conditions=current_conditions(spec, threads=threads), folder=cache_folder
    )
    suitable = [
        measurement
        for measurement in known or ()
        if engine in (AUTO, measurement.engine) and wanted in (None, measurement.precision)
    ]
    if suitable:
        # Who asks for bf16 accepts its differences; `auto` never does.
        best = choose(suitable, max_level=float("inf") if wanted else MAX_LEVEL)
        return best.engine, best.precision
    exact_or_wanted = wanted or "fp32"
    return _first(exact_or_wanted) if engine == AUTO else engine, exact_or_wanted


def _first(precision: Precision) -> str:
    """Return the first installed engine, or the first that can do bf16 where that is wanted."""
    here = installed()
    if not here:
        raise EngineMissing(ENGINE_NAMES[0], engine(ENGINE_NAMES[0]).package)
    if precision == "fp32":  # which every engine has: none needs to be loaded to know
        return here[0]
    return next((name for name in here if precision in engine(name).precisions()), here[0])


def choose(measurements: Sequence[Measurement], *, max_level: float = MAX_LEVEL) -> Measurement:
    """Return the fastest within `max_level` levels of fp32; where none is, the nearest to fp32.

    At least one engine must have been measured. Raises EngineFailed when all of them failed.
    """
    working = [measurement for measurement in measurements if measurement.failure is None]
    if not working:
        reasons = "; ".join(f"{one.engine}: {one.failure}" for one in measurements)
        raise EngineFailed(AUTO, "that was measured", reasons)
    exact = [one for one in working if one.max_level_difference <= max_level]
    if exact:
        return min(exact, key=lambda one: one.median_s)
    return min(working, key=lambda one: one.max_level_difference)


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
