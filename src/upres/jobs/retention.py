"""What is kept for how long: jobs after their end, and the blobs that jobs still need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, or_, select, update

from upres.jobs.job import FINISHED, UNFINISHED, State
from upres.jobs.schema import jobs, workers

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from upres.jobs.database import Transaction

FORGET_AFTER_S = 7 * 24 * 3600.0
"""How long an expired job still answers that it is expired."""
_WORKERS_KEPT_S = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """How many jobs expired, and how many expired ones were forgotten."""

    expired: int
    forgotten: int


def expire(tx: Transaction, *, forget_after_s: float) -> Expiry:
    """Expire the jobs whose time is over, and delete the rows of those expired long ago."""
    forgotten = tx.connection.execute(
        delete(jobs).where(jobs.c.state == State.EXPIRED, jobs.c.expires <= tx.now - forget_after_s)
    ).rowcount
    expired = _expire_where(tx, and_(jobs.c.state.in_(FINISHED), jobs.c.expires <= tx.now))
    tx.connection.execute(delete(workers).where(workers.c.seen <= tx.now - _WORKERS_KEPT_S))
    return Expiry(expired=expired, forgotten=forgotten)


def give_up_result(tx: Transaction, key: str) -> int:
    """Expire the jobs whose result is that blob, which is gone; return how many."""
    return _expire_where(tx, and_(jobs.c.state == State.DONE, jobs.c.result_key == key))


def _expire_where(tx: Transaction, condition: ColumnElement[bool]) -> int:
    """Let jobs expire: their idempotency keys may name new jobs from now on."""
    return tx.connection.execute(
        update(jobs)
        .where(condition)
        .values(
            state=State.EXPIRED.value,
            expires=tx.now,
            result_key=None,
            result_bytes=None,
            reduced_key=None,
            idempotency_key=None,
        )
    ).rowcount


def keep_keys(tx: Transaction, *, sources_s: float) -> set[str]:
    """Return the blobs that jobs still need."""
    lately = and_(jobs.c.state.in_(FINISHED), jobs.c.finished > tx.now - sources_s)
    needed = or_(jobs.c.state.in_(UNFINISHED), lately)
    sources = select(jobs.c.source_key).where(needed).distinct()
    results = select(jobs.c.result_key, jobs.c.reduced_key).where(
        jobs.c.state == State.DONE, jobs.c.result_key.is_not(None)
    )
    found = {row.source_key for row in tx.connection.execute(sources)}
    for row in tx.connection.execute(results):
        found |= {row.result_key, row.reduced_key} - {None}
    return found
