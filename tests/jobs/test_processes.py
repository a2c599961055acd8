"""The table among several processes: killed, frozen out, and beginning at the same moment."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import job_child
import pytest
from job_cases import NO_LIMIT, claim, finish, request, submit
from sqlalchemy import select

from upres.errors import IdempotencyConflict, QueueFull
from upres.jobs.job import State
from upres.jobs.schema import jobs
from upres.jobs.table import JobTable

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs kill -9")

JOBS = 300
WORKERS = 4
KILLS = 15
KILLS_EVERY_S = 0.2


def test_killed_workers_lose_and_repeat_nothing(url: str, tmp_path: Path) -> None:
    """Every job is done, published once, and never in two workers' hands with one token."""
    table = JobTable(url)
    table.create()
    ids = [submit(table, str(number)).id for number in range(JOBS)]
    finished = job_child.context().Event()
    chance = random.Random(5)
    names = iter(range(10**6))
    log = tmp_path / "log"

    def worker() -> multiprocessing.process.BaseProcess:
        return job_child.start(job_child.work, url, f"worker {next(names)}", log, finished)

    workers = [worker() for _ in range(WORKERS)]
    end_s = time.monotonic() + 60
    kills = 0
    while table.figures().jobs[State.DONE] < JOBS:
        assert time.monotonic() < end_s, table.figures()
        time.sleep(KILLS_EVERY_S)
        if kills == KILLS:  # on a slow machine workers would be killed before they begin
            continue
        victim = chance.randrange(WORKERS)
        workers[victim].kill()
        workers[victim].join()
        workers[victim] = worker()
        kills += 1
    finished.set()
    for process in workers:
        process.join(30)
        assert process.exitcode == 0
    told = Counter(tuple(line.split()) for line in log.read_text("utf-8").splitlines())
    assert set(told.values()) == {1}
    published = Counter(job_id for what, job_id, _ in told if what == "published")
    assert set(published) <= set(ids)
    assert set(published.values()) == {1}
    for job_id in ids:
        job = table.get(job_id)
        assert job.state is State.DONE
        assert job.result is not None
        owner, token = job.result.key.removeprefix("result of ").split()
        assert owner == job_id
        # a worker may have been killed before it could write a line
        assert int(token) == job.attempts
    assert kills >= 3
    table.close()


def test_two_processes_make_the_tables_at_once(url: str) -> None:
    """Both succeed, again and again, and the tables are there once."""
    context = job_child.context()
    gate = context.Barrier(3)
    ends = [context.Pipe() for _ in range(3)]
    children = [job_child.start(job_child.create, url, gate, child) for _, child in ends]
    assert all(parent.poll(30) for parent, _ in ends)
    assert [parent.recv() for parent, _ in ends] == [("", "")] * 3
    for child in children:
        child.join(30)
    table = JobTable(url)
    table.create()
    assert submit(table).state is State.QUEUED
    table.close()


def test_threads_share_a_table(url: str) -> None:
    """Every job is claimed by exactly one of them."""
    table = JobTable(url)
    table.create()
    ids = {submit(table, str(number)).id for number in range(60)}
    claimed: list[str] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        while (one := table.claim(name)) is not None:
            with lock:
                claimed.append(one.job.id)
            assert finish(table, one)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, "abcdefgh"))
    assert sorted(claimed) == sorted(ids)
    table.close()


def test_a_request_sent_at_the_same_time_is_one_job(url: str) -> None:
    """And the limit holds to the pixel however many come at once."""
    table = JobTable(url)
    table.create()

    def same(number: int) -> str:
        try:
            new = request("a" if number < 15 else "b", idempotency_key="k")
            return table.submit(new, queued_px_limit=NO_LIMIT)[0].id
        except IdempotencyConflict:
            return "conflict"

    def full(number: int) -> bool:
        try:
            table.submit(request(str(number), cost_px=300), queued_px_limit=4000)
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(same, range(20)))
        assert len(answers) == 2
        assert answers["conflict"] in {5, 15}
        assert sum(pool.map(full, range(40))) == 10
    assert table.figures().queued_px == 4000
    table.close()


def test_a_fork_opens_the_database_anew(url: str) -> None:
    """Neither side speaks into the other's connection."""
    parent, child = job_child.context().Pipe()
    process = job_child.start(job_child.fork, url, child)
    assert parent.poll(30), "the two sides wait for each other"
    assert parent.recv() == (0, 41)
    process.join(30)


def test_a_claim_does_not_wait_for_another(empty_postgresql: str) -> None:
    """A job that another transaction looks at is passed by."""
    table = JobTable(empty_postgresql)
    table.create()
    first, second = submit(table, "a"), submit(table, "b")
    with table.engine.begin() as other:
        other.execute(select(jobs).where(jobs.c.id == first.id).with_for_update())
        assert claim(table).job.id == second.id
        assert table.claim("worker") is None
    assert claim(table).job.id == first.id
    table.close()
