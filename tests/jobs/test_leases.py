"""The contract of claims, on every database: tokens, leases, attempts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from job_cases import HandClock, blob, claim, finish, submit
from sqlalchemy import text

from upres.jobs.job import Claim, Job, JobOptions, State
from upres.jobs.rows import moment

if TYPE_CHECKING:
    from upres.jobs.table import JobTable


def test_a_claim_and_its_end(table: JobTable, clock: HandClock) -> None:
    """What the worker is given, and what the job shows."""
    job = submit(table)
    clock.now += 3
    claimed = claim(table, lease_s=30)
    assert claimed.job == table.get(job.id)
    assert (claimed.job.state, claimed.job.attempts) == (State.RUNNING, 1)
    assert claimed.job.started == job.created + timedelta(seconds=3)
    assert claimed.lease_until == moment(clock.now + 30)
    assert table.heartbeat(claimed, done_tiles=2, total_tiles=5) == "go"
    running = table.get(job.id)
    assert (running.done_tiles, running.total_tiles) == (2, 5)
    clock.now += 4
    assert finish(table, claimed)
    done = table.get(job.id)
    assert (done.state, done.result) == (State.DONE, blob(claimed))
    assert (done.done_tiles, done.total_tiles) == (5, 5)
    assert (done.result_format, done.width, done.height) == ("jpeg", 40, 25)
    assert done.finished == moment(clock.now)


def test_a_failure_is_told(table: JobTable) -> None:
    """And not tried again; a text that no database takes is no second failure."""
    submit(table)
    claimed = claim(table)
    assert table.fail(claimed, code="bad-picture", text="cannot read a\udcff\0.png: it is empty")
    failed = table.get(claimed.job.id)
    assert (failed.state, failed.error_code) == (State.FAILED, "bad-picture")
    assert failed.error_text == "cannot read a?.png: it is empty"
    assert table.claim("worker") is None


def test_heartbeats_keep_a_job(table: JobTable, clock: HandClock) -> None:
    """For as long as it takes."""
    submit(table)
    claimed = claim(table, lease_s=10)
    for _ in range(5):
        clock.now += 9
        assert table.claim("another") is None
        assert not table.reap().requeued
        assert table.heartbeat(claimed, done_tiles=0, total_tiles=0, lease_s=10) == "go"
    assert table.figures().lease_expiries == 0


def test_a_lost_workers_job_is_taken_over(table: JobTable, clock: HandClock) -> None:
    """Not before the lease is over; the token grows, the progress begins anew."""
    submit(table)
    first = claim(table, "first", lease_s=10)
    table.heartbeat(first, done_tiles=3, total_tiles=4, lease_s=10)
    clock.now += 9.9
    assert table.claim("second") is None
    clock.now += 0.1
    second = claim(table, "second")
    assert second.job.id == first.job.id
    assert second.token > first.token
    assert (second.job.attempts, second.job.done_tiles) == (2, 0)
    assert table.figures().lease_expiries == 1


@pytest.mark.parametrize("after", ["takeover", "reap", "done", "cancelled"])
def test_a_stale_claim_changes_nothing(table: JobTable, clock: HandClock, after: str) -> None:
    """A frozen worker that wakes up is told that it has lost the job."""
    job = submit(table)
    stale = claim(table, lease_s=10)
    clock.now += 10
    if after == "reap":
        assert table.reap().requeued == (job.id,)
    elif after == "cancelled":
        table.request_cancel(job.id)
        table.reap()
    else:
        second = claim(table)
        assert after == "takeover" or finish(table, second)
    before = table.get(job.id)
    assert table.heartbeat(stale, done_tiles=9, total_tiles=9) == "lost"
    assert not finish(table, stale)
    assert not table.fail(stale, code="engine-failed", text="it failed")
    assert not table.cancelled(stale)
    assert not table.release(stale)
    assert table.get(job.id) == before


def test_a_late_worker_keeps_what_nobody_took(table: JobTable, clock: HandClock) -> None:
    """A computer that slept for an hour goes on with its work."""
    submit(table)
    claimed = claim(table, lease_s=10)
    clock.now += 3600
    assert table.heartbeat(claimed, done_tiles=1, total_tiles=2) == "go"
    assert table.claim("another") is None
    clock.now += 3600
    assert finish(table, claimed)


def test_a_released_job_keeps_attempts_and_place(table: JobTable) -> None:
    """A worker that is told to end takes nothing from its job."""
    first, second = submit(table, "a"), submit(table, "b")
    for _ in range(10):
        claimed = claim(table)
        assert claimed.job.id == first.id
        assert claimed.job.attempts == 1
        table.heartbeat(claimed, done_tiles=1, total_tiles=2)
        assert table.release(claimed)
        assert not table.release(claimed)
    job = table.get(first.id)
    assert (job.state, job.attempts, job.done_tiles, job.started) == (State.QUEUED, 0, 0, None)
    assert [table.position(first.id), table.position(second.id)] == [1, 2]
    assert not table.figures().lease_expiries


@pytest.mark.parametrize("cap", [1, 2, 3, 5])
@pytest.mark.parametrize("reaping", [True, False])
def test_poison_has_exactly_its_attempts(
    table: JobTable, clock: HandClock, cap: int, *, reaping: bool
) -> None:
    """Whether its lost leases are found by reaping or by the next claim; others go on."""
    poison = submit(table, "poison")
    submit(table, "good")
    claims: list[Claim] = []
    for _ in range(10):
        if reaping:
            table.reap(attempts_cap=cap)
        claimed = table.claim("worker", lease_s=10, attempts_cap=cap)
        if claimed is None or claimed.job.id != poison.id:
            break
        claims.append(claimed)
        clock.now += 10
    assert len(claims) == cap
    assert claimed is not None
    assert claimed.job.content_key == "good"
    assert reaping or table.reap(attempts_cap=cap).poisoned == (poison.id,)
    job: Job = table.get(poison.id)
    assert (job.state, job.error_code, job.attempts) == (State.FAILED, "poison", cap)
    assert "ended its worker" in str(job.error_text)
    assert "\n" not in str(job.error_text)
    assert table.figures().poisoned == 1
    assert table.figures().lease_expiries == cap
    assert not finish(table, claims[-1])


def test_a_job_of_another_version_is_in_nobodys_way(table: JobTable) -> None:
    """It fails with a word, and the next one is claimed."""
    strange = submit(table, "strange")
    later = submit(table, "later")
    with table.engine.begin() as connection:
        statement = text("UPDATE jobs SET options = :options WHERE id = :id")
        options = JobOptions().canonical().replace("}", ', "new": 1}')
        connection.execute(statement, {"options": options, "id": strange.id})
    assert table.claim("worker", lease_s=30) is None
    assert claim(table).job.id == later.id
    with table.engine.begin() as connection:
        row = connection.execute(text("SELECT state, error_code FROM jobs ORDER BY seq")).first()
    assert row == ("failed", "not-understood")


def test_a_key_is_free_when_its_job_came_to_nothing(table: JobTable) -> None:
    """Cancelled or failed; one that was done is the same job still."""
    cancelled = submit(table, "a", idempotency_key="k")
    table.request_cancel(cancelled.id)
    failed = submit(table, "b", idempotency_key="k")
    assert failed.id != cancelled.id
    table.fail(claim(table), code="bad-picture", text="it is empty")
    done = submit(table, "c", idempotency_key="k")
    finish(table, claim(table))
    assert submit(table, "c", idempotency_key="k").id == done.id


def test_a_result_of_another_key_is_its_own_alone(table: JobTable) -> None:
    """Those that wait for the key the job came with are worked on."""
    first, second = submit(table), submit(table, owner="other")
    claimed = claim(table)
    assert table.finish(
        claimed, result=blob(claimed), format="png", width=1, height=1, content_key="other"
    )
    assert table.get(first.id).content_key == "other"
    assert table.get(second.id).state is State.QUEUED
    assert submit(table, "other").state is State.DONE
