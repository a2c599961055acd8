"""Measuring engines side by side on one tile."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from builders import NAMES, case

from upres.engines import installed
from upres.engines.session import LockedSession
from upres.engines.tune import Candidate, candidates, measure, measure_together, sample_tile
from upres.errors import EngineFailed

if TYPE_CHECKING:
    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

SPEC = case("repeated").spec


@dataclass
class FakeEngine:
    """Adds `error` to what it is given, fails at run number `fails_at`, and keeps a diary."""

    name: str
    diary: list[str]
    error: float = 0.0
    fails_at: int = 1000
    package: str = "none"
    runs: int = field(default=0)

    def version(self) -> str:
        """Return some version."""
        return "1"

    def precisions(self) -> tuple[Precision, ...]:
        """Return all of them."""
        return ("fp32", "bf16")

    def wanted_format(self, spec: ModelSpec) -> Any:
        """Return the only file's."""
        return spec.file.format

    def open(
        self, path: Path, spec: ModelSpec, *, precision: Precision = "fp32", threads: int
    ) -> LockedSession:
        """Check what was asked for and hand out the network."""
        assert (path.name, threads) == ("some.onnx", 2)
        assert precision in self.precisions()
        if self.fails_at == 0:
            raise EngineFailed(self.name, spec.id, "cannot open")

        def network(tile: Any) -> Any:
            self.runs += 1
            self.diary.append(self.name)
            if self.runs == self.fails_at:
                raise RuntimeError("out of luck")
            return tile + np.float32(self.error)

        return LockedSession(network, engine=self.name, spec=spec)


def run(*engines: FakeEngine, precisions: Any = None, **options: Any) -> Any:
    found = [
        Candidate(engine=engine, precision=precision, path=Path("some.onnx"))
        for engine, precision in zip(engines, precisions or ["fp32"] * len(engines), strict=True)
    ]
    return measure(found, spec=SPEC, threads=2, **options)


def test_rounds_are_paired() -> None:
    """After one run each to warm up: A B A B A B, so that a slow spell hits both."""
    diary: list[str] = []
    results = run(FakeEngine("a", diary), FakeEngine("b", diary), rounds=3)
    assert "".join(diary) == "ab" + "ababab"
    assert [len(result.seconds) for result in results] == [3, 3]
    assert all(result.median_s > 0 for result in results)


def test_one_round_is_made_whatever_the_budget() -> None:
    """A large model passes it in the first round."""
    assert [len(one.seconds) for one in run(FakeEngine("a", []), rounds=9, budget_s=0)] == [1]


def test_differences_are_from_the_first_exact_engine() -> None:
    """In levels of 255, whatever range the model has."""
    engines = [FakeEngine("a", [], error=-0.01), FakeEngine("b", []), FakeEngine("c", [])]
    engines[2].error = 0.004
    far, exact, near = run(*engines, precisions=["bf16", "fp32", "fp32"], rounds=1)
    assert exact.max_level_difference == 0
    assert near.max_level_difference == pytest.approx(255 * 0.004, rel=0.01)
    assert far.max_level_difference == pytest.approx(255 * 0.01, rel=0.01)


@pytest.mark.parametrize("fails_at", [0, 1, 3])
def test_a_failing_engine_is_out_and_the_others_go_on(fails_at: int) -> None:
    """At opening, at the first run or later: its words are kept, and it is no reference."""
    bad = FakeEngine("bad", [], fails_at=fails_at, error=0.5)
    failed, good = run(bad, FakeEngine("good", []), rounds=4)
    assert failed.failure.startswith("engine bad failed on model repeated-x2: ")
    assert failed.seconds == ()
    assert good.failure is None
    assert len(good.seconds) == 4
    assert good.max_level_difference == 0


def test_what_lies_outside_the_range_makes_no_difference() -> None:
    """A picture is clipped before anyone sees it."""
    low, _ = run(FakeEngine("a", [], error=5), FakeEngine("b", [], error=7), rounds=1)
    assert low.max_level_difference == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_tile_fits_the_model(name: str) -> None:
    """Its planes, its range, whole levels, and the same every time."""
    spec = case(name).spec
    tile = sample_tile(spec)
    assert tile.shape == (1, spec.channels.count, 128, 128)
    assert tile.dtype == np.float32
    levels = tile * (255 / spec.value_max)
    assert (levels.min() >= 0, levels.max() <= 255.01) == (True, True)
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    assert levels.std() > 30
    np.testing.assert_array_equal(tile, sample_tile(spec))


def test_installed_engines_are_measured(tmp_path: Path) -> None:
    """Each in every arithmetic it has, exact ones first, on the file that it wants."""
    made = case("residual")
    path = made.save(tmp_path)
    found = candidates(made.spec, path_of=lambda kind: path if kind == "onnx" else tmp_path)
    assert {candidate.engine.name for candidate in found} == set(installed())
    precisions = [candidate.precision for candidate in found]
    assert precisions == sorted(precisions, key=lambda precision: precision != "fp32")
    for result in measure(found, spec=made.spec, threads=1, rounds=1):
        assert result.failure is None
        assert result.max_level_difference <= (0.01 if result.precision == "fp32" else 4)


def test_engines_and_precisions_can_be_left_out(tmp_path: Path) -> None:
    """Of those that are here."""
    made = case("residual")
    path = made.save(tmp_path)
    found = candidates(
        made.spec, path_of=lambda _: path, engines=("onnxruntime", "opencv"), precisions=("fp32",)
    )
    assert {(one.engine.name, one.precision) for one in found} == {
        ("onnxruntime", "fp32"),
        ("opencv", "fp32"),
    }


def test_models_are_measured_in_turns_together() -> None:
    """Rounds go through all of them; each is compared with its own exact engine."""
    diary: list[str] = []
    entries = [
        (
            SPEC,
            [
                Candidate(
                    engine=FakeEngine(name, diary, error=error),
                    precision="fp32",
                    path=Path("some.onnx"),
                )
                for name, error in names
            ],
        )
        for names in ([("a", 0.0), ("b", 0.1)], [("c", 0.3)])
    ]
    first, second = measure_together(entries, threads=2, rounds=2)
    assert "".join(diary) == "abc" + "abcabc"
    assert [one.engine for one in (*first, *second)] == ["a", "b", "c"]
    apart = [one.max_level_difference * SPEC.value_max / 255 for one in (*first, *second)]
    assert apart == pytest.approx([0, 0.1, 0], abs=1e-4)


def test_a_turn_goes_on_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick network runs several times, and the mean of them counts."""
    diary: list[str] = []
    monkeypatch.setattr("time.perf_counter", lambda: len(diary) * 0.25)
    one = Candidate(engine=FakeEngine("a", diary), precision="fp32", path=Path("some.onnx"))
    ((result,),) = measure_together([(SPEC, [one])], threads=2, rounds=2, turn_s=1.0)
    assert len(diary) == 1 + 2 * 4
    assert result.seconds == (0.25, 0.25)


def test_another_tile_size() -> None:
    """Square, as large as asked for."""
    assert sample_tile(SPEC, side_px=40).shape == (1, SPEC.channels.count, 40, 40)
