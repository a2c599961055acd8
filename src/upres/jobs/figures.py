"""Figures of the queue for metrics, read from the table when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from upres.jobs.job import LEASE_S, State
from upres.jobs.leases import LEASE_EXPIRIES, POISONED
from upres.jobs.pace import live_workers, recorded_paces
from upres.jobs.queue import waiting_px
from upres.jobs.schema import counters, jobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upres.jobs.database import Transaction


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The queue at one moment."""

    jobs: Mapping[State, int]
    """Rows in every state; expired ones until they are forgotten."""
    queued_px: int
    """Output pixels that wait."""
    oldest_queued_s: float
    """How long the job that waits longest has waited; 0 when none does."""
    lease_expiries: int
    """Leases that ran out, ever: workers that were killed, or frozen, or cut off."""
    poisoned: int
    """Jobs that were given up for that, ever."""
    live_workers: int
    px_per_s: Mapping[str, float]
    """Recorded speed by model, output pixels of one worker."""


def figures(tx: Transaction) -> Figures:
    """Count everything in one transaction."""
    by_state = tx.connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state))
    numbers = {state: int(number) for state, number in by_state}
    oldest = tx.connection.execute(
        select(func.min(jobs.c.created)).where(jobs.c.state == State.QUEUED)
    ).scalar_one()
    counted = {row.name: int(row.value) for row in tx.connection.execute(select(counters))}
    return Figures(
        jobs={state: numbers.get(state.value, 0) for state in State},
        queued_px=waiting_px(tx),
        oldest_queued_s=0.0 if oldest is None else max(0.0, tx.now - oldest),
        lease_expiries=counted.get(LEASE_EXPIRIES, 0),
        poisoned=counted.get(POISONED, 0),
        live_workers=live_workers(tx, within_s=LEASE_S),
        px_per_s=recorded_paces(tx).px_per_s,
    )
