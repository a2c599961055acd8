"""A table on each database, and PostgreSQL where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from job_cases import HandClock, emptied, private_server, server_programs, unsynced
from sqlalchemy import text

from upres.jobs.table import JobTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a server of our own."""
    programs = server_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    with private_server(programs) as url:
        yield url


def _without_tables(url: str) -> None:
    table = JobTable(url)
    with table.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    table.close()


@pytest.fixture
def empty_postgresql(postgresql: str) -> Iterator[str]:
    """Return the server's URL, with no table in it; whatever a test made is gone after it."""
    _without_tables(postgresql)
    yield postgresql
    _without_tables(postgresql)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without tables, one of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    made: str = request.getfixturevalue("empty_postgresql")
    return made


@pytest.fixture
def clock() -> HandClock:
    """Return the clock of `table`."""
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> Iterator[JobTable]:
    """Return an empty table on each kind of database that goes by `clock`."""
    if request.param == "sqlite":
        made = JobTable(f"sqlite:///{tmp_path / 'jobs.db'}", clock=clock)
        unsynced(made)
    else:
        made = JobTable(request.getfixturevalue("postgresql"), clock=clock)
    made.create()
    emptied(made)
    yield made
    made.close()
