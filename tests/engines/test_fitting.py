"""How a chosen engine is run best, against sessions whose speed is known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pytest

from upres.engines import fitting
from upres.engines.fitting import fitted
from upres.engines.tune import Candidate
from upres.models.spec import Channels, ModelFile, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from upres.engines.base import Engine

SPEC = ModelSpec(
    name="tiny",
    scale=2,
    channels=Channels.RGB,
    value_max=1.0,
    halo_px=8,
    working_bytes_per_px=100,
    licence="",
    origin="",
    file=ModelFile(name="tiny.onnx", bytes=1, sha256=""),
)


@dataclass
class Sleeper:
    """A session that takes as long as it is told."""

    seconds: Callable[[int, int], float]
    """Of threads and a tile's side."""
    threads: int

    def run(self, planes: Any) -> Any:
        """Sleep."""
        time.sleep(self.seconds(self.threads, planes.shape[-1]))
        return np.zeros(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


@dataclass
class Clock:
    """An engine of such sessions."""

    seconds: Callable[[int, int], float]
    name: str = "openvino"

    def open(self, *_words: Any, threads: int, **_options: Any) -> Sleeper:
        """Open whatever it is."""
        return Sleeper(self.seconds, threads)


def fit(seconds: Callable[[int, int], float], *, threads: int = 2) -> Any:
    engine = cast("Engine", Clock(seconds))
    candidate = Candidate(engine=engine, precision="int8", path=Path("unread"))
    return fitted(candidate, SPEC, threads=threads, tile_s=seconds(threads, 128))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_BESIDE_S", 0.1)


def test_more_threads_that_help_are_taken() -> None:
    """Each tile costs by its pixels: the largest wastes the least, as usual."""
    setting = fit(lambda threads, side: 0.01 / threads * (side / 128) ** 2)
    assert (setting.threads, setting.tile_px, setting.processes) == (2, None, 2)
    assert 0.7 < setting.processes_gain < 1.3


def test_threads_that_stand_in_each_others_way_are_not() -> None:
    """And two processes of one thread do four times as much as one of two, which takes double."""
    setting = fit(lambda threads, side: 0.01 * threads * (side / 128) ** 2)
    assert setting.threads == 1
    assert 3 < setting.processes_gain < 5


def test_tiles_that_fit_the_cache_are_taken() -> None:
    """Large ones cost twice as much for each pixel here."""
    setting = fit(lambda _, side: 0.004 * (side / 128) ** 2 * (2 if side > 300 else 1))
    assert setting.tile_px == 256


def test_a_small_advantage_changes_nothing() -> None:
    """It may be noise."""
    setting = fit(lambda threads, _: 0.02 if threads == 2 else 0.0195)
    assert setting.threads == 2


def test_a_slow_network_is_not_tried_in_large_tiles() -> None:
    """`edsr` takes seconds for one."""
    sides = []

    def seconds(_threads: int, side: int) -> float:
        sides.append(side)
        return 0.2 if side == 128 else 9.0

    assert fit(seconds, threads=1).tile_px is None
    assert set(sides) == {128}
