"""Putting a result together: finished segments in a row, without encoding anew, and what is beside.

Segment files number their frames. The times come from the records, so they are the source's own;
decoding times follow from them by the one delay that all segments share.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import av

from upres.errors import EncodingFailed
from upres.image.files import complete_output
from upres.upscale.steps import check_cancelled
from upres.video.beside import Beside, stamp_s
from upres.video.opening import writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from upres.upscale.upscaler import CancelCheck
    from upres.video.clip import Clip
    from upres.video.codecs import Encoding
    from upres.video.frames import Damage
    from upres.video.source import Source
    from upres.video.work import Segment, WorkFolder
    from upres.video.writer import Look

_INDEX_FIRST = {"movflags": "+faststart"}
"""For MP4 and its kin: a browser can begin before it has all."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What goes into one result."""

    source: Source
    clip: Clip
    work: WorkFolder
    segments: Sequence[Segment]
    look: Look
    encoding: Encoding
    beside: Beside
    span: tuple[Fraction | None, Fraction | None]

    @property
    def shift(self) -> int:
        """Ticks by which everything is earlier in the result than in the source."""
        start = self.span[0]
        return 0 if start is None else round(start / self.clip.time_base)

    def write(self, damage: Damage, *, cancel: CancelCheck | None = None) -> None:
        """Write the result; it takes its name when it is whole.

        Raises Cancelled, DiskFull, OutputNotWritable, EncodingFailed, and what opening the clip
        raises.
        """
        output, container = self.work.output, self.encoding.container
        options = _INDEX_FIRST if container in ("mp4", "mov") else {}
        with (
            complete_output(output) as file,
            writing(output),
            # FFmpeg opens the same file by name: it reads it too, to move the index to the front
            av.open(file.name, "w", format=container, options=dict(options)) as target,
        ):
            pictures = Pictures(self)
            stream = pictures.add_to(target)
            with self.source.copying(target, self.beside, span=self.span, damage=damage) as copy:
                stream.metadata.update(copy.of_the_picture)
                if self.encoding.alpha and self.encoding.traits.name == "vp9":
                    stream.metadata["alpha_mode"] = "1"  # else nobody looks for it
                merged = heapq.merge(pictures.packets(stream), copy.packets(), key=itemgetter(0))
                for _, packet in merged:
                    check_cancelled(cancel)
                    target.mux(packet)


class Pictures:
    """The segments' packets in a row."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        ticks = [tick for segment in assembly.segments for tick in segment.ticks]
        self._ticks = [tick - assembly.shift for tick in ticks]
        self._step = max(1, round(1 / (assembly.clip.rate * assembly.clip.time_base)))

    def add_to(self, target: OutputContainer) -> VideoStream:
        """Add the stream that they go into."""
        assembly = self._assembly
        with av.open(str(assembly.work.segment_path(0))) as first:
            stream: VideoStream = target.add_stream_from_template(
                first.streams.video[0], opaque=True
            )
        look = assembly.look
        stream.time_base = assembly.clip.time_base
        stream.codec_context.sample_aspect_ratio = look.pixel_aspect
        look.colours.written_in(assembly.encoding.pixel_format, height=look.height).tag(
            stream.codec_context
        )
        return stream

    def packets(self, stream: VideoStream) -> Iterator[tuple[Fraction, Packet[Any]]]:
        """Yield them, each with its time in the result. Raises EncodingFailed for a lost one."""
        segments = self._assembly.segments
        delay = max(segment.delay for segment in segments)
        done = 0
        for segment in segments:
            with av.open(str(self._assembly.work.segment_path(segment.number))) as container:
                # the key frame of a segment may come without a decoding time, but never empty
                packets = (packet for packet in container.demux(video=0) if packet.size)
                for place, packet in self._numbered(packets, segment):
                    shown = done + segment.order[place]
                    packet.time_base = self._assembly.clip.time_base
                    packet.pts = self._ticks[shown]
                    packet.dts = self._decoding(done + place - delay)
                    packet.duration = self._duration(shown)
                    packet.stream = stream
                    yield stamp_s(packet), packet
            done += len(segment.ticks)

    def _numbered(
        self, packets: Iterator[Packet[Any]], segment: Segment
    ) -> Iterator[tuple[int, Packet[Any]]]:
        count = 0
        for count, packet in enumerate(packets, 1):
            if count <= len(segment.order):
                yield count - 1, packet
        if count != len(segment.order):
            name = self._assembly.encoding.traits.name
            raise EncodingFailed(
                name, f"segment {segment.number} has {count} frames, not {len(segment.order)}"
            )

    def _decoding(self, place: int) -> int:
        if place >= 0:
            return self._ticks[place]
        return self._ticks[0] + place * self._step

    def _duration(self, place: int) -> int:
        if place + 1 < len(self._ticks):
            return self._ticks[place + 1] - self._ticks[place]
        return self._step
