"""The tables, and how they come to be: once, whoever comes first, and never over newer ones."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)

from upres.errors import DatabaseTooNew, DatabaseUnusable

if TYPE_CHECKING:
    from upres.jobs.database import Database, Transaction

SCHEMA_VERSION = 4
"""Grows with every change of the tables; a change comes with the statements that make it."""
_CHANGES = {
    2: "ALTER TABLE jobs ADD COLUMN choice TEXT",
    3: "ALTER TABLE jobs ADD COLUMN ran TEXT",
    4: "ALTER TABLE jobs ADD COLUMN reduced_key TEXT",
}
"""What leads to a version from the one before it."""

_metadata = MetaData()

versions = Table(
    "upres_schema",
    _metadata,
    Column("part", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
)

jobs = Table(
    "jobs",
    _metadata,
    # the order in which jobs came, also within one tick of the clock
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    # the place in the queue: `created`, later by the priority's delay
    Column("due", Double, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    # finished: when it expires; expired: when it expired
    Column("expires", Double),
    Column("expires_after_s", Double, nullable=False),
    Column("owner", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("request_id", Text, nullable=False),
    Column("priority", String(16), nullable=False),
    Column("content_key", Text, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("pace", Text, nullable=False),
    Column("cost_px", BigInteger, nullable=False),
    Column("worker", Text),
    Column("token", Integer, nullable=False, default=0),
    Column("lease_until", Double),
    Column("attempts", Integer, nullable=False, default=0),
    Column("done_tiles", Integer, nullable=False, default=0),
    Column("total_tiles", Integer, nullable=False, default=0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("result_key", Text),
    Column("result_bytes", BigInteger),
    Column("result_format", String(16)),
    # a smaller result to look at, of large ones
    Column("reduced_key", Text),
    Column("width", Integer),
    Column("height", Integer),
    # what `auto` chose, as JSON
    Column("choice", Text),
    # what made the result, as JSON
    Column("ran", Text),
    Column("error_code", Text),
    Column("error_text", Text),
    # a number is never given twice, even when its row is gone
    sqlite_autoincrement=True,
)
Index("jobs_in_order", jobs.c.state, jobs.c.due, jobs.c.seq)
Index("jobs_by_content", jobs.c.content_key, jobs.c.state)
Index("jobs_by_source", jobs.c.source_key)
Index("jobs_by_end", jobs.c.state, jobs.c.expires)
Index("jobs_by_request", jobs.c.owner, jobs.c.idempotency_key, unique=True)

workers = Table(
    "workers",
    _metadata,
    Column("name", Text, primary_key=True),
    Column("seen", Double, nullable=False),
)

counters = Table(
    "counters",
    _metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

paces = Table(
    "paces",
    _metadata,
    Column("pace", Text, primary_key=True),
    # both fade with every new job: their ratio is the speed
    Column("px", Double, nullable=False),
    Column("seconds", Double, nullable=False),
)

_PART = "jobs"
_RETRY_S = 0.02


def create(database: Database) -> None:
    """Make the tables where there are none; any number of processes may do so at once.

    Raises DatabaseTooNew, DatabaseUnusable, DatabaseBusy, DiskFull.
    """
    if database.file is not None:
        _prepare_file(database, database.file)
    with database.write() as tx:
        tx.exclusive()
        found = _found_version(tx)
        if found is None:
            _metadata.create_all(tx.connection, checkfirst=True)
            tx.connection.execute(insert(versions).values(part=_PART, version=SCHEMA_VERSION))
        elif found > SCHEMA_VERSION:
            raise DatabaseTooNew(database.name, found=found, known=SCHEMA_VERSION)
        else:
            for version in range(found + 1, SCHEMA_VERSION + 1):
                tx.connection.execute(text(_CHANGES[version]))
            tx.connection.execute(
                update(versions).where(versions.c.part == _PART).values(version=SCHEMA_VERSION)
            )


def _found_version(tx: Transaction) -> int | None:
    if not inspect(tx.connection).has_table(versions.name):
        return None
    query = select(versions.c.version).where(versions.c.part == _PART)
    return tx.connection.execute(query).scalar_one_or_none()


def _prepare_file(database: Database, file: Path) -> None:
    """Make SQLite's folder, and let its readers and its writer not wait for each other.

    The second is written in the file once, and asking for it does not wait for others.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(database.name, f"no folder for it: {error.strerror}") from error
    deadline = time.monotonic() + database.busy_timeout_s
    with database.told():
        while True:
            try:
                mode = _switch_to_wal(database)
                break
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)
    if mode != "wal":
        raise DatabaseUnusable(
            database.name, "its folder keeps no write-ahead log; use a local one"
        )


def _switch_to_wal(database: Database) -> str:
    connection = database.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        (mode,) = cursor.fetchall()[0]
        return str(mode)
    finally:
        connection.close()
