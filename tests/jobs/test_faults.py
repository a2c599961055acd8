"""What the surroundings do to the database is told in one line, and undone work leaves no trace."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import job_child
import pytest
from job_cases import NO_LIMIT, claim, finish, request, submit
from sqlalchemy import event, text, update

from upres.errors import (
    DatabaseBusy,
    DatabaseTooNew,
    DatabaseUnusable,
    DiskFull,
    InvalidOption,
)
from upres.jobs.job import State
from upres.jobs.schema import SCHEMA_VERSION, versions
from upres.jobs.table import JobTable

if TYPE_CHECKING:
    from collections.abc import Iterator

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the database will lie."""
    return tmp_path / "jobs.db"


def test_tables_of_a_newer_upres_are_left_alone(url: str) -> None:
    """The error says what to do, and nothing is changed."""
    table = JobTable(url)
    table.create()
    with table.engine.begin() as connection:
        connection.execute(update(versions).values(version=SCHEMA_VERSION + 1))
    with pytest.raises(DatabaseTooNew, match="update upres"):
        table.create()
    with table.engine.begin() as connection:
        version = connection.execute(text("SELECT version FROM upres_schema")).scalar_one()
    assert version == SCHEMA_VERSION + 1
    table.close()


def test_tables_of_an_older_upres_are_changed_in_place(url: str) -> None:
    """Its jobs stay, and have what is new as empty; whoever comes next changes nothing more."""
    table = JobTable(url)
    table.create()
    job = submit(table)
    with table.engine.begin() as connection:
        for column in ("choice", "ran", "reduced_key"):
            connection.execute(text(f"ALTER TABLE jobs DROP COLUMN {column}"))
        connection.execute(update(versions).values(version=1))
    for _ in range(2):
        table.create()
    with table.engine.begin() as connection:
        version = connection.execute(text("SELECT version FROM upres_schema")).scalar_one()
    assert version == SCHEMA_VERSION
    assert table.get(job.id) == job
    table.close()


def test_what_is_written_is_on_the_disk(url: str) -> None:
    """SQLite: write-ahead log, synchronous; PostgreSQL: as its own default is."""
    table = JobTable(url)
    table.create()
    with table.engine.begin() as connection:
        if url.startswith("sqlite"):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    table.close()


def test_time_is_the_databases(url: str) -> None:
    """Without a clock from a test, times are UTC and go forward."""
    table = JobTable(url)
    table.create()
    before = datetime.now(UTC)
    created = submit(table).created
    assert abs((created - before).total_seconds()) < 60
    assert table.get(submit(table).id).created >= created
    table.close()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "jobs.db",
        "mysql://host/jobs",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:",
    ],
)
def test_urls_of_no_such_database(wrong: str) -> None:
    """A table in memory would not survive its process."""
    with pytest.raises(InvalidOption, match="database"):
        JobTable(wrong)


def test_passwords_are_not_told() -> None:
    """Not by a refused URL, not by a server that is not there."""
    with pytest.raises(InvalidOption) as refused:
        JobTable("mysql://me:secret@host/jobs")
    assert "secret" not in str(refused.value)
    pytest.importorskip("psycopg")
    table = JobTable("postgresql://me:secret@127.0.0.1:1/jobs")
    with pytest.raises(DatabaseUnusable) as failed:
        table.create()
    assert "secret" not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_another_process_holds_the_lock(file: Path) -> None:
    """Writers are told to come again, readers go on; then all is well."""
    table = JobTable(f"sqlite:///{file}", busy_timeout_s=0.1)
    table.create()
    job = submit(table)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for act in (lambda: submit(table, "b"), lambda: table.claim("w"), table.check, table.expire):
        with pytest.raises(DatabaseBusy, match="try again"):
            act()
    assert table.get(job.id) == job
    assert table.position(job.id) == 1
    other.execute("ROLLBACK")
    other.close()
    assert finish(table, claim(table))
    table.close()


def test_a_short_lock_is_waited_for(file: Path) -> None:
    """Nobody is bothered with what passes."""
    table = JobTable(f"sqlite:///{file}", busy_timeout_s=20)
    table.create()
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    release.start()
    assert submit(table).state is State.QUEUED
    release.join()
    other.close()
    table.close()


@pytest.mark.parametrize("damage", ["other", "torn"])
def test_a_file_that_is_no_database(file: Path, damage: str) -> None:
    """Neither another kind of file nor a damaged one is written over."""
    if damage == "other":
        file.write_bytes(b"my only copy of something else" * 1000)
    else:
        table = JobTable(f"sqlite:///{file}")
        table.create()
        table.close()
        file.write_bytes(file.read_bytes()[:100] + b"\xff" * 20_000)
    before = file.read_bytes()
    table = JobTable(f"sqlite:///{file}")
    with pytest.raises(DatabaseUnusable, match="restore it"):
        table.create()
    table.close()
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """Missing folders are made; a file in the way is told."""
    table = JobTable(f"sqlite:///{tmp_path / 'a' / 'b' / 'jobs.db'}")
    table.create()
    table.close()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnusable, match="no folder for it"):
        JobTable(f"sqlite:///{tmp_path / 'file' / 'jobs.db'}").create()


@posix_only
@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_of_another_user(open_folder: Path, *, exists: bool) -> None:
    """The error names the file and says what is needed."""
    url = f"sqlite:///{open_folder / 'jobs.db'}"
    if exists:
        table = JobTable(url)
        table.create()
        table.close()
    open_folder.chmod(0o555)
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    parent, child = job_child.context().Pipe()
    process = job_child.start(job_child.create_as_nobody, url, child)
    assert parent.poll(30)
    outcomes = parent.recv()
    process.join(30)
    assert [kind for kind, _ in outcomes] == ["DatabaseUnusable"] * 2
    for _, told in outcomes:
        assert str(open_folder / "jobs.db") in told
        assert "writable" in told


def test_no_page_is_left(file: Path) -> None:
    """What was being submitted is not there, what was there still is, and it goes on after."""
    table = JobTable(f"sqlite:///{file}")
    table.create()
    job = submit(table)
    table.close()

    def limit_pages(connection: Any, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(table.engine, "connect", limit_pages)
    with pytest.raises(DiskFull, match=r"no space left for .*jobs\.db"):
        fill(table, accepted := [job.id])
    assert [table.get(job_id).state for job_id in accepted] == [State.QUEUED] * len(accepted)
    event.remove(table.engine, "connect", limit_pages)
    table.close()
    with table.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        submit(table, "after")
    assert table.figures().jobs[State.QUEUED] == len(accepted) + 1
    table.close()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can mount a disk"
)
def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    """Nothing accepted is lost; when there is room again all goes on."""
    table = JobTable(f"sqlite:///{small_disk / 'jobs.db'}")
    table.create()
    accepted: list[str] = []
    filling = small_disk / "filling"
    filling.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 64 * 1024))
    with pytest.raises(DiskFull):
        fill(table, accepted)
    assert accepted
    for job_id in accepted:
        assert table.get(job_id).state is State.QUEUED
    table.close()
    again = JobTable(f"sqlite:///{small_disk / 'jobs.db'}")
    filling.unlink()
    again.create()
    assert again.figures().jobs[State.QUEUED] == len(accepted)
    assert submit(again, "after").state is State.QUEUED
    assert claim(again).job.id == accepted[0]
    again.close()


def test_a_server_that_went_away(empty_postgresql: str) -> None:
    """Connections that it dropped are made anew without a word."""
    table = JobTable(empty_postgresql)
    table.create()
    job = submit(table)
    other = JobTable(empty_postgresql)
    with other.engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND application_name = 'upres'"
        )
    assert table.get(job.id) == job
    table.close()
    other.close()


def test_a_server_that_says_no(empty_postgresql: str) -> None:
    """No such database, no right to write: told in one line."""
    missing = JobTable(empty_postgresql.replace("/postgres?", "/nothing?"))
    with pytest.raises(DatabaseUnusable, match='"nothing" does not exist') as told:
        missing.create()
    assert "\n" not in str(told.value)
    table = JobTable(empty_postgresql)
    table.create()

    def only_read(connection: Any, _record: object) -> None:
        connection.read_only = True

    table.close()
    event.listen(table.engine, "connect", only_read)
    with pytest.raises(DatabaseUnusable, match="read-only"):
        submit(table)
    table.close()


def test_a_server_whose_tables_are_locked(empty_postgresql: str) -> None:
    """One waits, but not for ever."""
    table = JobTable(empty_postgresql, busy_timeout_s=0.1)
    table.create()
    other = JobTable(empty_postgresql)
    with other.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE jobs")
        with pytest.raises(DatabaseBusy):
            submit(table)
    assert submit(table).state is State.QUEUED
    table.close()
    other.close()


def fill(table: JobTable, accepted: list[str]) -> None:
    """Submit jobs until there is no room, and note those that were accepted."""
    for number in range(5000):
        job, _ = table.submit(request(f"{number}", request_id="x" * 900), queued_px_limit=NO_LIMIT)
        accepted.append(job.id)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every account may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="upres-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let root mount a disk in memory")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
