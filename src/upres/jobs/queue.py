"""Into the queue and through it: submitting, the one order, cancelling.

The order is one rule. A job is due when it came, a batch job BATCH_DELAY_S later; the job that was
due first goes first. So an interactive job passes batch jobs of the last two minutes, and a batch
job that has waited that long is passed by nobody. A job whose worker was lost has been at the head
of the queue before and goes before all.

A job is held while another of the same content is being worked on: it is finished together with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, insert, or_, select, update

from upres.errors import ClientQueueFull, IdempotencyConflict, JobMissing, QueueFull
from upres.jobs.endings import end
from upres.jobs.job import NewJob, State
from upres.jobs.pace import room_in_s
from upres.jobs.rows import new_values, storable
from upres.jobs.schema import jobs

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

    from upres.jobs.database import Transaction

_RESULT = (
    "result_key",
    "result_bytes",
    "result_format",
    "reduced_key",
    "width",
    "height",
    "choice",
    "ran",
    "total_tiles",
)


def submit(
    tx: Transaction, new: NewJob, *, queued_px_limit: int, client_px_limit: int | None
) -> tuple[Row[Any], bool]:
    """Insert a job and return its row and True, or the row of the same request and False.

    Raises IdempotencyConflict, QueueFull and ClientQueueFull.
    """
    tx.exclusive()
    if new.idempotency_key is not None and (same := _same_request(tx, new)) is not None:
        asked = new.options.canonical()
        # the content's key may have changed meanwhile: another engine is the fastest now
        if same.source_key != new.source_key or same.options != asked:
            raise IdempotencyConflict(new.idempotency_key)
        return same, False
    values = new_values(new, now=tx.now)
    finished = finished_twin(tx, new.content_key)
    if finished is None:
        _check_rooms(tx, new, queued_px_limit=queued_px_limit, client_px_limit=client_px_limit)
    else:
        values |= {name: getattr(finished, name) for name in _RESULT}
        values |= {
            "state": State.DONE.value,
            "done_tiles": finished.total_tiles,
            "finished": tx.now,
            "expires": tx.now + new.expires_after_s,
        }
    row = tx.connection.execute(insert(jobs).values(**values).returning(*jobs.c)).one()
    return row, True


def _same_request(tx: Transaction, new: NewJob) -> Row[Any] | None:
    query = select(jobs).where(
        jobs.c.owner == storable(new.owner), jobs.c.idempotency_key == new.idempotency_key
    )
    return tx.connection.execute(query).first()


def finished_twin(tx: Transaction, content_key: str) -> Row[Any] | None:
    """Return the row of a finished job of the same content, whose result is kept longest."""
    query = (
        select(jobs)
        .where(
            jobs.c.content_key == content_key,
            jobs.c.state == State.DONE,
            jobs.c.expires > tx.now,
        )
        .order_by(jobs.c.expires.desc())
        .limit(1)
    )
    return tx.connection.execute(query).first()


def is_work(
    tx: Transaction, new: NewJob, *, queued_px_limit: int, client_px_limit: int | None
) -> bool:
    """Tell whether submitting this would queue it, and not find its job or its result.

    Raises QueueFull and ClientQueueFull.
    """
    if new.idempotency_key is not None and _same_request(tx, new) is not None:
        return False
    if finished_twin(tx, new.content_key) is not None:
        return False
    _check_rooms(tx, new, queued_px_limit=queued_px_limit, client_px_limit=client_px_limit)
    return True


def source_wanted(tx: Transaction, key: str) -> bool:
    """Tell whether any job has that blob as its source."""
    query = select(jobs.c.seq).where(jobs.c.source_key == key).limit(1)
    return tx.connection.execute(query).first() is not None


def _check_rooms(
    tx: Transaction, new: NewJob, *, queued_px_limit: int, client_px_limit: int | None
) -> None:
    _check_room(tx, new, limit_px=queued_px_limit)
    if client_px_limit is not None:
        _check_clients_room(tx, new, limit_px=client_px_limit)


def _check_room(tx: Transaction, new: NewJob, *, limit_px: int) -> None:
    """Let a job in when it fits, and when nothing waits: a large one must have its turn, too."""
    queued_px = waiting_px(tx)
    if queued_px > 0 and queued_px + new.cost_px > limit_px:
        too_many_px = queued_px + new.cost_px - limit_px
        raise QueueFull(
            queued_px=queued_px,
            limit_px=limit_px,
            retry_after_s=room_in_s(tx, too_many_px=min(too_many_px, queued_px)),
        )


def _check_clients_room(tx: Transaction, new: NewJob, *, limit_px: int) -> None:
    """Let a client's job in when it fits, and when nothing of that client waits."""
    queued_px = waiting_px(tx, owner=storable(new.owner))
    if queued_px > 0 and queued_px + new.cost_px > limit_px:
        raise ClientQueueFull(
            queued_px=queued_px,
            limit_px=limit_px,
            retry_after_s=room_in_s(
                tx, too_many_px=min(queued_px + new.cost_px - limit_px, queued_px)
            ),
        )


def waiting_px(tx: Transaction, *, owner: str | None = None) -> int:
    """Return the output pixels of all queued jobs, or of one owner's."""
    query = select(func.coalesce(func.sum(jobs.c.cost_px), 0)).where(jobs.c.state == State.QUEUED)
    if owner is not None:
        query = query.where(jobs.c.owner == owner)
    return int(tx.connection.execute(query).scalar_one())


def lost(now: float) -> ColumnElement[bool]:
    """Tell jobs whose worker let the lease run out."""
    return and_(jobs.c.state == State.RUNNING, jobs.c.lease_until <= now)


def waiting() -> ColumnElement[bool]:
    """Tell jobs that are queued and not held."""
    twin = jobs.alias("twin")
    held = exists().where(twin.c.content_key == jobs.c.content_key, twin.c.state == State.RUNNING)
    return and_(jobs.c.state == State.QUEUED, ~held)


def ahead_of(row: Row[Any], now: float) -> ColumnElement[bool]:
    """Tell jobs that will be claimed before one that waits."""
    earlier = or_(jobs.c.due < row.due, and_(jobs.c.due == row.due, jobs.c.seq < row.seq))
    return or_(
        and_(lost(now), ~jobs.c.cancel_requested),
        and_(waiting(), earlier),
    )


def position(tx: Transaction, job_id: str) -> int:
    """Return 1 for the job that is claimed next; 0 for one that does not wait, or is held."""
    query = select(jobs).where(jobs.c.id == job_id, waiting())
    row = tx.connection.execute(query).first()
    if row is None:
        found(tx, job_id)
        return 0
    count = select(func.count()).select_from(jobs).where(ahead_of(row, tx.now))
    return 1 + int(tx.connection.execute(count).scalar_one())


def found(tx: Transaction, job_id: str, *, to_change: bool = False) -> Row[Any]:
    """Return a job's row, if wanted kept from others until the transaction ends.

    Raises JobMissing.
    """
    query = select(jobs).where(jobs.c.id == job_id)
    row = tx.connection.execute(query.with_for_update() if to_change else query).first()
    if row is None:
        raise JobMissing(job_id)
    return row


def request_cancel(tx: Transaction, job_id: str) -> Row[Any]:
    """Cancel a queued job, and tell a running one's worker to stop; the rest stays as it is."""
    row = found(tx, job_id, to_change=True)
    if row.state == State.QUEUED:
        end(tx, row, State.CANCELLED)
    elif row.state == State.RUNNING:
        asked = update(jobs).where(jobs.c.seq == row.seq).values(cancel_requested=True)
        tx.connection.execute(asked)
    return found(tx, job_id)
