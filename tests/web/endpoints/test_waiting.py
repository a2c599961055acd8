"""Waiting looks at the table often at first, and never much too late."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from job_cases import claim, finish, submit

from upres.jobs.job import State
from upres.web.waiting import LONGEST_S, SHORTEST_S, ended, pause_s

if TYPE_CHECKING:
    from upres.service.parts import Service


def test_pauses_grow_with_the_wait() -> None:
    """From 10 ms to 250 ms, never more than a tenth of the wait beyond the shortest."""
    assert pause_s(0) == SHORTEST_S == 0.01
    assert pause_s(1) == 0.1
    assert pause_s(1000) == LONGEST_S == 0.25
    looks, at = 0, 0.0
    while at < 60:
        at += pause_s(at)
        looks += 1
    assert looks < 300


def test_the_end_is_returned(service: Service) -> None:
    """As it was written meanwhile by another."""
    job = submit(service.table)

    def work() -> None:
        finish(service.table, claim(service.table))

    threading.Timer(0.1, work).start()
    done = ended(service.table, job, timeout_s=10, stop=threading.Event())
    assert done.state is State.DONE


def test_the_time_is_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is no multiple of a pause."""
    clock = [0.0]

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock[0] += timeout or 0
            return False

    now = SimpleNamespace(monotonic=lambda: clock[0])
    monkeypatch.setattr("upres.web.waiting.time", now)
    job = submit(service.table)
    assert ended(service.table, job, timeout_s=3.33, stop=Stop()).state is State.QUEUED
    assert clock[0] == pytest.approx(3.33)


def test_it_can_be_stopped(service: Service) -> None:
    """At once."""
    stop = threading.Event()
    stop.set()
    job = submit(service.table)
    assert ended(service.table, job, timeout_s=3600, stop=stop).state is State.QUEUED
