"""Frames of a clip from some place on: decoded, progressive, upright, their times rising."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
from av import VideoFrame
from av.filter import Graph

from upres.errors import UnreadableVideo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from upres.image.picture import Rows

OnDamage = Literal["skip", "stop"]
Counts = tuple[int, int, int]
"""Of damage: packets, frames, time stamps."""
_GIVE_UP = 200
"""Reads that fail one after the other before a file counts as ended."""
LONGEST_GAP_S = 24 * 3600
_BACKWARDS_S = 1
"""Time stamps a little out of order are mended; those that go back further say something else."""


@dataclass
class Damage:
    """What was wrong on the way; counts, for one warning at the end."""

    packets: int = 0
    """Packets that could not be decoded."""
    frames: int = 0
    """Frames the decoder marked as damaged."""
    stamps: int = 0
    """Time stamps that were missing or did not rise."""
    words: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        """The three numbers, as they are now."""
        return self.packets, self.frames, self.stamps

    @counts.setter
    def counts(self, counts: Counts) -> None:
        self.packets, self.frames, self.stamps = counts

    def told(self) -> list[str]:
        """Return one line for each kind."""
        lines = []
        if self.packets:
            lines.append(f"{self.packets} damaged packets were skipped")
        if self.frames:
            lines.append(f"{self.frames} frames are damaged in the file")
        if self.stamps:
            lines.append(f"{self.stamps} time stamps were missing or out of order, and mended")
        return lines + self.words


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One picture of a clip."""

    ticks: int
    """When it is shown, in the stream's time base."""
    samples: Rows
    damage: Counts
    """What was wrong until then."""


def decoder_of(stream: VideoStream) -> Any:
    """Return what decodes a stream; VP9 with transparency needs another decoder than usual."""
    tags = {key.lower(): text for key, text in stream.metadata.items()}
    if stream.codec_context.name == "vp9" and tags.get("alpha_mode") == "1":
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        return decoder
    if not stream.codec_context.is_open:
        stream.thread_type = "AUTO"
    return stream.codec_context


def decoded(
    container: InputContainer,
    stream: VideoStream,
    *,
    name: str,
    on_damage: OnDamage,
    damage: Damage,
) -> Iterator[VideoFrame]:
    """Yield a stream's frames from where the container stands.

    Packets that cannot be decoded are counted and skipped, or raise UnreadableVideo.
    """
    decoder = decoder_of(stream)
    if on_damage == "stop":
        decoder.options = {**decoder.options, "err_detect": "explode"}
    for packet in _packets(container, stream, name=name, on_damage=on_damage, damage=damage):
        try:
            frames = decoder.decode(packet if packet.size else None)
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError) as error:
            damage.packets += 1
            _stop(on_damage, name, packet.pts, stream, error)
            continue
        for frame in frames:
            if frame.is_corrupt:
                damage.frames += 1
                _stop(on_damage, name, frame.pts, stream, None)
            yield frame


def _stop(
    on_damage: OnDamage,
    name: str,
    pts: int | None,
    stream: VideoStream,
    error: Exception | None,
) -> None:
    if on_damage == "stop":
        where = "" if pts is None else f" at {float(pts * (stream.time_base or 0)):.2f} s"
        raise UnreadableVideo(name, f"it is damaged{where}") from error


def _packets(
    container: InputContainer,
    stream: VideoStream,
    *,
    name: str,
    on_damage: OnDamage,
    damage: Damage,
) -> Iterator[Packet[Any]]:
    """Yield packets, going on behind places where reading fails."""
    failures = 0
    while failures < _GIVE_UP:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
        except av.error.FFmpegError as error:
            if failures == 0:
                damage.packets += 1
            failures += 1
            _stop(on_damage, name, None, stream, error)
        else:
            return


def deinterlaced(frames: Iterable[VideoFrame], stream: VideoStream) -> Iterator[VideoFrame]:
    """Make whole pictures of frames that hold two fields; one frame out for one in."""
    graph: Graph | None = None
    for frame in frames:
        if graph is None:
            graph = _deinterlacer(frame, stream)
        graph.vpush(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph)


def _deinterlacer(frame: VideoFrame, stream: VideoStream) -> Graph:
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=stream.time_base,
        ),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


class Clock:
    """Turns the time stamps of frames into ticks that rise, and refuses absurd ones."""

    def __init__(self, time_base: Fraction, *, rate: Fraction, name: str, damage: Damage) -> None:
        self._base, self._name, self._damage = time_base, name, damage
        self._step = max(1, round(1 / (rate * time_base)))
        self._last: int | None = None

    def ticks(self, frame: VideoFrame) -> int:
        """Return when a frame is shown; raises UnreadableVideo."""
        ticks = self._said(frame)
        if self._last is not None:
            gap_s = (ticks - self._last) * self._base
            if gap_s > LONGEST_GAP_S or gap_s < -_BACKWARDS_S:
                raise UnreadableVideo(
                    self._name,
                    f"its time stamps jump from {float(self._last * self._base):.3f} s "
                    f"to {float(ticks * self._base):.3f} s",
                )
            if ticks <= self._last:
                self._damage.stamps += 1
                ticks = self._last + 1
        self._last = ticks
        return ticks

    def _said(self, frame: VideoFrame) -> int:
        if frame.pts is None:
            self._damage.stamps += 1
            return 0 if self._last is None else self._last + self._step
        if frame.time_base is None or frame.time_base == self._base:
            return int(frame.pts)
        return round(Fraction(frame.pts * frame.time_base / self._base))


@dataclass(frozen=True)
class Turn:
    """How the pictures of a file are laid for looking at: transposed first, then flipped."""

    transpose: bool = False
    mirror: bool = False
    upside_down: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Turn:
        """Read it from a frame's display matrix, to the nearest right angle."""
        data = frame.side_data.get("DISPLAYMATRIX")
        if data is None:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
        if abs(b) > abs(a):
            return cls(transpose=True, mirror=c < 0, upside_down=b < 0)
        return cls(mirror=a < 0, upside_down=d < 0)

    def upright(self, samples: Rows) -> Rows:
        """Lay samples (H, W, planes) as they are looked at."""
        if self.transpose:
            samples = samples.transpose(1, 0, 2)
        if self.mirror:
            samples = samples[:, ::-1]
        if self.upside_down:
            samples = samples[::-1]
        return np.ascontiguousarray(samples)
