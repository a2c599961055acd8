"""Waiting for a job's end by looking at the table, often at first and ever more rarely."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from upres.jobs.job import UNFINISHED

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from upres.jobs.job import Job
    from upres.jobs.table import JobTable

SHORTEST_S = 0.01
LONGEST_S = 0.25
_PART = 0.1
"""Of the time waited so far: an end is noticed at most so much too late."""


def pause_s(waited_s: float) -> float:
    """Return how long to let the table alone, after so long a wait."""
    return min(LONGEST_S, max(SHORTEST_S, waited_s * _PART))


def ended(
    table: JobTable,
    job: Job,
    *,
    timeout_s: float,
    stop: threading.Event,
    gone: Callable[[], bool] = lambda: False,
) -> Job:
    """Return a job when it has ended, or as it is after `timeout_s`, or once `stop` is set.

    Or once `gone` tells that nobody waits any more. Raises what looking at the table raises.
    """
    began = time.monotonic()
    while job.state in UNFINISHED:
        waited_s = time.monotonic() - began
        if waited_s >= timeout_s or stop.wait(min(pause_s(waited_s), timeout_s - waited_s)):
            break
        if gone():
            break
        job = table.get(job.id)
    return job
