"""The database behind the service: transactions on SQLite or PostgreSQL, and a clock."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from upres.errors import DatabaseUnusable, InvalidOption
from upres.jobs.faults import told

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Table

Clock = Callable[[], float]
"""Seconds since 1970, UTC."""

BUSY_TIMEOUT_S = 10.0
"""How long one waits for others that hold the database."""
_CONNECT_TIMEOUT_S = 10
_ADVISORY_LOCK = 0x75707265_730001
"""Any number; every process of upres takes the same."""
_WRITES = "upres_writes"


@dataclass(frozen=True)
class Transaction:
    """A connection with a transaction begun, and the one time at which everything in it happens."""

    connection: Connection
    now: float
    """Seconds since 1970, UTC."""

    def ensure(self, table: Table, **row: Any) -> None:
        """Insert a row where there is none of its primary key yet."""
        insert = _dialect(self.connection).insert(table)
        self.connection.execute(insert.values(**row).on_conflict_do_nothing())

    def exclusive(self) -> None:
        """Wait until no other transaction is between here and its end; SQLite's writers are so."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


class Database:
    """SQLite in a file, or a PostgreSQL server; shared between threads, opened anew after a fork.

    Every method raises DatabaseBusy, DatabaseUnusable and DiskFull.
    """

    def __init__(
        self, url: str, *, clock: Clock | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Take a URL, `sqlite:////var/lib/upres/jobs.db` or `postgresql://user@host/name`.

        Nothing is opened yet. `clock` is for tests: otherwise time is PostgreSQL's, or for SQLite,
        whose processes are all on one machine, the machine's. Raises InvalidOption and
        DatabaseUnusable.
        """
        address = _address(url)
        self.file = Path(address.database or "") if address.drivername == "sqlite" else None
        self.name = str(self.file or address.render_as_string(hide_password=True))
        self.busy_timeout_s = busy_timeout_s
        self._clock = clock
        self._process = os.getpid()
        self._fork_lock = threading.Lock()
        try:
            self.engine = _engine(address, busy_timeout_s=busy_timeout_s)
        except ModuleNotFoundError as error:
            reason = f"{error.name} is not installed; run `pip install 'psycopg[binary]'`"
            raise DatabaseUnusable(self.name, reason) from error
        self._writing = self.engine.execution_options(**{_WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Begin a transaction that changes nothing; in it SQLite shows one moment."""
        with self._transaction(self.engine) as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Begin a transaction that is written durably when the block ends, or not at all."""
        with self._transaction(self._writing) as transaction:
            yield transaction

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell the database's exceptions as upres's errors."""
        with told(self.name, self.file):
            yield

    def close(self) -> None:
        """Close every connection that is not in use; the database may be used again."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Transaction]:
        self._after_fork()
        with self.told(), engine.begin() as connection:
            yield Transaction(connection, self._now(connection))

    def _now(self, connection: Connection) -> float:
        if self._clock is not None:
            return self._clock()
        if self.file is not None:
            return time.time()
        seconds = select(func.extract("epoch", func.clock_timestamp()))
        return float(connection.execute(seconds).scalar_one())

    def _after_fork(self) -> None:
        """Leave the connections of the process that this one was forked from alone."""
        if self._process != os.getpid():
            with self._fork_lock:
                if self._process != os.getpid():
                    self.engine.dispose(close=False)
                    self._process = os.getpid()


def _address(url: str) -> URL:
    expected = "sqlite:///FILE or postgresql://USER@HOST/NAME"
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidOption("database", "***", expected) from error
    backend = address.get_backend_name()
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and address.database and ":memory:" not in address.database:
        return address.set(drivername="sqlite")
    raise InvalidOption("database", address.render_as_string(hide_password=True), expected)


def _engine(address: URL, *, busy_timeout_s: float) -> Engine:
    pool: dict[str, Any] = {"pool_size": 8, "max_overflow": 24, "pool_timeout": busy_timeout_s}
    if address.drivername == "sqlite":
        engine = create_engine(address, connect_args={"timeout": busy_timeout_s}, **pool)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "options": f"-c lock_timeout={round(busy_timeout_s * 1000)}",
        "application_name": "upres",
    }
    # a connection is tried before it is used: the server may have been started anew
    return create_engine(address, connect_args=arguments, pool_pre_ping=True, **pool)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """Let `begin` decide how a transaction begins, and write through to the disk."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = FULL")
    # sorting needs no room on a disk that may be full
    connection.execute("PRAGMA temp_store = MEMORY")
    # half a megabyte of pages for each connection: the system keeps the file in memory anyway
    connection.execute("PRAGMA cache_size = -500")


def _begin_sqlite(connection: Connection) -> None:
    """Take the lock for writing at once: a transaction that asked for it later could not wait."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
