"""How jobs end, each in its one way, and how those of the same content end with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from upres.jobs.job import State
from upres.jobs.schema import jobs

if TYPE_CHECKING:
    from sqlalchemy import Row

    from upres.jobs.database import Transaction


def end(tx: Transaction, row: Row[Any], state: State, **values: Any) -> None:
    """Write a job's end; the row must be kept from others.

    Who sends a request anew whose job came to nothing wants another try: its key is free.
    """
    if state is not State.DONE:
        values["idempotency_key"] = None
    tx.connection.execute(
        update(jobs)
        .where(jobs.c.seq == row.seq)
        .values(**_ended(tx.now), state=state.value, **values)
    )


def end_twins(tx: Transaction, row: Row[Any], **values: Any) -> None:
    """Finish the queued jobs of the same content; one that is being claimed is left alone."""
    twins = (
        select(jobs.c.seq)
        .where(jobs.c.content_key == row.content_key, jobs.c.state == State.QUEUED)
        .order_by(jobs.c.seq)
        .with_for_update(skip_locked=True)
    )
    tx.connection.execute(
        update(jobs)
        .where(jobs.c.seq.in_(twins))
        .values(**_ended(tx.now), state=State.DONE.value, **values)
    )


def _ended(now: float) -> dict[str, Any]:
    return {
        "finished": now,
        "expires": now + jobs.c.expires_after_s,
        "worker": None,
        "lease_until": None,
    }
