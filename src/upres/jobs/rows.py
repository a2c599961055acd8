"""Between rows of the table and jobs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from upres.jobs.job import Claim, Job, JobOptions, NewJob, Priority, State
from upres.storage.blobs import Blob

if TYPE_CHECKING:
    from sqlalchemy import Row

_ID_BYTES = 16
_TEXT_CHARACTERS = 1000


def new_values(new: NewJob, *, now: float) -> dict[str, Any]:
    """Return the values of a new row: a job that is queued now."""
    return {
        "id": secrets.token_urlsafe(_ID_BYTES),
        "state": State.QUEUED.value,
        "created": now,
        "due": now + new.priority.delay_s,
        "expires_after_s": new.expires_after_s,
        "owner": storable(new.owner),
        "idempotency_key": new.idempotency_key,
        "request_id": storable(new.request_id),
        "priority": new.priority.value,
        "content_key": new.content_key,
        "source_key": new.source_key,
        "source_name": storable(new.source_name),
        "options": new.options.canonical(),
        "pace": new.options.pace,
        "cost_px": new.cost_px,
    }


def storable(text: str) -> str:
    """Return a text that every database takes: some file names cannot be written as UTF-8."""
    return text[:_TEXT_CHARACTERS].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def job_of(row: Row[Any]) -> Job:
    """Return the job of a whole row."""
    return Job(
        id=row.id,
        state=State(row.state),
        created=moment(row.created),
        started=None if row.started is None else moment(row.started),
        finished=None if row.finished is None else moment(row.finished),
        attempts=row.attempts,
        done_tiles=row.done_tiles,
        total_tiles=row.total_tiles,
        result=None if row.result_key is None else Blob(key=row.result_key, bytes=row.result_bytes),
        result_format=row.result_format,
        reduced_key=row.reduced_key,
        width=row.width,
        height=row.height,
        choice=row.choice,
        ran=row.ran,
        error_code=row.error_code,
        error_text=row.error_text,
        cancel_requested=row.cancel_requested,
        source_key=row.source_key,
        source_name=row.source_name,
        options=JobOptions.from_canonical(row.options),
        content_key=row.content_key,
        cost_px=row.cost_px,
        owner=row.owner,
        priority=Priority(row.priority),
        idempotency_key=row.idempotency_key,
        request_id=row.request_id,
        expires_after_s=row.expires_after_s,
    )


def claim_of(row: Row[Any]) -> Claim:
    """Return the claim that a running job's row stands for."""
    return Claim(job=job_of(row), token=row.token, lease_until=moment(row.lease_until))


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
