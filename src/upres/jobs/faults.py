"""What a database complains of, told as upres's own errors."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from upres.errors import DatabaseBusy, DatabaseUnusable, DiskFull, UpresError

_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_UNUSABLE = _SQLITE_DAMAGED | {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}
_LITTLE_ROOM_BYTES = 2**16
"""SQLite calls a disk without room for its index of the log an input/output error."""

_POSTGRESQL_FULL = ("53100",)
_POSTGRESQL_BUSY = ("40", "53", "55P03", "57014", "57P03")
"""Deadlock, too many connections, lock and statement timeout, starting up."""
_POSTGRESQL_UNUSABLE = ("25006", "28", "3D", "42501", "57P01", "57P02")
"""Read-only, no such user or database, no rights, shut down."""


@contextmanager
def told(database: str, file: Path | None) -> Iterator[None]:
    """Raise DatabaseBusy, DatabaseUnusable and DiskFull in place of the database's exceptions.

    `file` is SQLite's. What is no fault of the surroundings is raised as it is: it is a mistake in
    the statements.
    """
    try:
        yield
    except NoConnectionFree as error:
        raise DatabaseBusy(database) from error
    except DBAPIError as error:
        fault = _fault(error.orig, database, file)
        if fault is None:
            raise
        raise fault from error
    except sqlite3.Error as error:
        fault = _fault(error, database, file)
        if fault is None:
            raise
        raise fault from error


def _fault(error: BaseException | None, database: str, file: Path | None) -> UpresError | None:
    if isinstance(error, sqlite3.Error):
        return _sqlite_fault(error, database, file)
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith(_POSTGRESQL_FULL):
        return DiskFull(database)
    if state.startswith(_POSTGRESQL_BUSY):
        return DatabaseBusy(database)
    # psycopg's OperationalError without a state: no connection, or no longer
    if _is_operational(error) or state.startswith(_POSTGRESQL_UNUSABLE):
        return DatabaseUnusable(database, _first_line(error))
    return None


def _sqlite_fault(error: sqlite3.Error, database: str, file: Path | None) -> UpresError | None:
    extended = getattr(error, "sqlite_errorcode", None)
    if extended is None:
        return None
    code = extended & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_room(file)):
        return DiskFull(database)
    if code in _SQLITE_BUSY:
        return DatabaseBusy(database)
    if code in _SQLITE_DAMAGED:
        return DatabaseUnusable(database, f"{error}; restore it, or move it away to begin anew")
    if code in _SQLITE_UNUSABLE:
        return DatabaseUnusable(database, f"{error}; its folder must be writable, on a local disk")
    return None


def _no_room(file: Path | None) -> bool:
    return file is not None and shutil.disk_usage(file.parent).free < _LITTLE_ROOM_BYTES


def _is_operational(error: BaseException | None) -> bool:
    """Tell the driver's own kind without importing the driver, which may not be installed."""
    return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
