"""Files being written: how they are marked as alive, held to limits, and how failures are told."""

from __future__ import annotations

import errno
import io
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout

from upres.errors import DiskFull, OutputNotWritable, PictureTooLarge, UpresError

PRIVATE_FILE = 0o600
LOCK_TIMEOUT_S = 30.0
"""The store's lock is held for less than a millisecond; this is for a process frozen holding it."""

_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Part(io.FileIO):
    """A file that holds itself to a limit and to the room there is, and marks itself as alive."""

    def __init__(
        self, path: Path, *, room: Callable[[int], None], limit_bytes: int | None, name: str
    ) -> None:
        super().__init__(path, "x+", opener=lambda at, flags: os.open(at, flags, PRIVATE_FILE))
        self._claimed = claimed(self.fileno())
        self._path, self._room, self._limit_bytes, self._label = path, room, limit_bytes, name

    @classmethod
    def new(cls, folder: Path, **options: Any) -> tuple[Part, Path]:
        """Make a part in a folder and return it with its path.

        A sweep that came between its making and its mark took it for a dead one's: then another.
        """
        while True:
            path = folder / secrets.token_hex(16)
            part = cls(path, **options)
            if part._claimed and path.exists():
                return part, path
            part.close()
            path.unlink(missing_ok=True)

    def write(self, data: Any, /) -> int:
        """Write, or raise PictureTooLarge, DiskFull or OutputNotWritable."""
        more_bytes = memoryview(data).nbytes
        limit = self._limit_bytes
        if limit is not None and self.tell() + more_bytes > limit:
            raise PictureTooLarge(
                self._label, what="it has more than", value=limit, limit=limit, unit="bytes"
            )
        with failures_told(self._path.parent):
            self._room(more_bytes)
            return super().write(data)


def claimed(handle: int) -> bool:
    """Lock an open part for as long as it is open; False where another process has."""
    if sys.platform == "win32":  # no file that is open can be removed there
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def failures_told(place: Path) -> Iterator[None]:
    """Say in upres's words why the store could not be written."""
    try:
        yield
    except Timeout as error:
        reason = f"another process has kept it locked for {LOCK_TIMEOUT_S:g} s"
        raise OutputNotWritable(place, reason) from error
    except OSError as error:
        if isinstance(error, UpresError):
            raise
        if error.errno in _NO_ROOM:
            raise DiskFull(place) from error
        raise OutputNotWritable(place, reason_of(error)) from error


def reason_of(error: OSError) -> str:
    """Return the system's words, small as they stand within a sentence."""
    return (error.strerror or type(error).__name__).lower()
