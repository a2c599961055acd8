"""Input and output files: whole inputs in, and outputs that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, BinaryIO

from upres.errors import (
    DiskFull,
    InputNotReadable,
    OutputNotWritable,
    PictureTooLarge,
    UpresError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def read_input(path: Path, *, limit_bytes: int) -> bytes:
    """Return a file's bytes, at most `limit_bytes`; `-` is standard input.

    Raises InputNotReadable and PictureTooLarge.
    """
    standard = str(path) == "-"
    name = "standard input" if standard else path.name
    try:
        with _opened(path, standard=standard) as file:
            data = file.read(limit_bytes + 1)
    except OSError as error:
        if isinstance(error, UpresError):
            raise
        raise InputNotReadable(name if standard else path, _reason(error)) from error
    if len(data) > limit_bytes:
        raise PictureTooLarge(
            name, what="it has more than", value=limit_bytes, limit=limit_bytes, unit="bytes"
        )
    return data


def _opened(path: Path, *, standard: bool) -> AbstractContextManager[BinaryIO]:
    if not standard:
        return path.open("rb")
    if sys.stdin is None:
        raise InputNotReadable("standard input", "it is closed")
    return nullcontext(sys.stdin.buffer)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Give standard output as a binary file. Raises OutputNotWritable and DiskFull."""
    if sys.stdout is None:
        raise OutputNotWritable("standard output", "it is closed")
    with _failures_told("standard output"):
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except OSError as error:
            if not isinstance(error, UpresError):
                # what is still buffered would fail once more when the interpreter ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


@contextmanager
def complete_output(path: Path) -> Iterator[BinaryIO]:
    """Give a binary file that takes the place of `path` only when the block ends without an error.

    It is a temporary file in the same folder until then; after an error or Ctrl-C it is gone and
    `path` is as it was. A pipe or a device is written to directly. Raises OutputNotWritable and
    DiskFull.
    """
    with _failures_told(path):
        if path.is_dir():
            raise OutputNotWritable(path, "it is a folder")
        if path.is_file() or not path.exists():
            with _replacement(path) as file:
                yield file
        else:
            with path.open("wb") as device:
                yield device


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    # the name is short, for the longest that `path` may have leaves no room for more
    temporary = path.with_name(f".upres-{secrets.token_hex(8)}.part")
    try:
        # readable, because TIFF is written with looking back
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _failures_told(output: Path | str) -> Iterator[None]:
    """Say in upres's words why an output could not be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, UpresError):
            raise
        if lacks_room(error):
            raise DiskFull(output) from error
        raise OutputNotWritable(output, _reason(error)) from error


def lacks_room(error: Exception) -> bool:
    """Tell whether something could not be written because a disk or a quota is full."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
