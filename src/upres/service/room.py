"""How much the blobs of a service may take together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from upres.errors import BlobFolderFull

if TYPE_CHECKING:
    from upres.storage.blobs import Blobs

_LOOKED_S = 10.0
"""The blobs are counted this often at most; what comes in between is a few uploads."""


class FolderRoom:
    """Knows, a few seconds late, whether a store has room; safe to share between threads."""

    def __init__(self, blobs: Blobs, *, limit_bytes: int) -> None:
        self._blobs = blobs
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._taken_bytes = 0

    def check(self) -> None:
        """Raise BlobFolderFull where what is stored takes as much as it may."""
        with self._lock:
            now = time.monotonic()
            if self._looked is None or now - self._looked > _LOOKED_S:
                self._taken_bytes = sum(blob.bytes for blob in self._blobs.oldest_first())
                self._looked = now
            if self._taken_bytes >= self._limit_bytes:
                raise BlobFolderFull(limit_bytes=self._limit_bytes)
