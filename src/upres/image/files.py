"""Input and output files: whole inputs in, and outputs that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
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
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        if isinstance(error, UpresError):
            raise
        # what is still buffered would fail once more when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise _output_error(Path("standard output"), error) from error


@contextmanager
def complete_output(path: Path) -> Iterator[BinaryIO]:
    """Give a binary file that takes the place of `path` only when the block ends without an error.

    It is a temporary file in the same folder until then; after an error or Ctrl-C it is gone and
    `path` is as it was. A pipe or a device is written to directly. Raises OutputNotWritable and
    DiskFull.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _to_device(path) as device:
            yield device
        return
    temporary = _temporary_beside(path)
    try:
        with open(temporary.descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.path.chmod(_usual_mode())
        temporary.path.replace(path)
    except BaseException as error:
        temporary.path.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, UpresError):
            raise _output_error(path, error) from error
        raise


@contextmanager
def _to_device(path: Path) -> Iterator[BinaryIO]:
    """Write to a pipe or a device as it is: a file must not take its place."""
    with _output_errors(path), path.open("wb") as file:
        yield file


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Say in upres's words why an output could not be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, UpresError):
            raise
        raise _output_error(path, error) from error


class _Temporary:
    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor = descriptor
        self.path = path


def _temporary_beside(path: Path) -> _Temporary:
    if path.is_dir():
        raise OutputNotWritable(path, "it is a folder")
    try:
        descriptor, name = tempfile.mkstemp(prefix=".upres-", suffix=".part", dir=path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    return _Temporary(descriptor, Path(name))


def _output_error(path: Path, error: OSError) -> UpresError:
    if error.errno in _NO_ROOM:
        return DiskFull(path)
    return OutputNotWritable(path, _reason(error))


def _usual_mode() -> int:
    """Return what `open` would have given the file: mkstemp makes it private."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
