"""What a store of blobs is: immutable content under its SHA-256, and the rules of its eviction."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

FRESH_S = 3600.0
"""Nothing used within this time is evicted: whoever was told of a blob may not have said yet, in
the job table, that it is needed."""


@dataclass(frozen=True)
class Blob:
    """Content that is stored."""

    key: str
    """SHA-256 of the content, 64 small hex digits."""
    bytes: int


@dataclass(frozen=True)
class StoredBlob:
    """A blob as eviction sees it."""

    key: str
    bytes: int
    used: float
    """When it was last put or touched, in seconds since 1970; coarse, see `Blobs.touch`."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep removed."""

    blobs: int
    bytes: int
    """Of the blobs."""
    parts: int
    """Files that killed processes had left half-written."""


class BlobWriter(io.BufferedRandom):
    """A new blob being written: a binary file that seeks and reads, as writing TIFF needs."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw, buffer_size=2**20)
        self._blob: Blob | None = None

    @property
    def blob(self) -> Blob:
        """What came of it, once the block of `Blobs.writer` has ended without an error."""
        if self._blob is None:
            raise ValueError("the blob is not stored yet")
        return self._blob

    def stored_as(self, blob: Blob) -> None:
        """Say what came of it; only stores call this."""
        self._blob = blob


class Blobs(Protocol):
    """A store of blobs; safe to share between threads and processes.

    A key is what `put` or `writer` gave: anything but 64 hex digits is a ValueError. A blob never
    changes. What is being read stays readable to its end even when the blob is removed meanwhile.
    """

    def put(
        self, chunks: Iterable[bytes], *, limit_bytes: int | None = None, name: str = "picture"
    ) -> Blob:
        """Store content that comes in chunks; the same content is stored once.

        Raises PictureTooLarge, about `name`, past `limit_bytes`, DiskFull, OutputNotWritable, and
        whatever `chunks` raises; then nothing is stored.
        """

    def writer(
        self, *, limit_bytes: int | None = None, name: str = "picture"
    ) -> AbstractContextManager[BlobWriter]:
        """Give a file to write a blob into; its `blob` is set when the block ends without an error.

        Nothing is left otherwise. Raises as `put`, from the file's methods and at the end.
        """

    def open(self, key: str) -> BinaryIO:
        """Open a blob to be read. Raises BlobMissing and InputNotReadable."""

    def path(self, key: str) -> Path | None:
        """Return a blob's own file, for servers that send files by themselves.

        None where there is no such blob, and always in stores without local files.
        """

    def size(self, key: str) -> int | None:
        """Return a blob's length in bytes, None where there is none."""

    def touch(self, key: str) -> bool:
        """Note that a blob is used now; False where there is none.

        After True it is safe from eviction for most of FRESH_S; the time is written at most every
        ten minutes. Whoever finds a blob by a remembered key touches it before relying on it.
        """

    def delete(self, key: str) -> bool:
        """Remove a blob at once, whoever may need it; tell whether there was one."""

    def verify(self, key: str) -> bool:
        """Read a blob and tell whether it still has the bytes it was stored with.

        Raises BlobMissing and InputNotReadable.
        """

    def oldest_first(self) -> Iterator[StoredBlob]:
        """Return every blob, the one unused for longest first."""

    def sweep(
        self,
        *,
        keep: Collection[str],
        max_age_s: float | None = None,
        max_bytes: int | None = None,
        fresh_s: float = FRESH_S,
    ) -> Swept:
        """Remove what `evictions` names, and what killed processes left behind.

        `keep` is read from the job table just before: what is needed by a job that is not in it
        yet was put or touched within `fresh_s`. A blob that is put or touched while the sweep runs
        stays. Raises OutputNotWritable and InputNotReadable.
        """

    def check(self) -> None:
        """Write a probe and remove it. Raises DiskFull and OutputNotWritable."""


def evictions(
    oldest_first: Iterable[StoredBlob],
    *,
    keep: Collection[str],
    now: float,
    max_age_s: float | None,
    max_bytes: int | None,
    fresh_s: float = FRESH_S,
) -> list[StoredBlob]:
    """Name the blobs to remove: those unused for `max_age_s`, then the oldest past `max_bytes`.

    Never one of `keep`, nor one used within the last `fresh_s` seconds; both count towards the
    bytes, so the store may stay larger than `max_bytes` for a while.
    """
    stored = list(oldest_first)
    excess = 0 if max_bytes is None else sum(blob.bytes for blob in stored) - max_bytes
    removed = []
    for blob in stored:
        if blob.key in keep or now - blob.used < fresh_s:
            continue
        too_old = max_age_s is not None and now - blob.used > max_age_s
        if too_old or excess > 0:
            removed.append(blob)
            excess -= blob.bytes
    return removed
