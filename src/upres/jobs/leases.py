"""Working on jobs under leases: claiming, heartbeats, handing in, and taking over from the lost.

The token tells the latest claim of a job from all before; whoever comes with an older one changes
nothing. A lease that is over allows others to take the job; until one does, the worker that was
late still holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import or_, select, update

from upres.jobs.endings import end, end_twins
from upres.jobs.job import POISON, Claim, ResultFormat, State
from upres.jobs.pace import record_pace
from upres.jobs.queue import lost, waiting
from upres.jobs.rows import claim_of, storable
from upres.jobs.schema import counters, jobs

if TYPE_CHECKING:
    from sqlalchemy import Row

    from upres.jobs.database import Transaction
    from upres.storage.blobs import Blob

NOT_UNDERSTOOD = "not-understood"
"""The error code of a job that another version of upres accepted."""
LEASE_EXPIRIES = "lease_expiries"
POISONED = "poisoned"
"""Names of counters."""

Word = Literal["go", "cancel", "lost"]


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """Ids of the jobs whose workers were lost, by what became of them."""

    requeued: tuple[str, ...] = ()
    poisoned: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()


def anything_to_claim(tx: Transaction) -> bool:
    """Tell whether a claim may find a job; asking does not wait for writers."""
    query = select(jobs.c.seq).where(or_(lost(tx.now), jobs.c.state == State.QUEUED)).limit(1)
    return tx.connection.execute(query).first() is not None


def anything_lost(tx: Transaction) -> bool:
    """Tell whether there is something to reap; asking does not wait for writers."""
    return (
        tx.connection.execute(select(jobs.c.seq).where(lost(tx.now)).limit(1)).first() is not None
    )


def claim(tx: Transaction, worker: str, *, lease_s: float, attempts_cap: int) -> Claim | None:
    """Take the first job in the order of upres.jobs.queue."""
    row = _first_to_claim(tx, attempts_cap=attempts_cap)
    if row is None:
        return None
    if row.state == State.RUNNING:
        count(tx, LEASE_EXPIRIES, 1)
    values = {
        "state": State.RUNNING.value,
        "worker": storable(worker),
        "token": row.token + 1,
        "attempts": row.attempts + 1,
        "started": tx.now,
        "lease_until": tx.now + lease_s,
        "done_tiles": 0,
        "total_tiles": 0,
    }
    statement = update(jobs).where(jobs.c.seq == row.seq).values(**values).returning(*jobs.c)
    claimed = tx.connection.execute(statement).one()
    try:
        return claim_of(claimed)
    except (TypeError, ValueError) as error:
        # by another version of upres; left in its place it would be in everybody's way
        text = f"this version of upres does not understand the job: {error}"
        end(tx, claimed, State.FAILED, error_code=NOT_UNDERSTOOD, error_text=storable(text))
        return None


def _first_to_claim(tx: Transaction, *, attempts_cap: int) -> Row[Any] | None:
    taken_over = (lost(tx.now), ~jobs.c.cancel_requested, jobs.c.attempts < attempts_cap)
    for condition in (taken_over, (waiting(),)):
        query = (
            select(jobs)
            .where(*condition)
            .order_by(jobs.c.due, jobs.c.seq)
            .limit(1)
            .with_for_update(skip_locked=True, of=jobs)
        )
        row = tx.connection.execute(query).first()
        if row is not None:
            return row
    return None


def heartbeat(
    tx: Transaction, claim: Claim, *, done_tiles: int, total_tiles: int, lease_s: float
) -> Word:
    """Prolong a lease and write the progress; `lost` when the job is no longer the claim's."""
    row = tx.connection.execute(
        update(jobs)
        .where(
            jobs.c.id == claim.job.id,
            jobs.c.token == claim.token,
            jobs.c.state == State.RUNNING,
        )
        .values(done_tiles=done_tiles, total_tiles=total_tiles, lease_until=tx.now + lease_s)
        .returning(jobs.c.cancel_requested)
    ).first()
    if row is None:
        return "lost"
    return "cancel" if row.cancel_requested else "go"


def finish(
    tx: Transaction,
    claim: Claim,
    *,
    result: Blob,
    reduced: Blob | None,
    format: ResultFormat,  # noqa: A002
    width: int,
    height: int,
    content_key: str | None,
    choice: str | None,
    ran: str | None,
) -> bool:
    """Publish a result, unless the claim is lost or the job was cancelled.

    `content_key` is that of the result where it may differ from the one the job came with: then
    those that wait for that one are left to be worked on.
    """
    row = _held(tx, claim)
    if row is None:
        return False
    if row.cancel_requested:
        end(tx, row, State.CANCELLED)
        return False
    values = {
        "result_key": result.key,
        "result_bytes": result.bytes,
        "result_format": format,
        "reduced_key": None if reduced is None else reduced.key,
        "width": width,
        "height": height,
        "choice": choice,
        "ran": ran,
        "done_tiles": row.total_tiles,
    }
    if content_key in (None, row.content_key):
        end(tx, row, State.DONE, **values)
        end_twins(tx, row, **values, total_tiles=row.total_tiles)
    else:
        end(tx, row, State.DONE, **values, content_key=content_key)
    record_pace(tx, row.pace, px=row.cost_px, seconds=tx.now - row.started)
    return True


def fail(tx: Transaction, claim: Claim, *, code: str, text: str) -> bool:
    """Write why a job cannot be done; it is not tried again."""
    row = _held(tx, claim)
    if row is None:
        return False
    if row.cancel_requested:
        end(tx, row, State.CANCELLED)
    else:
        end(tx, row, State.FAILED, error_code=code, error_text=storable(text))
    return True


def cancelled(tx: Transaction, claim: Claim) -> bool:
    """End a job whose work was stopped."""
    row = _held(tx, claim)
    if row is None:
        return False
    end(tx, row, State.CANCELLED, cancel_requested=True)
    return True


def release(tx: Transaction, claim: Claim) -> bool:
    """Put a job back at its place in the queue as if this attempt had not been."""
    row = _held(tx, claim)
    if row is None:
        return False
    _put_back(tx, row, attempts=row.attempts - 1)
    return True


def reap(tx: Transaction, *, attempts_cap: int) -> Reaped:
    """Deal with every job whose lease is over: back into the queue, failed, or cancelled."""
    query = select(jobs).where(lost(tx.now)).order_by(jobs.c.seq)
    rows = tx.connection.execute(query.with_for_update(skip_locked=True)).all()
    cancelled = [row for row in rows if row.cancel_requested]
    poisoned = [row for row in rows if not row.cancel_requested and row.attempts >= attempts_cap]
    requeued = [row for row in rows if not row.cancel_requested and row.attempts < attempts_cap]
    for row in cancelled:
        end(tx, row, State.CANCELLED)
    for row in poisoned:
        end(tx, row, State.FAILED, error_code=POISON, error_text=_poison_text(row.attempts))
    for row in requeued:
        _put_back(tx, row, attempts=row.attempts)
    count(tx, LEASE_EXPIRIES, len(rows))
    count(tx, POISONED, len(poisoned))
    return Reaped(
        requeued=tuple(row.id for row in requeued),
        poisoned=tuple(row.id for row in poisoned),
        cancelled=tuple(row.id for row in cancelled),
    )


def count(tx: Transaction, name: str, more: int) -> None:
    """Add to a counter that outlives the rows."""
    if more:
        tx.ensure(counters, name=name, value=0)
        statement = update(counters).where(counters.c.name == name)
        tx.connection.execute(statement.values(value=counters.c.value + more))


def _held(tx: Transaction, claim: Claim) -> Row[Any] | None:
    """Return the row of a claim that still counts, kept from others."""
    query = select(jobs).where(
        jobs.c.id == claim.job.id, jobs.c.token == claim.token, jobs.c.state == State.RUNNING
    )
    return tx.connection.execute(query.with_for_update()).first()


def _put_back(tx: Transaction, row: Row[Any], *, attempts: int) -> None:
    if row.cancel_requested:
        end(tx, row, State.CANCELLED, attempts=attempts)
        return
    values = {
        "state": State.QUEUED.value,
        "attempts": attempts,
        "worker": None,
        "lease_until": None,
        "started": None,
        "done_tiles": 0,
        "total_tiles": 0,
    }
    tx.connection.execute(update(jobs).where(jobs.c.seq == row.seq).values(**values))


def _poison_text(attempts: int) -> str:
    times = "once" if attempts == 1 else f"{attempts} times"
    return (
        f"the work ended its worker {times} without a result and is not tried again; "
        "it may need more memory than there is, so ask for a smaller result"
    )
