"""Where libvips writes to: a stream of bytes, or a file in which it also goes back."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO

from upres.errors import DiskFull
from upres.image.files import lacks_room
from upres.image.tiff_exif import add_exif
from upres.image.vips import libvips

if TYPE_CHECKING:
    from collections.abc import Callable

_COPY_BYTES = 2**20


def stream_target(write: Callable[[Any], int]) -> Any:
    """Return a libvips target that calls `write`; keep it, for libvips does not."""
    target = libvips().TargetCustom()
    target.on_write(write)
    return target


class SeekableTarget:
    """A file for TIFF, whose encoder goes back to what it has written.

    libvips' thread reads and writes the file itself, or a temporary one where it can only be
    written. Its exceptions are kept, because libvips tells no more than that there was one.
    """

    def __init__(self, target: BinaryIO) -> None:
        """Begin where `target` is now. Raises what a temporary file raises."""
        self._target = target
        direct = target.seekable() and target.readable()
        self._file: Any = target if direct else tempfile.TemporaryFile()  # noqa: SIM115
        self._start = target.tell() if direct else 0
        self._shut = False
        self.failure: Exception | None = None

    def vips_target(self) -> Any:
        """Return the libvips target; keep it, for libvips does not."""
        target = stream_target(lambda chunk: self._try(self._write, -1, chunk))
        target.on_read(lambda length: self._try(self._file.read, None, length))
        target.on_seek(lambda offset, whence: self._try(self._seek, -1, offset, whence))
        return target

    def finish(self, exif: bytes | None) -> None:
        """Add EXIF to the TIFF and write it, if it was made beside. Raises what the file raises."""
        if exif is not None:
            add_exif(self._file, self._start, exif)
        if self._file is self._target:
            self._file.seek(0, os.SEEK_END)
            return
        self._file.seek(0)
        while block := self._file.read(_COPY_BYTES):
            write_all(self._target, block)

    def shut(self) -> None:
        """Let libvips do nothing more to the file."""
        self._shut = True
        if self._file is not self._target:
            self._file.close()

    def _write(self, chunk: Any) -> int:
        # a copy, because libvips takes its memory back
        return write_all(self._file, bytes(chunk))

    def _seek(self, offset: int, whence: int) -> int:
        start = self._start if whence == os.SEEK_SET else 0
        return int(self._file.seek(start + offset, whence)) - self._start

    def _try(self, action: Callable[..., Any], failed: int | None, *arguments: Any) -> Any:
        """Do what libvips asks; no exception may try to pass through it."""
        if self._shut or self.failure is not None:
            return failed
        try:
            return action(*arguments)
        except Exception as error:  # noqa: BLE001 - told after libvips has returned
            beside = self._file is not self._target
            full = beside and lacks_room(error)
            self.failure = DiskFull(tempfile.gettempdir()) if full else error
            return failed


def write_all(target: BinaryIO, block: bytes) -> int:
    """Write a block to a file that may take less of it at a time, and return its length."""
    rest = memoryview(block)
    while rest:
        count = target.write(rest)
        if count is None:
            raise BlockingIOError(errno.EAGAIN, "it takes no more bytes now")
        rest = rest[count:]
    return len(block)
