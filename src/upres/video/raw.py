"""Raw frames through pipes: whole frames in, whole frames out, nothing else in the stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from upres.errors import InvalidOption, UnreadableVideo
from upres.video.stages import Stages

if TYPE_CHECKING:
    from upres.image.limits import Limits
    from upres.image.picture import Rows
    from upres.upscale.upscaler import CancelCheck
    from upres.video.enlarging import Enlarging

_FORMATS: dict[str, tuple[int, str]] = {
    "rgb24": (3, "u1"),
    "rgba": (4, "u1"),
    "gray": (1, "u1"),
    "rgb48le": (3, "<u2"),
    "rgba64le": (4, "<u2"),
    "gray16le": (1, "<u2"),
}
"""Planes and sample types, by FFmpeg's names."""


@dataclass(frozen=True, kw_only=True)
class RawFormat:
    """How raw frames lie in a stream: rows from the top, samples of a pixel side by side."""

    width: int
    height: int
    pixel_format: str

    @classmethod
    def parsed(cls, size: str, pixel_format: str, *, limits: Limits) -> RawFormat:
        """Read `640x360` and `rgb24`; raises InvalidOption."""
        match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", size)
        if match is None:
            raise InvalidOption("--raw", size, "a size such as 640x360")
        if pixel_format not in _FORMATS:
            raise InvalidOption("--raw", pixel_format, f"one of {', '.join(_FORMATS)}")
        width, height = int(match[1]), int(match[2])
        if min(width, height) < 2 or width * height > limits.input_pixels:  # noqa: PLR2004
            raise InvalidOption(
                "--raw", size, f"sides of 2 or more and up to {limits.input_pixels} pixels"
            )
        return cls(width=width, height=height, pixel_format=pixel_format)

    @property
    def alpha(self) -> bool:
        """Whether the last plane is transparency."""
        return _FORMATS[self.pixel_format][0] == 4  # noqa: PLR2004

    @property
    def frame_bytes(self) -> int:
        """Of one frame."""
        planes, kind = _FORMATS[self.pixel_format]
        return self.width * self.height * planes * np.dtype(kind).itemsize

    def frames(self, source: BinaryIO) -> Iterator[Rows]:
        """Yield the frames of a stream; raises UnreadableVideo where it ends inside of one."""
        planes, kind = _FORMATS[self.pixel_format]
        number = 0
        while True:
            data = bytearray(self.frame_bytes)
            have = _filled(source, data)
            if have == 0:
                return
            if have < len(data):
                raise UnreadableVideo(
                    "standard input",
                    f"it ends inside frame {number}, after {have} of its {len(data)} bytes",
                )
            number += 1
            yield np.frombuffer(data, kind).reshape(self.height, self.width, planes)


def _filled(source: BinaryIO, data: bytearray) -> int:
    view, have = memoryview(data), 0
    while have < len(data):
        got = source.readinto(view[have:])  # type: ignore[attr-defined]
        if not got:
            break
        have += got
    return have


def pipe(
    source: BinaryIO,
    target: BinaryIO,
    layout: RawFormat,
    enlarging: Enlarging,
    *,
    cancel: CancelCheck | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Enlarge every frame of a stream into another; returns how many there were.

    A frame is written as soon as it is ready. Raises UnreadableVideo, Cancelled, EngineFailed, and
    an OSError of either stream as it is.
    """
    done = 0

    def write(frames: Iterator[Rows]) -> None:
        nonlocal done
        for frame in frames:
            target.write(np.ascontiguousarray(frame).data)
            target.flush()
            done += 1

    stages = Stages()
    enlarge = enlarging.start(stages.stop.is_set)
    frames = stages.source(layout.frames(source))
    stages.sink(stages.source(map(enlarge, frames)), write)
    stages.wait(cancel=cancel, glance=lambda: progress(done) if progress else None)
    return done
