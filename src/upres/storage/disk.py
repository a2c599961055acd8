"""Blobs as files of one folder: `objects/ab/cd/<key>`, whole or not there at all.

A blob is written to a file in `parts`, made durable, then renamed. `lock` is held for the instants
in which a name appears, is noted as used or is evicted, so that no blob is evicted just after
somebody was told that it is there. A process that dies at any moment leaves at most its part.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from upres.errors import BlobMissing, DiskFull, InputNotReadable, OutputNotWritable
from upres.storage.blobs import (
    FRESH_S,
    Blob,
    BlobWriter,
    StoredBlob,
    Swept,
    evictions,
)
from upres.storage.parts import (
    LOCK_TIMEOUT_S,
    PRIVATE_FILE,
    Part,
    claimed,
    failures_told,
    reason_of,
)

_KEY = re.compile(r"[0-9a-f]{64}")
_PART_AGE_S = 3600.0
"""A part untouched for so long, and by no living process, is swept."""
_COARSE_S = 600.0
"""How old a blob's time of use may be before it is written anew."""
_SETTLED_S = 60.0
"""After this the system has written a folder's names by itself; each fsync costs milliseconds."""
_PLACING_ATTEMPTS = 20
_PRIVATE_FOLDER = 0o700


class DiskBlobs:
    """A store of blobs in a folder of this machine (or a file system with locks and renames)."""

    def __init__(
        self,
        folder: Path,
        *,
        free_floor_bytes: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take a folder, made at the first write.

        What would leave less than `free_floor_bytes` free on its disk is refused as DiskFull.
        `clock` tells the time of use, in seconds since 1970.
        """
        self.folder = folder
        self._objects = folder / "objects"
        self._parts = folder / "parts"
        self._free_floor_bytes = free_floor_bytes
        self._clock = clock
        self._lock = FileLock(
            folder / "lock", mode=PRIVATE_FILE, timeout=LOCK_TIMEOUT_S, poll_interval=0.005
        )

    def put(
        self, chunks: Iterable[bytes], *, limit_bytes: int | None = None, name: str = "picture"
    ) -> Blob:
        """Store content that comes in chunks, as `Blobs.put`."""
        with self.writer(limit_bytes=limit_bytes, name=name) as file:
            for chunk in chunks:
                file.write(chunk)
        return file.blob

    @contextmanager
    def writer(
        self, *, limit_bytes: int | None = None, name: str = "picture"
    ) -> Iterator[BlobWriter]:
        """Give a file to write a blob into, as `Blobs.writer`."""
        with self._part(limit_bytes=limit_bytes, name=name) as (file, path):
            yield file
            with failures_told(self.folder):
                file.flush()
                size = file.seek(0, io.SEEK_END)
                file.seek(0)
                blob = Blob(hashlib.file_digest(file, "sha256").hexdigest(), size)
                self._store(blob, file, path)
            file.stored_as(blob)

    def open(self, key: str) -> io.BufferedReader:
        """Open a blob to be read, as `Blobs.open`."""
        path = self._place(key)
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        except OSError as error:
            raise InputNotReadable(path, reason_of(error)) from error

    def path(self, key: str) -> Path | None:
        """Return a blob's file, None where there is none."""
        return None if self.size(key) is None else self._place(key)

    def size(self, key: str) -> int | None:
        """Return a blob's length in bytes, None where there is none."""
        path = self._place(key)
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputNotReadable(path, reason_of(error)) from error

    def touch(self, key: str) -> bool:
        """Note that a blob is used now, as `Blobs.touch`; the time is the file's modification's."""
        path, now = self._place(key), self._clock()
        with failures_told(path):
            try:
                if abs(now - path.stat().st_mtime) >= _COARSE_S:
                    with self._lock:
                        os.utime(path, (now, now))
            except FileNotFoundError:
                return False
        return True

    def delete(self, key: str) -> bool:
        """Remove a blob at once, as `Blobs.delete`."""
        return self._remove(self._place(key))

    def verify(self, key: str) -> bool:
        """Read a blob and tell whether its bytes are the ones it was stored with."""
        with self.open(key) as file:
            try:
                return hashlib.file_digest(file, "sha256").hexdigest() == key
            except OSError as error:
                raise InputNotReadable(self._place(key), reason_of(error)) from error

    def oldest_first(self) -> Iterator[StoredBlob]:
        """Return every blob, the one unused for longest first."""
        return iter(sorted(self._stored(), key=lambda blob: (blob.used, blob.key)))

    def sweep(
        self,
        *,
        keep: Collection[str],
        max_age_s: float | None = None,
        max_bytes: int | None = None,
        fresh_s: float = FRESH_S,
    ) -> Swept:
        """Evict blobs and remove dead parts, as `Blobs.sweep`."""
        parts = sum(self._sweep_part(path) for path in _listed(self._parts))
        removed = [
            blob
            for blob in evictions(
                self.oldest_first(),
                keep=keep,
                now=self._clock(),
                max_age_s=max_age_s,
                max_bytes=max_bytes,
                fresh_s=fresh_s,
            )
            if self._remove(self._place(blob.key), used=blob.used)
        ]
        return Swept(blobs=len(removed), bytes=sum(blob.bytes for blob in removed), parts=parts)

    def check(self) -> None:
        """Write a probe and remove it, as `Blobs.check`."""
        with self._part(limit_bytes=None, name="probe") as (file, _), failures_told(self.folder):
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
            with self._lock:
                pass

    def _place(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of a blob")
        return self._objects / key[:2] / key[2:4] / key

    @contextmanager
    def _part(self, *, limit_bytes: int | None, name: str) -> Iterator[tuple[BlobWriter, Path]]:
        """Give a new part and its path; the file is closed afterwards, the path names nothing."""
        with failures_told(self.folder):
            self._make(self.folder, self._parts)
            self._check_room(0)
            options = {"room": self._check_room, "limit_bytes": limit_bytes, "name": name}
            raw, path = Part.new(self._parts, **options)
        try:
            yield BlobWriter(raw), path
        finally:
            raw.close()  # what is still in the buffer is not wanted any more
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _store(self, blob: Blob, file: BlobWriter, part: Path) -> None:
        """Give a part that is written to its end its place, durably."""
        target = self._place(blob.key)
        if self.size(blob.key) != blob.bytes or not self.touch(blob.key):
            os.fsync(file.fileno())
            now = self._clock()
            os.utime(part, (now, now))  # before it loses its mark, or a sweep may think it dead
            file.close()
            self._rename(part, target)
        for folder in (target.parent, target.parent.parent, self._objects):
            _sync_folder(folder)

    def _rename(self, part: Path, target: Path) -> None:
        for _ in range(_PLACING_ATTEMPTS):
            self._make(self._objects, target.parent.parent, target.parent)
            # eviction removes empty folders: this one may be gone again
            with self._lock, suppress(FileNotFoundError):
                part.replace(target)
                return
        raise OutputNotWritable(target, "its folder or its temporary file is removed every time")

    def _make(self, *folders: Path) -> None:
        for folder in folders:
            with suppress(FileNotFoundError):  # removed as empty meanwhile; the rename will tell
                folder.mkdir(mode=_PRIVATE_FOLDER, parents=folder == self.folder, exist_ok=True)

    def _check_room(self, more_bytes: int) -> None:
        """Raise DiskFull where so many bytes more would pass the floor."""
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes - more_bytes < self._free_floor_bytes:
            raise DiskFull(self.folder)

    def _stored(self) -> Iterator[StoredBlob]:
        for first in _listed(self._objects):
            for second in _listed(first):
                for path in _listed(second):
                    if _KEY.fullmatch(path.name):
                        with suppress(FileNotFoundError):
                            status = path.stat()
                            yield StoredBlob(path.name, status.st_size, status.st_mtime)

    def _remove(self, path: Path, *, used: float | None = None) -> bool:
        """Remove a blob, where `used` is given only if it was not used since."""
        with failures_told(path):
            try:
                path.stat()  # where there is nothing, no folder is made for the lock
                with self._lock:
                    if used is not None and path.stat().st_mtime != used:
                        return False
                    path.unlink()
            except FileNotFoundError:
                return False
        with suppress(OSError):  # mostly because others are in it
            path.parent.rmdir()
            path.parent.parent.rmdir()
        return True

    def _sweep_part(self, path: Path) -> bool:
        """Remove a part that is old and that no living process writes."""
        try:
            with path.open("r+b") as file:
                # its age counts once nobody else can finish it
                marked = claimed(file.fileno())
                age_s = self._clock() - os.fstat(file.fileno()).st_mtime
                if marked and age_s >= _PART_AGE_S:
                    path.unlink()
                    return True
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputNotWritable(path, reason_of(error)) from error
        return False


def _listed(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputNotReadable(folder, reason_of(error)) from error


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, unless none of them is new."""
    if os.name != "posix":  # elsewhere folders cannot be opened
        return
    with suppress(FileNotFoundError):  # removed as empty: then what was in it is deleted already
        if abs(time.time() - folder.stat().st_ctime) > _SETTLED_S:
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
