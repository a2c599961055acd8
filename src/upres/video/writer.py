"""Encoding a run of frames into a segment file that begins with a key frame and needs no other."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy._core._multiarray_umath import __cpu_features__ as cpu_features

from upres.errors import EncodingFailed
from upres.video.colours import Colours, Frames
from upres.video.opening import writing

if TYPE_CHECKING:
    from pathlib import Path

    from av import VideoFrame

    from upres.image.picture import Rows
    from upres.video.codecs import Encoding

os.putenv("SVT_LOG", "1")  # errors alone: its encoder for AV1 talks on standard error
ENCODER_THREADS = 4
"""Always the same number: some encoders' results depend on it, and a run may go on elsewhere."""
_NUMBERED = Fraction(1, 1000)
"""Time base of segment files, where a frame's time stamp is its number: Matroska keeps that."""
_AHEAD = 64
"""Frames that no decoder runs further ahead than."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What results are to look like."""

    width: int
    height: int
    rate: Fraction
    pixel_aspect: Fraction
    colours: Colours
    """Of the clip."""


@cache
def steadying_options(codec: str) -> dict[str, str]:
    """Return what makes an encoder give the same bytes in every run on this machine.

    x264's macroblock tree does not with its AVX-512 code (build 165): with AVX2's it does, and
    then gives what it gives with SSE4.
    """
    if codec != "h264" or not cpu_features.get("AVX2"):
        return {}
    return {"x264-params": "asm=avx2"}


def checksum(samples: Rows) -> int:
    """Return a checksum of a frame's samples."""
    return zlib.crc32(np.ascontiguousarray(samples).data)


class SegmentWriter:
    """Encodes frames into one file."""

    def __init__(self, path: Path, look: Look, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        colours = look.colours.written_in(encoding.pixel_format, height=look.height)
        self._frames = Frames(colours, pixel_format=encoding.pixel_format)
        with writing(path):
            self._container = av.open(str(path), "w", format="matroska")
        self._stream = self._container.add_stream(
            encoding.traits.encoder,
            rate=look.rate,
            options=encoding.options | steadying_options(encoding.traits.name),
        )
        self._stream.width, self._stream.height = look.width, look.height
        self._stream.pix_fmt = encoding.pixel_format
        context = self._stream.codec_context
        context.time_base = 1 / look.rate
        context.sample_aspect_ratio = look.pixel_aspect
        context.thread_count = ENCODER_THREADS
        colours.tag(context)
        self._count = 0
        self.order: list[int] = []
        """Of the packets written, which frame each is."""

    def write(self, samples: Rows) -> None:
        """Encode one more frame. Raises EncodingFailed, DiskFull, OutputNotWritable."""
        frame = self._frames.of(samples)
        frame.pts, frame.time_base = self._count, self._stream.codec_context.time_base
        self._count += 1
        self._encode(frame)

    def close(self) -> None:
        """Finish the file; it is whole when this returns."""
        self._encode(None)
        with writing(self._path):
            self._container.close()

    def abandon(self) -> None:
        """Let go of a file that will not be finished."""
        with suppress(OSError, ValueError, av.error.FFmpegError):
            self._container.close()

    def _encode(self, frame: VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(frame)
        except (av.error.FFmpegError, ValueError) as error:
            raise EncodingFailed(self._encoding.traits.name, str(error)) from error
        with writing(self._path):
            for packet in packets:
                # x265's own decoding times are now and then out of order at its end
                packet.dts = len(self.order) - _AHEAD
                self.order.append(int(packet.pts or 0))
                packet.time_base, packet.duration = _NUMBERED, 1
                self._container.mux(packet)
