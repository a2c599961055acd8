"""What a worker process does beside its jobs: being seen, taking back lost jobs, sweeping.

Any number of processes may do so at the same time; each chore is one transaction or idempotent.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Self

from upres.errors import JobMissing, UpresError
from upres.jobs.job import UNFINISHED
from upres.service.clip_files import sweep_folder
from upres.service.log import logger

if TYPE_CHECKING:
    from upres.service.parts import Service

REAP_S = 2.0
SWEEP_S = 60.0
_FRESH_S = 1200.0
"""What nobody needs is kept so long: an upload on its way to a job is not known yet."""


class Chores:
    """A context in which a thread does them."""

    def __init__(self, service: Service, *, worker: str) -> None:
        self._service = service
        self._worker = worker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work_on, name="chores", daemon=True)

    def __enter__(self) -> Self:
        self.keep_in_order()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _work_on(self) -> None:
        # not all at once where many workers start together
        swept = time.monotonic() - random.uniform(0, SWEEP_S)  # noqa: S311
        while not self._over.wait(REAP_S):
            try:
                self.keep_in_order()
                if time.monotonic() - swept >= SWEEP_S:
                    swept = time.monotonic()
                    self.sweep()
            except UpresError as error:  # a database or a disk that is away; the next round tries
                logger("worker").warning("chores_failed", code=error.code, reason=str(error))
            except Exception:  # noqa: BLE001 - nobody else would do them
                logger("worker").exception("chores_failed")

    def keep_in_order(self) -> None:
        """Say that this worker lives, and take back jobs whose worker does not."""
        table = self._service.table
        table.worker_seen(self._worker)
        reaped = table.reap(attempts_cap=self._service.settings.attempts)
        for what in ("requeued", "poisoned", "cancelled"):
            for job_id in getattr(reaped, what):
                logger("worker").warning("lease_over", job_id=job_id, then=what)

    def _goes_on(self, job_id: str) -> bool:
        try:
            return self._service.table.get(job_id).state in UNFINISHED
        except JobMissing:
            return False

    def sweep(self) -> None:
        """Let jobs expire and remove the blobs that none needs."""
        service = self._service
        settings = service.settings
        service.table.expire()
        keep = service.table.keep_keys(
            sources_s=settings.source_retention_s if settings.keep_sources else 0
        )
        swept = service.blobs.sweep(
            keep=keep,
            max_age_s=0,  # what no job needs stays only while it is fresh
            fresh_s=_FRESH_S,
        )
        service.previews.sweep(wanted=self._goes_on)
        sweep_folder(service.clip_folder, wanted=self._goes_on)
        if swept.blobs or swept.parts:
            logger("worker").info("swept", blobs=swept.blobs, bytes=swept.bytes, parts=swept.parts)
