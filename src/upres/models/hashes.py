"""SHA-256 of files, read once per content and remembered for as long as the process lives."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from upres.errors import InputNotReadable

if TYPE_CHECKING:
    from pathlib import Path

_CLOCK_STEP_NS = 2 * 10**9
"""Coarsest time stamp of a file system in use (FAT)."""


@dataclass(frozen=True)
class Content:
    """What a file holds, as its length and hash."""

    bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.bytes} bytes with sha256 {self.sha256}"


class Hashes:
    """Remembers hashes by path, inode, size and times: reading 38 MB again takes about 60 ms."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Content] = {}

    def forget(self) -> None:
        """Read every file anew from now on."""
        self._known.clear()

    def of(self, path: Path) -> Content | None:
        """Return a file's content, or None where there is none."""
        try:
            with path.open("rb") as file:
                before = _identity(path, file.fileno())
                if before in self._known:
                    return self._known[before]
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                content = Content(file.tell(), digest)
                settled = before == _identity(path, file.fileno())
                modified_ns = os.fstat(file.fileno()).st_mtime_ns
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputNotReadable(path, error.strerror or str(error)) from error
        # A file changed within one step of its clock would look unchanged.
        if settled and abs(time.time_ns() - modified_ns) > _CLOCK_STEP_NS:
            self._known[before] = content
        return content


def size_of(path: Path) -> int | None:
    """Return a regular file's length, or None where there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputNotReadable(path, error.strerror or str(error)) from error
    # Anything else at that place has no bytes to speak of, and opening it might never return.
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _identity(path: Path, handle: int) -> tuple[object, ...]:
    status = os.fstat(handle)
    return (
        path,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
