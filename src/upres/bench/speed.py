"""How fast every model runs on every engine here, side by side, as multiples of one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from upres.bench.selection import Entrant, entrants, make_present
from upres.engines import installed
from upres.engines.threads import usable_cpus
from upres.engines.tune import TILE_PX, candidates, measure_together
from upres.errors import UnknownModel
from upres.models.catalogue import AUTO_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.bench.pictures import Tell
    from upres.engines.base import Precision
    from upres.engines.measurements import Measurement
    from upres.engines.tune import Candidate
    from upres.models.spec import ModelSpec
    from upres.workbench import PullNotice, Workbench

USUAL_MODEL = "edsr"
USUAL_ENGINE = "opencv"
"""EDSR in OpenCV's dnn_superres is what people have: everything is a multiple of its speed."""
_TURN_S = 0.05
"""A candidate's turn lasts at least this long: one run of a small network is too short to tell."""


@dataclass(frozen=True, kw_only=True)
class SpeedRequest:
    """What is to be timed."""

    models: tuple[str, ...]
    scale: int = 3
    engines: tuple[str, ...] | None = None
    """None: every one that is installed."""
    precisions: tuple[Precision, ...] | None = None
    """None: every one that an engine has here."""
    threads: int | None = None
    rounds: int = 5
    budget_s: float = 300.0
    """No round begins after this; one is always made."""
    tile_px: int = TILE_PX


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times faster than the baseline, from rounds in which both had their turn."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True, kw_only=True)
class EngineSpeed:
    """How one model did on one engine in one arithmetic."""

    model: str
    engine: str
    precision: Precision
    seconds: tuple[float, ...]
    """For one tile, one for each round; empty when the engine failed."""
    median_s: float | None
    ratio: Ratio | None
    """None where there is nothing to compare with."""
    levels_from_fp32: float
    """Largest difference from the model's first fp32 engine, in levels of 255."""
    failure: str | None


@dataclass
class Speed:
    """Everything that was measured and told."""

    scale: int
    tile_px: int
    threads: int
    baseline: str | None = None
    """What the ratios are to, in words; None where there is nothing to compare with."""
    engines: list[EngineSpeed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


_Key = tuple[str, str, str]
"""Model's id, engine, precision."""


def default_speed_models(workbench: Workbench, shipped: Sequence[str]) -> tuple[str, ...]:
    """Return what ships with upres, and EDSR where it was pulled already."""
    here = any(
        spec.name == USUAL_MODEL and workbench.store.installed(spec) for spec in workbench.catalogue
    )
    return (*shipped, USUAL_MODEL) if here else tuple(shipped)


def measure_speed(
    request: SpeedRequest,
    *,
    workbench: Workbench,
    tell: Tell,
    pull: PullNotice | None = None,
) -> tuple[Speed, list[Entrant]]:
    """Time the networks on one tile in paired rounds; returns them, and all that were chosen.

    Interpolations have no engine and are chosen only. Nothing is downloaded unless `pull` is given.
    Raises UnknownModel, ModelMissing, InvalidOption.
    """
    threads = request.threads or workbench.settings.threads or usable_cpus()
    result = Speed(scale=request.scale, tile_px=request.tile_px, threads=threads)

    def note(text: str) -> None:
        result.notes.append(text)
        tell(text)

    chosen = entrants(workbench, request.models, [request.scale], tell=note)
    specs = [entrant.spec for entrant in chosen if entrant.spec is not None]
    for spec in specs:
        make_present(workbench, spec, pull=pull)
    entries = [
        (spec, _candidates(workbench, spec, request.engines, request.precisions)) for spec in specs
    ]
    base = _baseline(workbench, request.scale, pull=pull) if specs else None
    timed = entries if base is None else _with_baseline(workbench, entries, base)
    measured = measure_together(
        timed,
        threads=threads,
        rounds=request.rounds,
        budget_s=request.budget_s,
        turn_s=_TURN_S,
        tile_px=request.tile_px,
    )
    by_key: dict[_Key, Measurement] = {
        (spec.id, one.engine, one.precision): one
        for (spec, _), group in zip(timed, measured, strict=True)
        for one in group
    }
    result.baseline = _in_words(workbench, base, scale=request.scale)
    result.engines = [_row(key, one, _base_of(key, base, by_key)) for key, one in by_key.items()]
    return result, chosen


def _candidates(
    workbench: Workbench,
    spec: ModelSpec,
    engines: Sequence[str] | None,
    precisions: Sequence[Precision] | None,
) -> tuple[Candidate, ...]:
    return candidates(
        spec,
        path_of=lambda wanted: workbench.store.find(spec, format=wanted),
        engines=engines,
        precisions=precisions,
    )


def _baseline(workbench: Workbench, scale: int, *, pull: PullNotice | None) -> ModelSpec | None:
    """Return EDSR where it and OpenCV are here, else the default model, else None."""
    for name in (USUAL_MODEL, AUTO_MODEL):
        try:
            spec = workbench.catalogue.get(name, scale)
        except UnknownModel:
            continue
        if name == USUAL_MODEL and USUAL_ENGINE not in installed():
            continue
        if pull is not None or workbench.store.installed(spec):
            make_present(workbench, spec, pull=pull)
            return spec
    return None


def _with_baseline(
    workbench: Workbench,
    entries: list[tuple[ModelSpec, tuple[Candidate, ...]]],
    base: ModelSpec,
) -> list[tuple[ModelSpec, tuple[Candidate, ...]]]:
    """Add what the others are compared with where it is not among them."""
    engines = [USUAL_ENGINE]
    if base.name != USUAL_MODEL:
        engines = list(dict.fromkeys(one.engine.name for _, each in entries for one in each))
    own = next((each for spec, each in entries if spec == base), ())
    exact = {one.engine.name for one in own if one.precision == "fp32"}
    missing = [name for name in engines if name not in exact]
    if not missing:
        return entries
    added = _candidates(workbench, base, missing, ["fp32"])
    others = [(spec, each) for spec, each in entries if spec != base]
    return [*others, (base, (*added, *own))]


def _base_of(
    key: _Key, base: ModelSpec | None, by_key: dict[_Key, Measurement]
) -> Measurement | None:
    if base is None:
        return None
    engine = USUAL_ENGINE if base.name == USUAL_MODEL else key[1]
    return by_key.get((base.id, engine, "fp32"))


def _in_words(workbench: Workbench, base: ModelSpec | None, *, scale: int) -> str | None:
    if base is None:
        return None
    if base.name == USUAL_MODEL:
        return f"{base.id} in OpenCV's dnn_superres"
    why = f"`upres models pull {USUAL_MODEL}` brings the usual one"
    if scale not in workbench.catalogue.scales(USUAL_MODEL):
        why = f"there is no {USUAL_MODEL} x{scale}"
    return f"{base.id} fp32 in the same engine ({why})"


def _row(key: _Key, one: Measurement, base: Measurement | None) -> EngineSpeed:
    return EngineSpeed(
        model=key[0],
        engine=one.engine,
        precision=one.precision,
        seconds=one.seconds,
        median_s=one.median_s if one.seconds else None,
        ratio=_ratio(one.seconds, base.seconds if base is not None else ()),
        levels_from_fp32=one.max_level_difference,
        failure=one.failure,
    )


def _ratio(seconds: Sequence[float], base: Sequence[float]) -> Ratio | None:
    if not seconds or not base:
        return None
    ratios = [theirs / own for own, theirs in zip(seconds, base, strict=True)]
    return Ratio(median=median(ratios), lowest=min(ratios), highest=max(ratios))
