"""How fast models are on these workers, and how long a job will take by that.

A model's speed is output pixels per second: sums of pixels and of seconds that both fade by a fifth
with every finished job, so that large jobs count for more than small ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from upres.jobs.job import LEASE_S, State
from upres.jobs.schema import jobs, paces, workers

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

    from upres.jobs.database import Transaction

_KEPT = 0.8
_SHORTEST_S = 1e-3
_TELLING_PART = 0.05
"""From this part on a job's own progress tells more than other jobs' speed."""
_UNKNOWN_ROOM_S = 30
_LONGEST_ROOM_S = 3600


@dataclass(frozen=True)
class Paces:
    """Recorded speeds."""

    px_per_s: dict[str, float]
    """By model; with `+tta` where eight passes were averaged."""
    overall_px_per_s: float | None
    """Over all models, for those that have none; None before the first job."""

    def seconds(self, pace: str, px: float) -> float | None:
        """Return how long so many pixels take; None where nothing is known."""
        speed = self.px_per_s.get(pace, self.overall_px_per_s)
        return None if speed is None else px / speed


def record_pace(tx: Transaction, pace: str, *, px: int, seconds: float) -> None:
    """Add one finished job to a model's speed."""
    if px <= 0:
        return
    tx.ensure(paces, pace=pace, px=0.0, seconds=0.0)
    tx.connection.execute(
        update(paces)
        .where(paces.c.pace == pace)
        .values(
            px=paces.c.px * _KEPT + px,
            # a clock that was set back must not make a speed endless
            seconds=paces.c.seconds * _KEPT + max(seconds, _SHORTEST_S),
        )
    )


def recorded_paces(tx: Transaction) -> Paces:
    """Return every recorded speed."""
    rows = tx.connection.execute(select(paces)).all()
    seconds = sum(row.seconds for row in rows)
    return Paces(
        px_per_s={row.pace: row.px / row.seconds for row in rows},
        overall_px_per_s=sum(row.px for row in rows) / seconds if rows else None,
    )


def live_workers(tx: Transaction, *, within_s: float) -> int:
    """Return how many workers were seen in the last so many seconds."""
    query = select(func.count()).select_from(workers).where(workers.c.seen > tx.now - within_s)
    return int(tx.connection.execute(query).scalar_one())


def room_in_s(tx: Transaction, *, too_many_px: int) -> int:
    """Return in how many seconds so much of the queue will likely be gone, 1 s to an hour."""
    speed = recorded_paces(tx).overall_px_per_s
    if speed is None:
        return _UNKNOWN_ROOM_S
    together = speed * max(1, live_workers(tx, within_s=LEASE_S))
    return min(_LONGEST_ROOM_S, max(1, math.ceil(too_many_px / together)))


def running_left_s(tx: Transaction, row: Row[Any], known: Paces) -> float | None:
    """Return the seconds that a running job still takes, by its own progress when it has some."""
    part = min(1.0, row.done_tiles / row.total_tiles) if row.total_tiles else 0.0
    if part >= _TELLING_PART:
        return float(max(0.0, tx.now - row.started) * (1 - part) / part)
    return known.seconds(row.pace, row.cost_px * (1 - part))


def eta_s(tx: Transaction, row: Row[Any], *, ahead: ColumnElement[bool]) -> float | None:
    """Return the seconds until a job is done, or None where that is unknown or it has ended.

    `ahead` tells the queued jobs that go before it.
    """
    known = recorded_paces(tx)
    if row.state == State.RUNNING:
        return running_left_s(tx, row, known)
    if row.state != State.QUEUED:
        return None
    running = tx.connection.execute(select(jobs).where(jobs.c.state == State.RUNNING)).all()
    for twin in running:
        if twin.content_key == row.content_key:
            return running_left_s(tx, twin, known)
    before = [running_left_s(tx, other, known) for other in running]
    queued = (
        select(jobs.c.pace, func.sum(jobs.c.cost_px), func.count())
        .where(ahead, jobs.c.state == State.QUEUED)
        .group_by(jobs.c.pace)
    )
    jobs_before = len(running)
    for pace, px, number in tx.connection.execute(queued):
        before.append(known.seconds(pace, float(px)))
        jobs_before += number
    own = known.seconds(row.pace, row.cost_px)
    if own is None or None in before:
        return None
    together = max(1, live_workers(tx, within_s=LEASE_S))
    # a worker that is free begins at once
    wait = 0.0 if jobs_before < together else sum(part or 0.0 for part in before) / together
    return wait + own
