"""Pictures decoded in a child, with the shape of `upres.image.decode.Decoder`."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import (
    InputNotReadable,
    OutOfMemory,
    PictureTooLarge,
    UnreadablePicture,
    UpresError,
)
from upres.image.bands import gathered, only_frame
from upres.image.limits import Limits
from upres.image.picture import Metadata, Picture
from upres.sandbox import answers, wire
from upres.sandbox.answers import Garbage
from upres.sandbox.launcher import Child, Launcher
from upres.sandbox.limits import POSTURE, SandboxLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.image.picture import Header, Rows

_DEFAULT_LIMITS = SandboxLimits()
_DEFAULT_PICTURE_LIMITS = Limits()
_TIMES = 4
"""A picture whose samples are within that part of the memory does not fail for want of it."""
launcher = Launcher()
"""The one of this process; `launcher.start()` before the first picture saves it half a second."""


class RemoteDecoder:
    """A picture that a child decodes: its header is known and checked, its pixels are to come.

    For one thread at a time. What the child says is believed only after it was checked; all that
    is wrong with it is an error of the picture.
    """

    def __init__(
        self,
        child: Child,
        *,
        name: str,
        limits: SandboxLimits,
        picture_limits: Limits,
        fields: bool,
    ) -> None:
        """Wait for the header; raises what `opened` does."""
        self.name = name
        self.warnings: list[str] = []
        """What is odd about the file without loss of pixels; complete when all rows are read."""
        self._child = child
        self._limits = limits
        self._begun = False
        self._decoded_bytes = 0
        try:
            self._read_header(picture_limits, fields=fields)
        except Garbage as error:
            raise self._nonsense(error) from error

    def frames(self) -> Iterator[Iterator[Rows]]:
        """Yield the frames or pages in order, each as bands of rows from the top, upright.

        They can be read once, in that order. Raises as the plain Decoder does, and PictureTooLarge
        for a picture that takes more time or memory than a child may use, OutOfMemory.
        """
        if self._begun:
            raise RuntimeError("a picture in the sandbox can be read once")
        self._begun = True
        for _ in range(self.header.frames):
            bands = self._bands()
            yield bands
            for _ in bands:  # what the caller left
                pass
        try:
            body = self._frame(wire.END, wire.TEXT_BYTES)
            self.warnings += answers.ending(body)
        except Garbage as error:
            raise self._nonsense(error) from error

    def rows(self) -> Iterator[Rows]:
        """Yield the bands of rows of a picture with one frame; raises as `frames` does."""
        return only_frame(self)

    def picture(self) -> Picture:
        """Decode a picture with one frame whole; raises as `frames` does."""
        layout = self.header.layout
        rows = gathered(self.rows(), layout, name=self.name)
        return Picture.from_rows(rows, alpha=layout.alpha, metadata=self.metadata)

    def _read_header(self, picture_limits: Limits, *, fields: bool) -> None:
        most = wire.TEXT_BYTES + wire.DELAY_BYTES * picture_limits.frames
        announcement = answers.announced(self._frame(wire.HEADER, most), fields=fields)
        self.header: Header = announcement.header
        picture_limits.check_input(self.header, name=self.name)
        layout = self.header.layout
        self._decoded_bytes = self.header.pixels * layout.planes * layout.bits // 8
        attachments = b""
        if length := announcement.attachment_bytes:
            attachments = self._frame(wire.ATTACHMENTS, length)
            if len(attachments) != length:
                raise Garbage("attachments of another length")
        self.metadata: Metadata = answers.metadata(announcement, attachments)
        self.warnings += announcement.warnings

    def _bands(self) -> Iterator[Rows]:
        layout = self.header.layout
        left = layout.height
        while left:
            try:
                count = self._band_rows(left)
                rows: Rows = np.empty((count, layout.width, layout.planes), layout.dtype)
            except Garbage as error:
                raise self._nonsense(error) from error
            except MemoryError as error:
                raise OutOfMemory(self.name) from error
            self._child.fill(rows.data.cast("B"))
            left -= count
            yield rows

    def _band_rows(self, most: int) -> int:
        """Return how many rows the next band has; raises Garbage, or the failure."""
        layout = self.header.layout
        row_bytes = layout.width * layout.planes * layout.bits // 8
        length = self._length(wire.BAND, max(row_bytes, wire.BAND_BYTES))
        count, rest = divmod(length, row_bytes)
        if rest or not 0 < count <= most:
            raise Garbage("rows of another size")
        return count

    def _frame(self, kind: bytes, most: int) -> bytes:
        body = bytearray(self._length(kind, most))
        self._child.fill(memoryview(body))
        return bytes(body)

    def _length(self, kind: bytes, most: int) -> int:
        """Return the length of the next frame, of that kind; raises Garbage, or the failure."""
        start = bytearray(wire.FRAME.size)
        self._child.fill(memoryview(start))
        said, length = wire.FRAME.unpack(start)
        if said == wire.FAILURE and length <= wire.TEXT_BYTES:
            body = bytearray(length)
            self._child.fill(memoryview(body))
            raise self._failure(bytes(body))
        if said != kind:
            raise Garbage("something else than comes next")
        if length > most:
            raise Garbage("too much at once")
        return int(length)

    def _failure(self, body: bytes) -> UpresError:
        """Return the child's error; some decoders cannot tell a lack of memory from damage."""
        memory_bytes = self._limits.memory_bytes
        error = answers.failure(body, name=self.name, memory_bytes=memory_bytes)
        if self._decoded_bytes > memory_bytes // _TIMES and type(error) is UnreadablePicture:
            reason = str(error).removeprefix(f"cannot read {self.name}: ")
            mib = memory_bytes // 2**20
            return UnreadablePicture(self.name, f"{reason}, or takes more than {mib} MiB of memory")
        return error

    def _nonsense(self, error: Garbage) -> UpresError:
        return UnreadablePicture(self.name, f"its decoder answered with nonsense ({error})")


@contextmanager
def opened(
    source: Path | int,
    *,
    name: str | None = None,
    limits: SandboxLimits = _DEFAULT_LIMITS,
    picture_limits: Limits = _DEFAULT_PICTURE_LIMITS,
    fields: bool = False,
    through: Launcher = launcher,
) -> Iterator[RemoteDecoder]:
    """Give a decoder for a file (its path, or an open descriptor), which works in a child.

    `name` is for errors; `fields` asks for EXIF, XMP and IPTC, which without it stay behind.
    The child is gone when the block ends. Raises what the plain Decoder does, what the limits say,
    and InputNotReadable.
    """
    with _decoder(
        source, "decode", name, limits, picture_limits, fields=fields, through=through
    ) as decoder:
        yield decoder


def inspect(
    source: Path | int,
    *,
    name: str | None = None,
    limits: SandboxLimits = _DEFAULT_LIMITS,
    picture_limits: Limits = _DEFAULT_PICTURE_LIMITS,
    through: Launcher = launcher,
) -> Header:
    """Return a picture's header, read in a child; no pixel is decoded. Raises as `opened` does."""
    with _decoder(
        source, "header", name, limits, picture_limits, fields=False, through=through
    ) as decoder:
        return decoder.header


def posture(
    limits: SandboxLimits = _DEFAULT_LIMITS, *, through: Launcher = launcher
) -> dict[str, bool]:
    """Return which of POSTURE hold for children on this machine; none where there can be none."""
    try:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            child = through.spawn(
                nothing.fileno(), {"task": "posture"}, name="the sandbox", limits=limits
            )
        try:
            start = bytearray(wire.FRAME.size)
            child.fill(memoryview(start))
            body = bytearray(min(wire.FRAME.unpack(start)[1], wire.TEXT_BYTES))
            child.fill(memoryview(body))
            return answers.posture(bytes(body))
        finally:
            child.close()
    except (UpresError, Garbage):
        return dict.fromkeys(POSTURE, False)


@contextmanager
def _decoder(
    source: Path | int,
    task: str,
    name: str | None,
    limits: SandboxLimits,
    picture_limits: Limits,
    *,
    fields: bool,
    through: Launcher,
) -> Iterator[RemoteDecoder]:
    name = name or (source.name if isinstance(source, Path) else "picture")
    request: dict[str, Any] = {
        "task": task,
        "fields": fields,
        "picture_limits": asdict(picture_limits),
    }
    with _file(source, name=name, limit_bytes=picture_limits.input_bytes) as (file, size):
        child = through.spawn(file, {**request, "bytes": size}, name=name, limits=limits)
    try:
        yield RemoteDecoder(
            child, name=name, limits=limits, picture_limits=picture_limits, fields=fields
        )
    finally:
        child.close()


@contextmanager
def _file(source: Path | int, *, name: str, limit_bytes: int) -> Iterator[tuple[int, int]]:
    """Give a descriptor that reads a plain file, and its size, which is within the limit."""
    try:
        # a descriptor may be one for writing, and its place is shared with whoever has it
        path = f"/proc/self/fd/{source}" if isinstance(source, int) else source
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputNotReadable(name, (error.strerror or "it is gone").lower()) from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise InputNotReadable(name, "it is no plain file")
        if status.st_size > limit_bytes:
            raise PictureTooLarge(
                name, what="it has", value=status.st_size, limit=limit_bytes, unit="bytes"
            )
        yield file, status.st_size
    finally:
        os.close(file)
