"""Worker processes: they work, end when told to, give back what they cannot finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from picture_files import noise, saved
from service_cases import accepted, claimed, result_of, service_in

from upres.errors import DatabaseBusy
from upres.jobs.job import JobOptions, State
from upres.service.chores import Chores
from upres.service.run import Ending, run_job
from upres.service.worker import EXIT_SPENT, Worker, limit_memory
from upres.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upres.service.parts import Service

PICTURE = saved(noise(12, 10, 3), "png")


def until(condition: Any, *, within_s: float = 20.0) -> None:
    """Wait for something that is to happen soon."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Return a worker process of a service in the folder."""
    environment = dict(os.environ) | {
        "UPRES_SERVICE_DATA_FOLDER": str(tmp_path),
        "UPRES_SERVICE_FREE_FLOOR_BYTES": "0",
    }
    started = subprocess.Popen([sys.executable, "-m", "upres", "worker"], env=environment)
    yield started
    started.kill()
    started.wait()


def test_a_process_works_until_it_is_told_to_end(
    service: Service, process: subprocess.Popen[bytes]
) -> None:
    """And says good-bye."""
    jobs = [accepted(service, PICTURE, JobOptions(model=model)) for model in ("bicubic", "lite")]
    until(lambda: all(service.table.get(job.id).state is State.DONE for job in jobs))
    assert service.table.live_workers() == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert service.table.live_workers() == 0


def test_in_this_process(service: Service) -> None:
    """A loop that is told to end in the middle finishes the job it has."""
    job = accepted(service, PICTURE)
    worker = Worker(service)
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: service.table.get(job.id).state is State.DONE)
    worker.end_soon()
    thread.join(5)
    assert not thread.is_alive()


def test_a_worker_that_ran_out_of_memory_ends(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh one tries: what the memory went to is gone then."""
    job = accepted(service, PICTURE)

    def method(*_words: Any, **_options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Workbench, "method", method)
    assert Worker(service).run() == EXIT_SPENT
    monkeypatch.undo()
    assert run_job(service, claimed(service)) is Ending.DONE
    assert service.table.get(job.id).attempts == 2


def test_a_database_that_is_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is asked again."""
    asked: list[int] = []

    def claim(*_words: Any, **_options: Any) -> Any:
        asked.append(1)
        worker.end_soon()
        raise DatabaseBusy("jobs.sqlite")

    worker = Worker(service)
    monkeypatch.setattr("upres.service.worker._AWAY_S", 0.01)
    monkeypatch.setattr(service.table, "claim", claim)
    assert worker.run() == 0
    assert asked


def test_drained(tmp_path: Path) -> None:
    """There is time to finish after the word to end, and then there is none."""
    service = service_in(tmp_path, drain_s=0.05)
    worker = Worker(service)
    assert not worker.drained()
    worker.end_soon()
    assert worker.ending
    assert not worker.drained()
    until(worker.drained)
    service.close()


def test_chores_take_back_and_sweep(tmp_path: Path) -> None:
    """Lost jobs go back into the queue; what no job needs goes after an hour."""
    service = service_in(tmp_path, result_retention_s=0.01, source_retention_s=0.01)
    lost = accepted(service, PICTURE)
    assert service.table.claim("dead", lease_s=0.001)
    chores = Chores(service, worker="w")
    time.sleep(0.01)
    chores.keep_in_order()
    assert service.table.get(lost.id).state is State.QUEUED
    assert service.table.live_workers() == 1
    run_job(service, claimed(service))
    assert result_of(service, lost.id)
    time.sleep(0.02)
    chores.sweep()
    assert service.table.get(lost.id).state is State.EXPIRED
    kept = [blob.key for blob in service.blobs.oldest_first()]
    assert len(kept) == 2, "what was used within the hour stays"
    for path in (service.settings.blob_folder / "objects").rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))
    chores.sweep()
    assert list(service.blobs.oldest_first()) == []
    service.close()


_GREEDY = """
import sys
from upres.service.worker import limit_memory
limit_memory(300 * 2**20)
import numpy as np
try:
    np.ones(500 * 2**20, np.uint8)
except MemoryError:
    sys.exit(3)
"""


def test_memory_has_a_limit() -> None:
    """Past it there is a MemoryError, which a job's end can tell of."""
    assert subprocess.run([sys.executable, "-c", _GREEDY], check=False).returncode == 3
    limit_memory(None)
