"""What tests of the job table share: a clock that is set by hand, requests, a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text

from upres.jobs.job import JobOptions, NewJob
from upres.storage.blobs import Blob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.jobs.job import Claim, Job
    from upres.jobs.table import JobTable

NO_LIMIT = 10**15
SERVER_USER = "postgres"
_SERVER_PROGRAMS = "/usr/lib/postgresql"


@dataclass
class HandClock:
    """Time that passes when it is told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def request(content: str = "picture", **fields: Any) -> NewJob:
    """Return a request for a small job; the same content stands for the same result."""
    given: dict[str, Any] = {
        "source_key": f"source of {content}",
        "source_name": "photo.jpg",
        "options": JobOptions(),
        "content_key": content,
        "cost_px": 1000,
        "owner": "somebody",
    }
    return NewJob(**given | fields)


def submit(table: JobTable, content: str = "picture", **fields: Any) -> Job:
    """Submit such a request and return its job."""
    job, _ = table.submit(request(content, **fields), queued_px_limit=NO_LIMIT)
    return job


def claim(table: JobTable, worker: str = "worker", *, lease_s: float = 30) -> Claim:
    """Claim a job that is known to be there."""
    claimed = table.claim(worker, lease_s=lease_s)
    assert claimed is not None
    return claimed


def blob(claimed: Claim) -> Blob:
    """Return a result that tells whose it is."""
    return Blob(key=f"result of {claimed.job.id} {claimed.token}", bytes=7)


def finish(table: JobTable, claimed: Claim) -> bool:
    """Hand in that result."""
    return table.finish(claimed, result=blob(claimed), format="jpeg", width=40, height=25)


def emptied(table: JobTable) -> None:
    """Delete every row."""
    with table.engine.begin() as connection:
        for name in ("jobs", "workers", "counters", "paces"):
            connection.execute(text(f"DELETE FROM {name}"))  # noqa: S608


def unsynced(table: JobTable) -> None:
    """Let SQLite not wait for the disk: a test that pulls no plug is quicker so."""
    table.close()
    event.listen(
        table.engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA synchronous = OFF"),
    )


def server_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, Debian's newest or that of the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path(_SERVER_PROGRAMS).glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@contextmanager
def private_server(programs: Path) -> Iterator[str]:
    """Run a PostgreSQL of our own in a temporary folder, without a port; give its URL."""
    folder = Path(tempfile.mkdtemp(prefix="upres-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to be run by root
        shutil.chown(folder, SERVER_USER)
        as_user = ["runuser", "-u", SERVER_USER, "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(programs / program), *arguments]
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            text=True,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", SERVER_USER, "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    log = str(folder / "log")
    try:
        run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
        yield f"postgresql://{SERVER_USER}@/postgres?host={folder}"
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
