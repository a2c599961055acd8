"""A thousand jobs while workers, web process and supervisor are killed: nothing is lost."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.serving.running import RunningService

_JOBS = 1000
_WORKERS = 4
_KILL_EVERY_S = (0.5, 2.0)
_RESTARTS = 10
_CLIENTS = 8
_PICTURE_PX = 96
_ACCEPTED, _OK = 202, 200
_TRIES = 2000
_END_S = 3600.0
_STUCK_S = 30.0
"""So long after its lease, once more the lease, a job counts as stuck. Each start of a worker costs
more CPU time than lies between two kills, so that at times none is left to take a job over; how
soon one does that is there is the bar `recovery`."""


def pictures(folder: Path, count: int, *, seed: int, side_px: int = _PICTURE_PX) -> list[Path]:
    """Write so many different small pictures and return their paths."""
    numbers = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        small = numbers.integers(0, 256, (side_px // 8, side_px // 8, 3), np.uint8)
        picture = Image.fromarray(small).resize((side_px, side_px), Image.Resampling.BICUBIC)
        kind = "png" if number % 2 else "jpg"
        paths.append(folder / f"{number:04}.{kind}")
        buffer = io.BytesIO()
        picture.save(buffer, "png" if kind == "png" else "jpeg")
        paths[-1].write_bytes(buffer.getvalue())
    return paths


def commands_results(sources: list[Path], folder: Path, *words: str) -> dict[str, str]:
    """Enlarge pictures with the command; return the results' SHA-256 by name."""
    command = [sys.executable, "-m", "upres", "enlarge", *map(str, sources), "-o", f"{folder}/"]
    subprocess.run([*command, "--strip-metadata", *words], check=True, capture_output=True)
    return {
        source.name: hashlib.sha256(_result(folder, source).read_bytes()).hexdigest()
        for source in sources
    }


def _result(folder: Path, source: Path) -> Path:
    (found,) = folder.glob(f"{source.stem}_x3.*")
    return found


class Client:
    """Submits pictures and fetches results, as long as it takes, whatever is killed meanwhile."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        self.answers: Counter[str] = Counter()

    def close(self) -> None:
        """Close its connections."""
        self.http.close()

    def submit(self, source: Path, *, key: str, model: str) -> str:
        """Return the id of the job for a picture; the key makes it one job however often sent."""
        for _ in range(_TRIES):
            with suppress(httpx.HTTPError):
                answer = self.http.post(
                    "/api/v1/jobs",
                    params={"model": model, "name": source.name},
                    content=source.read_bytes(),
                    headers={"Idempotency-Key": key, "Content-Type": "application/octet-stream"},
                )
                self.answers[f"submit {answer.status_code}"] += 1
                if answer.status_code in (_OK, _ACCEPTED):
                    return str(answer.json()["id"])
            self.answers["submit again"] += 1
            time.sleep(0.1)
        raise RuntimeError(f"{source.name} was never accepted")

    def finished(self, job_id: str, *, until: float) -> dict[str, Any]:
        """Return a job's answer when it has ended, or as it is when the time is over."""
        answer: dict[str, Any] = {}
        while time.monotonic() < until:
            with suppress(httpx.HTTPError, ValueError):
                reply = self.http.get(f"/api/v1/jobs/{job_id}")
                self.answers[f"state {reply.status_code}"] += 1
                if reply.status_code == _OK:
                    answer = reply.json()
                    if answer["state"] not in ("queued", "running"):
                        return answer
            time.sleep(1.0)
        return answer

    def result(self, job_id: str) -> bytes:
        """Return a job's result."""
        for _ in range(_TRIES):
            with suppress(httpx.HTTPError):
                reply = self.http.get(f"/api/v1/jobs/{job_id}/result")
                if reply.status_code == _OK:
                    return reply.content
                self.answers[f"result {reply.status_code}"] += 1
            time.sleep(0.1)
        raise RuntimeError(f"the result of {job_id} was never given")


class Observer:
    """Writes down, in the database itself, whatever is published, whoever does it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        with self._open() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS observed "
                "(job TEXT, what TEXT, at REAL DEFAULT (julianday('now') * 86400))"
            )
            connection.execute(
                "CREATE TRIGGER IF NOT EXISTS observe AFTER UPDATE OF state ON jobs "
                "WHEN NEW.state <> OLD.state OR NEW.result_key IS NOT OLD.result_key "
                "BEGIN INSERT INTO observed (job, what) VALUES (NEW.id, NEW.state); END"
            )

    def published(self) -> Counter[str]:
        """Return how often each job was published."""
        with self._open() as connection:
            query = "SELECT job, COUNT(*) FROM observed WHERE what = 'done' GROUP BY job"
            return Counter(dict(connection.execute(query).fetchall()))

    def figures(self) -> dict[str, Any]:
        """Return the jobs by state, the most attempts of one, and expired leases."""
        with self._open() as connection:
            states = connection.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state")
            most = connection.execute("SELECT MAX(attempts), SUM(attempts) FROM jobs").fetchone()
            counters = connection.execute("SELECT name, value FROM counters")
            return {
                "states": dict(states.fetchall()),
                "most_attempts": most[0],
                "attempts": most[1],
                "counters": dict(counters.fetchall()),
            }

    def longest_overdue_s(self) -> float:
        """Return for how long a running job's lease has been over, the worst of all now."""
        with self._open() as connection:
            query = "SELECT MAX(? - lease_until) FROM jobs WHERE state = 'running'"
            (overdue,) = connection.execute(query, (time.time(),)).fetchone()
            return max(0.0, overdue or 0.0)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._database, timeout=30)) as connection, connection:
            yield connection


class Killer(threading.Thread):
    """Kills a random worker every now and then, and the supervisor or the web process too."""

    def __init__(self, service: RunningService, observer: Observer, *, seed: int) -> None:
        super().__init__(name="killer", daemon=True)
        self._service = service
        self._observer = observer
        self._random = random.Random(seed)  # noqa: S311 - which is to be repeatable
        self.over = threading.Event()
        self.kills: Counter[str] = Counter()
        self.overdue_s = 0.0
        self.restarts_wanted = _RESTARTS

    def run(self) -> None:
        """Kill until told to end."""
        next_restart = time.monotonic() + 4
        while not self.over.wait(self._random.uniform(*_KILL_EVERY_S)):
            self.overdue_s = max(self.overdue_s, self._observer.longest_overdue_s())
            self._kill_one("worker")
            if self.restarts_wanted and time.monotonic() > next_restart:
                self.restarts_wanted -= 1
                self._kill_heads()
                next_restart = time.monotonic() + self._random.uniform(6, 12)

    def _kill_one(self, word: str) -> None:
        found = self._service.processes(word)
        if found:
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(found), signal.SIGKILL)
                self.kills[word] += 1

    def _kill_heads(self) -> None:
        """Kill every process that answers requests, then the supervisor, and start it anew."""
        for pid in self._service.processes("web"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills["web"] += 1
        self._service.kill()
        self.kills["supervisor"] += 1
        self._service.start()


def measure(
    seed: int, *, jobs: int = _JOBS, restarts: int = _RESTARTS, **settings: Any
) -> dict[str, Any]:
    """Submit, kill, wait, compare; `settings` are more of the service's, by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = pictures(folder / "pictures", jobs, seed=seed)
        expected = commands_results(sources, folder / "expected", "--model", "lite")
        service = RunningService(folder, workers=_WORKERS, attempts=20, **settings)
        with service:
            observer = Observer(folder / "data" / "jobs.sqlite")
            killer = Killer(service, observer, seed=seed)
            killer.restarts_wanted = restarts
            killer.start()
            started = time.monotonic()
            outcome = _submitted_and_fetched(service, sources, expected)
            # the rest of the restarts, where the jobs were quicker
            while killer.restarts_wanted and killer.is_alive():
                time.sleep(0.5)
            killer.over.set()
            killer.join()
            seconds = time.monotonic() - started
            service.wait_ready()
            published = observer.published()
            figures = observer.figures()
    twice = sum(count > 1 for count in published.values())
    lost = jobs - outcome["states"].get("done", 0)
    return {
        "jobs": jobs,
        "workers": _WORKERS,
        "seconds": round(seconds, 1),
        "kills": dict(killer.kills),
        "answers": outcome["answers"],
        "ended": outcome["states"],
        "lost_or_not_done": lost,
        "different_bytes": outcome["different"],
        "published_twice": twice,
        "published": len(published),
        "rows": figures,
        "longest_overdue_lease_s": round(killer.overdue_s, 1),
        "passed": lost == 0
        and twice == 0
        and not outcome["different"]
        and figures["states"] == {"done": jobs}
        and killer.kills["supervisor"] >= restarts
        and killer.overdue_s <= _STUCK_S,
    }


def _submitted_and_fetched(
    service: RunningService, sources: list[Path], expected: dict[str, str]
) -> dict[str, Any]:
    client = Client(service.url)
    until = time.monotonic() + _END_S

    def submitted(source: Path) -> str:
        return client.submit(source, key=source.name, model="lite")

    def ended(source: Path, job_id: str) -> tuple[str, bool]:
        state = client.finished(job_id, until=until).get("state", "unknown")
        if state != "done":
            return state, False
        result = hashlib.sha256(client.result(job_id)).hexdigest()
        return state, result != expected[source.name]

    with ThreadPoolExecutor(_CLIENTS) as pool:
        ids = list(pool.map(submitted, sources))
        ends = list(pool.map(ended, sources, ids))
    client.close()
    return {
        "states": dict(Counter(state for state, _ in ends)),
        "different": sum(different for _, different in ends),
        "answers": dict(client.answers),
    }
