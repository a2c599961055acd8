"""The one way a job is worked on: from a claim to a published result or an error that is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING

from upres.errors import (
    Blame,
    Cancelled,
    DatabaseBusy,
    DatabaseUnusable,
    DiskFull,
    JobTimeout,
    OutOfMemory,
    OutputNotWritable,
    SandboxUnavailable,
    UpresError,
)
from upres.service.log import logger
from upres.service.making import make
from upres.service.pulse import Pulse, Stop, end_process

if TYPE_CHECKING:
    from upres.jobs.job import Claim
    from upres.service.making import Made
    from upres.service.parts import Service

_PASSING = (DatabaseBusy, DatabaseUnusable, DiskFull, OutputNotWritable, SandboxUnavailable)
"""Errors of the surroundings, whatever the picture: an operator mends them, and all goes on."""
_AGAIN_S = (0.5, 1.0, 2.0)


class Ending(StrEnum):
    """What became of a claim."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    """Given back as if it had not been begun."""
    PUT_BACK = "put back"
    """The same, because this machine lacks something: room, or the sandbox."""
    LOST = "lost"
    """Another worker has the job, or will have it when the lease is over."""
    FORFEITED = "forfeited"
    """Given up for another try: this process ran out of memory or is broken, and should end."""


_LAST = frozenset({Ending.DONE, Ending.FAILED, Ending.CANCELLED})
"""After the others the job goes on somewhere, and so does its preview."""


def run_job(
    service: Service,
    claim: Claim,
    *,
    drained: Callable[[], bool] = lambda: False,
    end: Callable[[int], None] = end_process,
) -> Ending:
    """Work on a claimed job and write what became of it.

    `drained` tells when there is no time left to finish; `end` is called with an exit code when the
    work hangs. Errors of the picture are written into the job, not raised. What this machine lacks
    for the moment puts the job back. Where the database cannot be written, the lease runs out and
    another worker has the job.
    """
    ending = _worked(service, claim, drained=drained, end=end)
    if ending in _LAST:
        service.previews.of(claim.job.id).forget()
    return ending


def _worked(
    service: Service, claim: Claim, *, drained: Callable[[], bool], end: Callable[[int], None]
) -> Ending:
    pulse = Pulse(service.table, claim, settings=service.settings, drained=drained, end=end)
    try:
        with pulse:
            return _published(service, claim, _make(service, claim, pulse))
    except Cancelled:
        return _stopped(service, claim, pulse.stop())
    except MemoryError as error:
        named = error if isinstance(error, OutOfMemory) else OutOfMemory(claim.job.source_name)
        return _broken(service, claim, named)
    except _PASSING as error:
        return _put_back(service, claim, error)
    except UpresError as error:
        if error.blame is Blame.BUG:
            return _broken(service, claim, error)
        return _failed(service, claim, error)
    except Exception:
        # a mistake in upres: the process ends by it, and others need not wait for the lease
        with suppress(UpresError):
            service.table.forfeit(claim)
        raise


def _make(service: Service, claim: Claim, pulse: Pulse) -> Made:
    if claim.job.options.is_clip:
        from upres.service.clips import make_clip

        return make_clip(service, claim, pulse)
    return make(service, claim, pulse)


def _published(service: Service, claim: Claim, made: Made) -> Ending:
    """Hand a result in; try again for a while where the database does not take it."""
    for wait_s in (*_AGAIN_S, None):
        try:
            published = service.table.finish(
                claim,
                result=made.result,
                reduced=made.reduced,
                format=made.format,
                width=made.width,
                height=made.height,
                content_key=made.content_key,
                choice=None if made.choice is None else json.dumps(asdict(made.choice)),
                ran=made.ran.canonical(),
            )
            break
        except (DatabaseBusy, DatabaseUnusable, DiskFull):
            if wait_s is None:
                return Ending.LOST
            time.sleep(wait_s)
    if published:
        return Ending.DONE
    return Ending.CANCELLED if service.table.get(claim.job.id).cancel_requested else Ending.LOST


def _stopped(service: Service, claim: Claim, reason: Stop | None) -> Ending:
    table = service.table
    if reason is Stop.LATE:
        limit_s = service.settings.job_timeout_s
        return _failed(service, claim, JobTimeout(claim.job.source_name, limit_s=limit_s))
    with suppress(UpresError):
        if reason is Stop.CANCELLED and table.cancelled(claim):
            return Ending.CANCELLED
        if reason is Stop.DRAINED and table.release(claim):
            return Ending.RELEASED
    return Ending.LOST


def _put_back(service: Service, claim: Claim, error: UpresError) -> Ending:
    """Give a job back that could not be done for want of something that may come again."""
    logger("worker").warning("job_put_back", job_id=claim.job.id, code=error.code)
    with suppress(UpresError):
        service.table.release(claim)
    return Ending.PUT_BACK


def _failed(service: Service, claim: Claim, error: UpresError) -> Ending:
    with suppress(UpresError):
        if service.table.fail(claim, code=error.code, text=str(error)):
            return Ending.FAILED
    return Ending.LOST


def _broken(service: Service, claim: Claim, error: UpresError) -> Ending:
    """Give a job that broke this process to a fresh one, unless it had its tries."""
    if claim.job.attempts >= service.settings.attempts:
        _failed(service, claim, error)
    else:
        with suppress(UpresError):
            service.table.forfeit(claim)
    return Ending.FORFEITED
