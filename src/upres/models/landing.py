"""Files that appear whole or not at all: written beside their place, then renamed onto it."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from upres.errors import DiskFull, ModelFolderNotWritable, UpresError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_PART = re.compile(r"\.(?P<name>.+)\.\d+\.[0-9a-f]{16}\.part")


def folder_error(error: OSError, target: Path) -> DiskFull | ModelFolderNotWritable:
    """Say in upres's words why `target` could not be written."""
    if error.errno in _NO_ROOM:
        return DiskFull(target)
    return ModelFolderNotWritable(target.parent, error.strerror or str(error))


def prepare(folder: Path) -> None:
    """Make the folder where there is none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_error(error, folder / "models") from error


@contextmanager
def locked(target: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock between processes and threads that every writer of `target` takes.

    The operating system frees it when its holder dies; the empty lock file stays, because removing
    it would let two writers lock two files of one name.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        reason = f"another process has kept {target.name} locked for {timeout_s:g} s"
        raise ModelFolderNotWritable(target.parent, reason) from error
    except OSError as error:
        raise folder_error(error, target) from error
    try:
        yield
    finally:
        lock.release()


class Landing:
    """One file on its way: bytes go to a hidden neighbour until `commit` renames it into place.

    Leaving the `with` block in any other way removes the neighbour. Whoever makes one holds the
    lock of its target: what has no lock is taken for a dead process's and swept away.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        mark = f"{os.getpid()}.{secrets.token_hex(8)}"
        self._part = target.with_name(f".{target.name}.{mark}.part")
        try:
            self._file = self._part.open("xb")
        except OSError as error:
            raise folder_error(error, target) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing flushes, which fails again on a full disk; the file is going away all the same.
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        try:
            self._file.write(data)
        except OSError as error:
            raise folder_error(error, self._target) from error

    def commit(self) -> None:
        """Put the file in its place, durably, over whatever was there."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._target)
        except OSError as error:
            raise folder_error(error, self._target) from error
        _sync_folder(self._target.parent)


def place(target: Path, data: bytes) -> None:
    """Write `data` to `target`, whole or not at all; whoever calls holds the lock of `target`."""
    with Landing(target) as landing:
        landing.write(data)
        landing.commit()


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder`; live writers are left alone."""
    leftovers: dict[str, list[Path]] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            if match := _PART.fullmatch(path.name):
                leftovers.setdefault(match["name"], []).append(path)
    for name, parts in leftovers.items():
        # A writer holds its file's lock for as long as its part exists: whoever gets the lock
        # knows that every part listed before has lost its writer.
        with suppress(UpresError), locked(folder / name, timeout_s=0):
            for part in parts:
                with suppress(OSError):
                    part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    if os.name != "posix":
        return
    # Some network file systems refuse; the file is in place and whole without it.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
