"""The short form of a proof: jobs while workers, web process and supervisor are killed."""

from __future__ import annotations

import pytest

chaos = pytest.importorskip("proofs.serving.chaos", reason="the proofs are not in this folder")


def test_nothing_is_lost_when_processes_are_killed() -> None:
    """Nothing is done twice either, and every result is the command's."""
    numbers = chaos.measure(7, jobs=60, restarts=1, lease_s=4, heartbeat_s=1)
    assert numbers["passed"], numbers
    assert numbers["kills"]["supervisor"] == 1
    assert numbers["kills"]["worker"] > 0
