"""Errors of right requests that found too little room: try later or make room."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from upres.errors.tree import CapacityError

if TYPE_CHECKING:
    from pathlib import Path


class DiskFull(CapacityError, OSError):
    """There is no room for the file; nothing was left behind."""

    code = "disk-full"

    def __init__(self, path: Path | str) -> None:
        super().__init__(errno.ENOSPC, f"no space left for {path}")

    def __str__(self) -> str:
        """Return the text without the errno prefix that OSError would add."""
        return str(self.args[1])


class BlobFolderFull(CapacityError):
    """Pictures and results take as much as they may; nothing was accepted."""

    code = "blob-folder-full"

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(
            f"pictures and results take all of the {limit_bytes} bytes that they may; "
            "older ones are removed by and by"
        )


class OutOfMemory(CapacityError, MemoryError):
    """There is too little memory for the picture."""

    code = "out-of-memory"

    def __init__(self, name: str) -> None:
        super().__init__(f"too little memory for {name}; ask for a smaller result")


class QueueFull(CapacityError):
    """As much work is waiting as may wait; nothing was accepted."""

    code = "queue-full"

    def __init__(self, *, queued_px: int, limit_px: int, retry_after_s: int) -> None:
        super().__init__(
            f"the queue is full: {queued_px} pixels are waiting and the limit is {limit_px}; "
            f"try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s
        """Whole seconds until there is likely room."""


class ClientQueueFull(CapacityError):
    """As much work of one client is waiting as may wait; nothing was accepted."""

    code = "client-queue-full"

    def __init__(self, *, queued_px: int, limit_px: int, retry_after_s: int) -> None:
        super().__init__(
            f"too much of yours is waiting: {queued_px} pixels, and the limit for one client is "
            f"{limit_px}; try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s
        """Whole seconds until there is likely room."""


class JobTimeout(CapacityError, TimeoutError):
    """A job took longer than a job may."""

    code = "job-timeout"

    def __init__(self, name: str, *, limit_s: float) -> None:
        super().__init__(
            f"{name} took longer than {limit_s:g} s; ask for a smaller result or a faster model"
        )


class DatabaseBusy(CapacityError, TimeoutError):
    """Others held the database for longer than one waits; nothing was changed."""

    code = "database-busy"

    def __init__(self, database: str) -> None:
        super().__init__(f"the database {database} was busy for too long; try again")
