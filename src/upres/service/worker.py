"""A worker process: claims jobs one after the other until it is told to end."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING

from upres.errors import UpresError
from upres.models.catalogue import AUTO
from upres.sandbox.decoder import launcher
from upres.sandbox.kernel import keep_memory_whole, trim_memory
from upres.service.chores import Chores
from upres.service.log import logger
from upres.service.run import Ending, run_job
from upres.service.supervisor import NICENESS
from upres.upscale.size import DEFAULT_FACTOR

if TYPE_CHECKING:
    from upres.jobs.job import Claim
    from upres.service.parts import Service

EXIT_SPENT = 75
"""Exit code of a worker that has to be started anew: it ran out of memory, or is broken."""
IDLE_S = (0.01, 0.05)
"""How long to wait before one looks for a job again: at first, and after a while without one."""
_AWAY_S = 1.0
"""How long to wait for a database or a disk that is away."""


class Worker:
    """One process's loop."""

    def __init__(self, service: Service) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._service = service
        self._ending_at: float | None = None
        """When the time to finish is over; None while there is no end in sight."""

    def end_soon(self) -> None:
        """Claim nothing more; the job at hand has `drain_s` to be finished."""
        if self._ending_at is None:
            self._ending_at = time.monotonic() + self._service.settings.drain_s

    @property
    def ending(self) -> bool:
        """Tell whether this worker was told to end."""
        return self._ending_at is not None

    def drained(self) -> bool:
        """Tell whether a job at hand has to be given back."""
        return self._ending_at is not None and time.monotonic() >= self._ending_at

    def run(self) -> int:
        """Work until the end; return the process's exit code."""
        wait_s = IDLE_S[0]
        with Chores(self._service, worker=self.name):
            while not self.ending:
                claim = self._claimed()
                if claim is None:
                    time.sleep(wait_s)
                    wait_s = min(wait_s * 1.1, IDLE_S[1])
                    continue
                wait_s = IDLE_S[0]
                ending = self._worked_on(claim)
                trim_memory()
                if ending is Ending.FORFEITED:
                    return EXIT_SPENT
                if ending is Ending.PUT_BACK:
                    time.sleep(_AWAY_S)
            self._service.table.worker_gone(self.name)
        return 0

    def _claimed(self) -> Claim | None:
        settings = self._service.settings
        try:
            return self._service.table.claim(
                self.name, lease_s=settings.lease_s, attempts_cap=settings.attempts
            )
        except UpresError as error:
            logger("worker").warning("claim_failed", code=error.code, reason=str(error))
            time.sleep(_AWAY_S)
            return None

    def _worked_on(self, claim: Claim) -> Ending:
        job = claim.job
        log = logger("worker").bind(job_id=job.id, request_id=job.request_id, attempt=job.attempts)
        started = time.monotonic()
        ending = run_job(self._service, claim, drained=self.drained)
        log.info(
            "job_ended",
            ending=ending.value,
            model=job.options.model,
            pixels=job.cost_px,
            seconds=round(time.monotonic() - started, 3),
        )
        return ending


def limit_memory(limit_bytes: int | None) -> None:
    """Let this process have no more memory of its own than that; None leaves it as it is."""
    if limit_bytes is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, hard))


def work(service: Service) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; return the exit code."""
    worker = Worker(service)

    def end(_number: int, _frame: object) -> None:
        worker.end_soon()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    keep_memory_whole()
    launcher.start()
    limit_memory(service.settings.worker_memory_bytes)
    # so that the first picture does not wait for the network to be opened
    service.workbench.method(AUTO, factor=DEFAULT_FACTOR, runtime=service.runtime)
    logger("worker").info("worker_ready", worker=worker.name)
    return worker.run()
