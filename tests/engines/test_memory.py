"""Memory stays flat over tiles of mixed sizes; proofs/engine_memory.py is the long form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builders import case

if TYPE_CHECKING:
    from engines.conftest import Kind

    from upres.engines.base import Session

ALLOWED_MB = 8.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def growth_mb(session: Session, shapes: list[tuple[int, int]], *, warm_up: int) -> float:
    """Run tiles of these shapes; return how much memory those after the warm-up added."""
    before = 0.0
    for count, shape in enumerate(shapes):
        if count == warm_up:
            before = resident_mb()
        session.run(np.zeros((1, 3, *shape), np.float32))
    return resident_mb() - before


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def test_tiles_of_a_dozen_shapes_leave_memory_flat(kind: Kind, tmp_path: Path) -> None:
    """Shapes that come again cost nothing the second time."""
    dozen = [(height, width) for height in (32, 48, 64) for width in (32, 64, 96, 128)]
    order = np.random.default_rng(1).integers(len(dozen), size=60)
    shapes = [*dozen * 2, *(dozen[index] for index in order)]
    with kind.open(case("residual"), tmp_path) as session:
        assert growth_mb(session, shapes, warm_up=2 * len(dozen)) < ALLOWED_MB


def test_shapes_that_never_come_again_leave_memory_flat(kind: Kind, tmp_path: Path) -> None:
    """What is kept for shapes has a bound: a long-running service meets all of them."""
    order = np.random.default_rng(2).permutation(24 * 24)
    shapes = [(24 + int(index) // 24, 24 + int(index) % 24) for index in order]
    with kind.open(case("residual"), tmp_path) as session:
        # OpenVINO's kernels have a cache of 1024 for the process, filled by some 200 shapes.
        assert growth_mb(session, shapes, warm_up=300) < ALLOWED_MB


def test_closing_gives_memory_back(kind: Kind, tmp_path: Path) -> None:
    """Opening and closing again and again does not add up."""
    tile = np.zeros((1, 3, 64, 64), np.float32)
    before = 0.0
    for count in range(20):
        if count == 5:
            before = resident_mb()
        with kind.open(case("residual"), tmp_path) as session:
            session.run(tile)
    assert resident_mb() - before < ALLOWED_MB
