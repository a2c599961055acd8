"""Measures engines on one tile of a model, for `upres tune` and `upres bench speed`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from upres.engines import engine, installed, wanted_file
from upres.engines.measurements import Measurement
from upres.errors import UpresError
from upres.models.calibration import calibration_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from upres.engines.base import Engine, Precision, Session
    from upres.models.spec import ModelSpec

Score = Callable[["Session"], float]
"""How well a network does on samples, in dB."""

TILE_PX = 128
"""Side of the tile that engines are measured on."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An engine in one arithmetic with the file it wants."""

    engine: Engine
    precision: Precision
    path: Path


def candidates(
    spec: ModelSpec,
    *,
    path_of: Callable[[Literal["onnx", "pb", "int8"]], Path],
    engines: Container[str] | None = None,
    precisions: Container[Precision] | None = None,
) -> tuple[Candidate, ...]:
    """Return every installed engine in every arithmetic it has here, the exact ones first.

    `path_of` gives the model's file of a format. `engines` and `precisions` leave out all others.
    """
    found = [
        Candidate(
            engine=each,
            precision=precision,
            path=path_of(wanted_file(each, spec, precision=precision)),
        )
        for each in map(engine, installed())
        if engines is None or each.name in engines
        for precision in each.precisions()
        if precisions is None or precision in precisions
        if precision != "int8" or calibration_of(spec) is not None
    ]
    return tuple(sorted(found, key=lambda candidate: candidate.precision != "fp32"))


def measure(
    candidates: Sequence[Candidate],
    *,
    spec: ModelSpec,
    threads: int,
    rounds: int = 5,
    budget_s: float = 60.0,
    score: Score | None = None,
) -> tuple[Measurement, ...]:
    """Run each candidate on one tile and return how it did, in the order given.

    See `measure_together`. With `score`, what each loses against the first fp32 one is told too.
    """
    entry = (spec, candidates)
    return measure_together(
        [entry], threads=threads, rounds=rounds, budget_s=budget_s, score=score
    )[0]


def measure_together(
    entries: Sequence[tuple[ModelSpec, Sequence[Candidate]]],
    *,
    threads: int,
    rounds: int = 5,
    budget_s: float = 60.0,
    turn_s: float = 0.0,
    tile_px: int = TILE_PX,
    score: Score | None = None,
) -> tuple[tuple[Measurement, ...], ...]:
    """Run each candidate of each model on one tile and return how it did, in the order given.

    Rounds are paired (A B C, A B C), so that a machine that slows down does so for all. No round
    begins when the budget is spent, but one is always made. A candidate's turn goes on until
    `turn_s` is over, and its mean counts. Differences are from the first fp32 candidate of the same
    model that works. All networks are open at once: EDSR needs about 3 GB for that.
    """
    with ExitStack() as stack:
        groups = []
        for spec, candidates in entries:
            tile = sample_tile(spec, side_px=tile_px)
            groups.append([_Trial(one, spec, tile, turn_s=turn_s) for one in candidates])
        trials = [trial for group in groups for trial in group]
        for trial in trials:
            trial.open(stack, threads=threads, score=score)
        began_s = time.perf_counter()
        for count in range(rounds):
            if count and time.perf_counter() - began_s > budget_s:
                break
            for trial in trials:
                trial.run()
    return tuple(tuple(_measurements(group)) for group in groups)


def _measurements(trials: Sequence[_Trial]) -> Iterator[Measurement]:
    exact = next((one for one in trials if one.is_exact), None)
    return (trial.measurement(exact) for trial in trials)


@dataclass
class _Trial:
    """A candidate while it is measured; an error of its engine puts it out."""

    candidate: Candidate
    spec: ModelSpec
    tile: NDArray[np.float32]
    turn_s: float
    session: Session | None = None
    output: NDArray[np.float32] | None = None
    score_db: float | None = None
    seconds: list[float] = field(default_factory=list)
    failure: str | None = None

    @property
    def is_exact(self) -> bool:
        return self.candidate.precision == "fp32" and self.failure is None

    def open(self, stack: ExitStack, *, threads: int, score: Score | None) -> None:
        """Open the network; its first run, which is slower, is not measured but compared."""
        chosen = self.candidate
        try:
            session = chosen.engine.open(
                chosen.path, self.spec, precision=chosen.precision, threads=threads
            )
            self.session = stack.enter_context(session)
            self.output = session.run(self.tile)
            self.score_db = None if score is None else score(session)
        except UpresError as error:
            self.failure = str(error)

    def run(self) -> None:
        if self.failure is not None or self.session is None:
            return
        runs, spent_s, began_s = 0, 0.0, time.perf_counter()
        try:
            while not runs or spent_s < self.turn_s:
                self.session.run(self.tile)
                runs, spent_s = runs + 1, time.perf_counter() - began_s
        except UpresError as error:
            self.failure = str(error)
        else:
            self.seconds.append(spent_s / runs)

    def measurement(self, exact: _Trial | None) -> Measurement:
        result = Measurement(engine=self.candidate.engine.name, precision=self.candidate.precision)
        if self.failure is not None or self.output is None:
            return replace(result, failure=self.failure)
        reference = self.output if exact is None or exact.output is None else exact.output
        if self.output.shape != reference.shape:
            return replace(result, failure=f"its result has the shape {self.output.shape}")
        difference = _levels_apart(self.output, reference, value_max=self.spec.value_max)
        loss_db = None
        if exact is not None and exact.score_db is not None and self.score_db is not None:
            loss_db = exact.score_db - self.score_db
        return replace(
            result,
            seconds=tuple(self.seconds),
            max_level_difference=difference,
            loss_db=loss_db,
        )


def _levels_apart(
    one: NDArray[np.float32], other: NDArray[np.float32], *, value_max: float
) -> float:
    clipped = (np.clip(values, 0, value_max) for values in (one, other))
    return float(np.abs(np.subtract(*clipped)).max()) * 255 / value_max


def sample_tile(spec: ModelSpec, *, side_px: int = TILE_PX) -> NDArray[np.float32]:
    """Return the tile to measure on: (1, C, side, side), always the same, in 0..`spec.value_max`.

    It has what photographs have: slopes, sharp edges, fine lines and a little noise.
    """
    rows, columns = np.mgrid[0:side_px, 0:side_px] / side_px
    planes = []
    for plane in range(spec.channels.count):
        slope = 0.2 + 0.5 * columns + 0.2 * np.sin(4 * rows + plane)
        disc = 0.3 * (np.hypot(rows - 0.4, columns - 0.6) < 0.2 + 0.05 * plane)
        lines = 0.2 * (np.sin(300 * rows * columns) > 0.7) * (rows > 0.6)  # noqa: PLR2004
        planes.append(slope + disc - lines)
    noise = np.random.default_rng(1).normal(0, 0.01, (spec.channels.count, side_px, side_px))
    levels = np.rint(255 * np.clip(np.stack(planes) + noise, 0, 1))
    return (levels[np.newaxis] * (spec.value_max / 255)).astype(np.float32)
