"""What other processes do to a job table in tests; each function is one process's whole life."""

from __future__ import annotations

import os
import random
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from job_cases import finish, submit

from upres.errors import UpresError
from upres.jobs.table import JobTable

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, ForkServerProcess

NOBODY = 65534
LEASE_S = 0.4
ATTEMPTS_CAP = 100


def context() -> ForkServerContext:
    """Return what starts processes that share nothing with the test's and are there at once."""
    made = get_context("forkserver")
    made.set_forkserver_preload(["upres.jobs.table", "sqlalchemy.dialects.sqlite", "psycopg"])
    return made


def start(function: Any, *arguments: Any) -> ForkServerProcess:
    """Start a process."""
    process = context().Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def work(url: str, name: str, log: Path, finished: Any) -> None:
    """Claim and finish jobs until told, and write down every claim and every publication."""
    table = JobTable(url)
    pause = random.Random(name)
    with log.open("a", buffering=1) as lines:
        while not finished.is_set():
            table.reap(attempts_cap=ATTEMPTS_CAP)
            claimed = table.claim(name, lease_s=LEASE_S, attempts_cap=ATTEMPTS_CAP)
            if claimed is None:
                time.sleep(0.01)
                continue
            lines.write(f"claimed {claimed.job.id} {claimed.token}\n")
            time.sleep(pause.uniform(0.0, 0.01))
            if finish(table, claimed):
                lines.write(f"published {claimed.job.id} {claimed.token}\n")


def create(url: str, gate: Any, answer: Connection) -> None:
    """Make the tables at the same moment as others."""
    table = JobTable(url)
    gate.wait(30)
    answer.send(_outcome(table.create))


def fork(url: str, answer: Connection) -> None:
    """Use a table before a fork and, at the same time, on both sides of it."""
    table = JobTable(url)
    table.create()
    submit(table, "before")
    forked = os.fork()
    for number in range(20):
        submit(table, f"{forked == 0} {number}")
    if forked == 0:
        os._exit(0)
    _, status = os.waitpid(forked, 0)
    answer.send((status, sum(table.figures().jobs.values())))


def create_as_nobody(url: str, answer: Connection) -> None:
    """Make the tables, or open those there are, without rights."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    table = JobTable(url)
    answer.send((_outcome(table.create), _outcome(table.check)))


def _outcome(action: Any) -> tuple[str, str]:
    try:
        action()
    except UpresError as error:
        return type(error).__name__, str(error)
    return "", ""
