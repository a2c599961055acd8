"""The one way a job is worked on: from a claim to a published result or an error that is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from upres.enlargement import Delivery, Enlargement
from upres.errors import (
    Blame,
    Cancelled,
    JobTimeout,
    OutOfMemory,
    UpresError,
)
from upres.sandbox.decoder import opened
from upres.service.pulse import Pulse, Stop, end_process

if TYPE_CHECKING:
    from upres.jobs.job import Claim
    from upres.service.parts import Service
    from upres.storage.blobs import Blob


class Ending(StrEnum):
    """What became of a claim."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    """Given back as if it had not been begun."""
    LOST = "lost"
    """Another worker has the job, or will have it when the lease is over."""
    FORFEITED = "forfeited"
    """Given up for another try: this process ran out of memory or is broken, and should end."""


def run_job(
    service: Service,
    claim: Claim,
    *,
    drained: Callable[[], bool] = lambda: False,
    stalled: Callable[[], None] = end_process,
) -> Ending:
    """Work on a claimed job and write what became of it.

    `drained` tells when there is no time left to finish; `stalled` is called when the work hangs.
    Errors of the picture or of this machine are written into the job, not raised. Where the
    database cannot be written, the lease runs out and another worker has the job; only an error of
    the database may be raised.
    """
    pulse = Pulse(service.table, claim, settings=service.settings, drained=drained, stalled=stalled)
    try:
        with pulse:
            result, enlargement = _enlarged(service, claim, pulse)
        published = service.table.finish(
            claim,
            result=result,
            format=_delivery(claim).format,
            width=enlargement.width,
            height=enlargement.height,
        )
    except Cancelled:
        return _stopped(service, claim, pulse.stop())
    except MemoryError as error:
        named = error if isinstance(error, OutOfMemory) else OutOfMemory(claim.job.source_name)
        return _broken(service, claim, named)
    except UpresError as error:
        if error.blame is Blame.BUG:
            return _broken(service, claim, error)
        return _failed(service, claim, error)
    except Exception:
        # a mistake in upres: the process ends by it, and others need not wait for the lease
        with suppress(UpresError):
            service.table.forfeit(claim)
        raise
    if published:
        return Ending.DONE
    return Ending.CANCELLED if service.table.get(claim.job.id).cancel_requested else Ending.LOST


def _enlarged(service: Service, claim: Claim, pulse: Pulse) -> tuple[Blob, Enlargement]:
    """Decode in the sandbox, enlarge here, encode into a new blob; nothing is held whole."""
    job = claim.job
    with (
        service.blobs.open(job.source_key) as source,
        opened(
            source.fileno(),
            name=job.source_name,
            limits=service.sandbox,
            picture_limits=service.limits,
            fields=job.options.keep_metadata,
        ) as decoder,
    ):
        enlargement = Enlargement(
            decoder, name=job.source_name, size=job.options.size, limits=service.limits
        )
        delivery = _delivery(claim)
        enlargement.check_format(delivery.format)
        method = service.workbench.method(
            job.options.model, factor=enlargement.factor, runtime=service.runtime
        )
        with service.blobs.writer(name=job.source_name) as target:
            enlargement.write(
                target,
                method,
                delivery=delivery,
                options=job.options.options,
                progress=pulse.progress,
                cancel=pulse.stopped,
            )
    return target.blob, enlargement


def _delivery(claim: Claim) -> Delivery:
    options = claim.job.options
    if options.format is None:
        raise ValueError("a job that was accepted says its format")
    return Delivery(
        format=options.format,
        quality=options.quality,
        strip_metadata=not options.keep_metadata,
        strip_location=True,
    )


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
