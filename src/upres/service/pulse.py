"""Keeps a claimed job alive while it is worked on, and says when the work has to stop, and why."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Self

from upres.service.log import logger

if TYPE_CHECKING:
    from upres.jobs.job import Claim
    from upres.jobs.table import JobTable
    from upres.service.settings import ServiceSettings

PROGRESS_S = 0.5
"""Progress is written this often at most."""
EXIT_STALLED = 70
"""Exit code of a worker whose work hung."""
REACT_S = 2.0
"""How long work may take to notice that it is to be given back, before it is without it."""


class Stop(Enum):
    """Why work on a job has to stop before it is done."""

    CANCELLED = "cancelled"
    """Its owner does not want it any more."""
    LOST = "lost"
    """Another worker has it."""
    LATE = "late"
    """It took longer than a job may."""
    DRAINED = "drained"
    """The worker ends, and its time to finish is over."""


def end_process(code: int) -> None:
    """End this process at once: work that hangs cannot be ended otherwise."""
    os._exit(code)


class Pulse:
    """A context in which a job is worked on: heartbeats go out from a thread of its own.

    Work that makes no progress for `stall_s` hangs: its lease is let go, so that another worker may
    try, and `end` is called, which by default ends the process with that code. So it is, with 0,
    for work that is to be given back and is within a tile that takes long.
    """

    def __init__(
        self,
        table: JobTable,
        claim: Claim,
        *,
        settings: ServiceSettings,
        drained: Callable[[], bool] = lambda: False,
        end: Callable[[int], None] = end_process,
    ) -> None:
        self._table = table
        self._claim = claim
        self._settings = settings
        self._drained = drained
        self._end = end
        self._tiles = (0, 0)
        self._started = self._moved = time.monotonic()
        self._over = threading.Event()
        self._reason: Stop | None = None
        self._thread = threading.Thread(target=self._beat_on, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def progress(self, done: int, total: int) -> None:
        """Note how many tiles are done."""
        self._tiles = done, total
        self._moved = time.monotonic()

    def stop(self) -> Stop | None:
        """Return why the work has to stop, None while it may go on."""
        if self._reason is None:
            if time.monotonic() - self._started > self._settings.job_timeout_s:
                self._reason = Stop.LATE
            elif self._drained():
                self._reason = Stop.DRAINED
        return self._reason

    def stopped(self) -> bool:
        """Tell whether the work has to stop; asked between tiles."""
        return self.stop() is not None

    def _beat_on(self) -> None:
        written, beaten = self._tiles, time.monotonic()
        every_s = min(PROGRESS_S, self._settings.heartbeat_s)
        drained_at: float | None = None
        while not self._over.wait(every_s):
            now = time.monotonic()
            if now - self._moved > self._settings.stall_s:
                self._give_up(self._table.forfeit, EXIT_STALLED)
                return
            if self._drained():
                drained_at = drained_at or now
                if now - drained_at > REACT_S:
                    self._give_up(self._table.release, 0)
                    return
            if self._tiles != written or now - beaten >= self._settings.heartbeat_s:
                written, beaten = self._tiles, now
                self._beat(*written)

    def _beat(self, done_tiles: int, total_tiles: int) -> None:
        try:
            word = self._table.heartbeat(
                self._claim,
                done_tiles=done_tiles,
                total_tiles=total_tiles,
                lease_s=self._settings.lease_s,
            )
        except Exception as error:  # noqa: BLE001 - this thread must not end before the work
            # mostly a database that is away for a moment; the lease outlasts a few beats
            logger("worker").warning("beat_failed", error=type(error).__name__)
            return
        if word != "go":
            self._reason = Stop.CANCELLED if word == "cancel" else Stop.LOST

    def _give_up(self, how: Callable[[Claim], bool], code: int) -> None:
        with suppress(Exception):
            how(self._claim)
        self._end(code)
