"""Any sequence of calls, by any claims old or new, does to the table what it does to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from job_cases import HandClock, blob, emptied, finish, submit, unsynced

from upres.jobs.job import POISON, TRANSITIONS, Claim, Priority, State
from upres.jobs.table import JobTable

if TYPE_CHECKING:
    from pathlib import Path

CAP = 3
LEASE_S = 10.0
EXPIRES_S = 500.0
FORGET_S = 300.0


@dataclass
class Modelled:
    """What one job must look like."""

    content: str
    due: float
    number: int
    state: State = State.QUEUED
    token: int = 0
    attempts: int = 0
    lease_until: float = 0.0
    ended: float = 0.0
    done_tiles: int = 0
    cancel: bool = False
    code: str | None = None
    result: str | None = None
    seen: State = State.QUEUED

    def end(self, state: State, now: float) -> None:
        """Go to a final state."""
        self.state, self.ended = state, now

    def put_back(self, now: float) -> None:
        """Wait again, or end, where a cancel was asked for."""
        if self.cancel:
            self.end(State.CANCELLED, now)
        else:
            self.state, self.done_tiles = State.QUEUED, 0


class Machine(RuleBasedStateMachine):
    """A table, a model of it, and every claim there ever was."""

    table: JobTable
    clock: HandClock
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Modelled] = {}
        self.submitted = 0
        self.forgotten = 0

    @initialize()
    def begin(self) -> None:
        """Every example has a table of its own."""
        emptied(self.table)

    def waiting(self) -> list[str]:
        """Return the ids that may be claimed, in their order."""
        running = {job.content for job in self.jobs.values() if job.state is State.RUNNING}
        lost = [name for name, job in self.jobs.items() if self.lost(job) and not job.cancel]
        queued = [
            name
            for name, job in self.jobs.items()
            if job.state is State.QUEUED and job.content not in running
        ]
        return self.in_order(lost) + self.in_order(queued)

    def in_order(self, names: list[str]) -> list[str]:
        """Sort by when jobs were due."""
        return sorted(names, key=lambda name: (self.jobs[name].due, self.jobs[name].number))

    def lost(self, job: Modelled) -> bool:
        """Tell whether a job's lease is over."""
        return job.state is State.RUNNING and job.lease_until <= self.clock.now

    def held(self, claimed: Claim) -> Modelled | None:
        """Return the job of a claim that is the latest of a running job."""
        job = self.jobs.get(claimed.job.id)
        if job is None or job.state is not State.RUNNING or job.token != claimed.token:
            return None
        return job

    @rule(seconds=st.sampled_from([0.0, 1.0, LEASE_S - 1, LEASE_S, 130.0, EXPIRES_S]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @precondition(lambda self: len(self.jobs) < 9)
    @rule(content=st.sampled_from("abcdef"), priority=st.sampled_from(Priority))
    def submit(self, content: str, priority: Priority) -> None:
        """A job, now and then of the same content as another."""
        job = submit(self.table, content, priority=priority, expires_after_s=EXPIRES_S)
        self.submitted += 1
        model = Modelled(content, self.clock.now + priority.delay_s, self.submitted)
        kept = [
            twin
            for twin in self.jobs.values()
            if twin.content == content
            and twin.state is State.DONE
            and twin.ended + EXPIRES_S > self.clock.now
        ]
        if kept:
            model.end(State.DONE, self.clock.now)
            assert job.result is not None
            assert job.result.key in {twin.result for twin in kept}
            model.result = job.result.key
        assert job.id not in self.jobs
        model.seen = model.state
        self.jobs[job.id] = model

    @rule(target=claims)
    def claim(self) -> object:
        """The first in order is claimed, with a token it never had; nobody, when none waits."""
        able = [
            name
            for name in self.waiting()
            if self.jobs[name].state is State.QUEUED or self.jobs[name].attempts < CAP
        ]
        claimed = self.table.claim("worker", lease_s=LEASE_S, attempts_cap=CAP)
        assert (claimed.job.id if claimed else None) == (able[0] if able else None)
        if claimed is None:
            return multiple()
        job = self.jobs[claimed.job.id]
        assert claimed.token > job.token
        job.state, job.token = State.RUNNING, claimed.token
        job.attempts += 1
        job.lease_until = self.clock.now + LEASE_S
        job.done_tiles = 0
        assert job.attempts <= CAP
        return claimed

    @rule(claimed=claims, done=st.integers(0, 9))
    def heartbeat(self, claimed: Claim, done: int) -> None:
        """Only the latest claim is heard."""
        word = self.table.heartbeat(claimed, done_tiles=done, total_tiles=9, lease_s=LEASE_S)
        job = self.held(claimed)
        assert word == ("lost" if job is None else "cancel" if job.cancel else "go")
        if job is not None:
            job.lease_until = self.clock.now + LEASE_S
            job.done_tiles = done

    @rule(claimed=claims)
    def finish(self, claimed: Claim) -> None:
        """Only the latest claim of a job that was not cancelled publishes, for its twins too."""
        job = self.held(claimed)
        assert finish(self.table, claimed) == (job is not None and not job.cancel)
        if job is None:
            return
        if job.cancel:
            job.end(State.CANCELLED, self.clock.now)
            return
        twins = [
            twin
            for twin in self.jobs.values()
            if twin.state is State.QUEUED and twin.content == job.content
        ]
        for published in (job, *twins):
            published.end(State.DONE, self.clock.now)
            published.result = blob(claimed).key

    @rule(claimed=claims)
    def fail(self, claimed: Claim) -> None:
        """Only the latest claim fails a job."""
        job = self.held(claimed)
        assert self.table.fail(claimed, code="code", text="text") == (job is not None)
        if job is not None:
            job.end(State.CANCELLED if job.cancel else State.FAILED, self.clock.now)
            job.code = None if job.cancel else "code"

    @rule(claimed=claims)
    def stopped(self, claimed: Claim) -> None:
        """A worker that was told to stop says that it did."""
        job = self.held(claimed)
        assert self.table.cancelled(claimed) == (job is not None)
        if job is not None:
            job.cancel = True
            job.end(State.CANCELLED, self.clock.now)

    @rule(claimed=claims)
    def release(self, claimed: Claim) -> None:
        """The attempt is given back."""
        job = self.held(claimed)
        assert self.table.release(claimed) == (job is not None)
        if job is not None:
            job.attempts -= 1
            job.put_back(self.clock.now)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Whatever state a job is in."""
        name = data.draw(st.sampled_from(sorted(self.jobs, key=lambda n: self.jobs[n].number)))
        job = self.jobs[name]
        self.table.request_cancel(name)
        if job.state is State.QUEUED:
            job.end(State.CANCELLED, self.clock.now)
        elif job.state is State.RUNNING:
            job.cancel = True

    @rule()
    def reap(self) -> None:
        """Lost jobs wait again, are given up after the last attempt, or end as cancelled."""
        lost = {name: job for name, job in self.jobs.items() if self.lost(job)}
        expected: dict[str, set[str]] = {"cancelled": set(), "poisoned": set(), "requeued": set()}
        for name, job in lost.items():
            if not job.cancel and job.attempts >= CAP:
                job.end(State.FAILED, self.clock.now)
                job.code = POISON
                expected["poisoned"].add(name)
            else:
                job.put_back(self.clock.now)
                expected["cancelled" if job.cancel else "requeued"].add(name)
        reaped = self.table.reap(attempts_cap=CAP)
        assert {name: set(getattr(reaped, name)) for name in expected} == expected

    @rule()
    def expire(self) -> None:
        """Ended jobs go after their time, and only they."""
        over = [
            name
            for name, job in self.jobs.items()
            if job.state is State.EXPIRED and job.ended + FORGET_S <= self.clock.now
        ]
        for name in over:
            del self.jobs[name]
        expired = [
            job
            for job in self.jobs.values()
            if job.state in {State.DONE, State.FAILED, State.CANCELLED}
            and job.ended + EXPIRES_S <= self.clock.now
        ]
        for job in expired:
            job.end(State.EXPIRED, self.clock.now)
            job.result = None
        counted = self.table.expire(forget_after_s=FORGET_S)
        assert (counted.expired, counted.forgotten) == (len(expired), len(over))
        self.forgotten += len(over)

    @invariant()
    def every_job_is_as_the_model_says(self) -> None:
        """And came there by a way that there is."""
        for name, model in self.jobs.items():
            job = self.table.get(name)
            assert job.state is model.state
            assert (job.attempts, job.cancel_requested) == (model.attempts, model.cancel)
            assert job.error_code == model.code
            assert (job.result.key if job.result else None) == model.result
            if job.state is State.RUNNING:
                assert job.done_tiles == model.done_tiles
            assert job.state in {model.seen, *TRANSITIONS[model.seen]}
            model.seen = job.state

    @invariant()
    def no_job_is_lost(self) -> None:
        """Whatever was submitted is in the table or was forgotten after it had ended."""
        figures = self.table.figures()
        assert sum(figures.jobs.values()) == len(self.jobs) == self.submitted - self.forgotten
        queued = [job for job in self.jobs.values() if job.state is State.QUEUED]
        assert figures.queued_px == 1000 * len(queued)

    @invariant()
    def positions_are_the_order(self) -> None:
        """1, 2, 3, ... over those that wait, with lost jobs in front; 0 for all others."""
        waiting = self.waiting()
        for name, job in self.jobs.items():
            in_line = job.state is State.QUEUED and name in waiting
            assert self.table.position(name) == (waiting.index(name) + 1 if in_line else 0)

    @invariant()
    def what_is_needed_is_kept(self) -> None:
        """Every result that can be asked for and every source that is still to be read."""
        needed = {job.result for job in self.jobs.values() if job.result}
        for job in self.jobs.values():
            if job.state in {State.QUEUED, State.RUNNING}:
                needed.add(f"source of {job.content}")
        assert self.table.keep_keys(sources_s=0) == needed


def test_on_sqlite(tmp_path: Path) -> None:
    """Many short lives of a table."""
    clock = HandClock()
    table = JobTable(f"sqlite:///{tmp_path / 'jobs.db'}", clock=clock)
    unsynced(table)
    run(table, clock, examples=25)


def test_on_postgresql(empty_postgresql: str) -> None:
    """The same."""
    clock = HandClock()
    run(JobTable(empty_postgresql, clock=clock), clock, examples=15)


def run(given: JobTable, hand: HandClock, *, examples: int) -> None:
    """Compare a table with the model."""

    class OnTable(Machine):
        table = given
        clock = hand

    given.create()
    wanted = settings(max_examples=examples, stateful_step_count=40)
    run_state_machine_as_test(OnTable, settings=wanted)
    given.close()
