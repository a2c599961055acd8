"""What travels beside the pictures, unchanged: sound, subtitles, chapters, attachments, tags."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from upres.errors import UnsupportedVideo
from upres.video.opening import is_cover, opened, picture_stream

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

    from upres.video.frames import Damage

_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder"}
"""Metadata that describe the old container, not the clip."""
_OF_THE_CODING = {"encoder", "duration", "bps", "number_of_frames", "number_of_bytes"}
_WITHOUT_ATTACHMENTS = {"mp4", "mov", "webm"}


@dataclass(frozen=True)
class Beside:
    """The streams that are carried, by index, and words on those that are not."""

    carried: tuple[int, ...]
    left_out: tuple[str, ...]


def streams_beside(path: Path, *, container: str, output: Path) -> Beside:
    """Choose what goes along into a container of that kind.

    Sound and subtitles that it cannot hold are refused: UnsupportedVideo. Data tracks (time codes,
    places, further pictures) that it cannot hold are left out, and the words say so.
    """
    carried, left_out = [], []
    with opened(path) as source:
        picture = picture_stream(source, name=path.name).index
        for stream in source.streams:
            if stream.index == picture:
                continue
            if holds(container, stream):
                carried.append(stream.index)
                continue
            what = f"{stream.type} stream {stream.index} ({_codec(stream)})"
            if stream.type in ("audio", "subtitle"):
                raise UnsupportedVideo(output.name, f"{output.suffix} cannot hold {what}; .mkv can")
            if stream.type == "data" and stream.codec_context is None and source.chapters():
                continue  # QuickTime's track of the chapters, which are carried as such
            left_out.append(f"{what} is left out: {output.suffix} cannot hold it")
    return Beside(tuple(carried), tuple(left_out))


def holds(container: str, stream: Stream) -> bool:
    """Tell whether a container takes a stream as it is."""
    if stream.type == "attachment":
        return container not in _WITHOUT_ATTACHMENTS
    if stream.codec_context is None or (stream.type == "video" and not is_cover(stream)):
        return False
    with av.open(io.BytesIO(), "w", format=container) as probe:
        return bool({stream.codec_context.name, _codec(stream)} & probe.supported_codecs)


def _codec(stream: Stream) -> str:
    context = stream.codec_context
    return "unknown" if context is None else str(context.codec.canonical_name)


class BesideCopy:
    """Copies what was chosen from a source into a container that is being written."""

    def __init__(
        self,
        source: InputContainer,
        target: OutputContainer,
        indices: tuple[int, ...],
        *,
        span: tuple[Fraction | None, Fraction | None],
        damage: Damage,
        of_the_picture: dict[str, str],
    ) -> None:
        """Add the streams; `span` are the time stamps between which packets are wanted.

        What lies in it is written so much earlier as the span begins, if it has a beginning.
        """
        self._source, self._span, self._damage = source, span, damage
        self.of_the_picture = of_the_picture
        """Metadata of the pictures' stream."""
        self._targets: dict[int, Stream] = {}
        for index in indices:
            stream: Any = source.streams[index]
            if stream.type == "attachment":
                target.add_attachment(
                    stream.name or "attachment", stream.mimetype or "", stream.data
                )
                continue
            copy = target.add_stream_from_template(stream, opaque=True)
            copy.metadata.update(_kept(stream.metadata, _OF_THE_CODING))
            copy.disposition = stream.disposition
            self._targets[index] = copy
        target.metadata.update(_kept(source.metadata, _OF_THE_FILE))
        self._chapters(target)

    def _chapters(self, target: OutputContainer) -> None:
        start, end = self._span
        chapters: list[Any] = []
        for chapter in self._source.chapters():
            base = chapter["time_base"]
            if not base:
                continue
            first, last = chapter["start"] * base, chapter["end"] * base
            if (end is not None and first >= end) or (start is not None and last <= start):
                continue
            first, last = max(first, start or first), min(last, end or last)
            moved = start or 0
            chapters.append(
                {
                    **chapter,
                    "start": round((first - moved) / base),
                    "end": round((last - moved) / base),
                }
            )
        if chapters:
            target.set_chapters(chapters)

    def packets(self) -> Iterator[tuple[Fraction, Packet[Any]]]:
        """Yield the packets, each with its time in the result, ready to be written."""
        streams = [self._source.streams[index] for index in self._targets]
        if not streams:
            return
        start, end = self._span
        if start is not None:
            with suppress(av.error.FFmpegError):  # then from the beginning, dropping more
                self._source.seek(int(start * av.time_base))
        demuxed = self._source.demux(*streams)
        while True:
            try:
                packet = next(demuxed)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._damage.packets += 1
                return
            if packet.size and is_cover(packet.stream):
                packet.pts = packet.dts = 0  # a cover has no time of its own
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is None or not packet.size:
                continue
            if self._placed(packet, start=start, end=end):
                yield stamp_s(packet), packet

    def _placed(self, packet: Packet[Any], *, start: Fraction | None, end: Fraction | None) -> bool:
        """Move a packet to its place in the result; False for one that is not wanted."""
        if packet.dts is None:
            packet.dts = packet.pts
        cover = is_cover(packet.stream)
        shown = Fraction(packet.pts if packet.pts is not None else packet.dts or 0)
        shown *= packet.time_base
        if not cover and (
            (end is not None and shown >= end) or (start is not None and shown < start)
        ):
            return False
        if start is not None and not cover:
            moved = round(start / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - moved
            packet.dts = (packet.dts or 0) - moved
        packet.stream = self._targets[packet.stream_index]
        return True


def stamp_s(packet: Packet[Any]) -> Fraction:
    """Return a packet's decoding time in seconds."""
    return Fraction(packet.dts or 0) * packet.time_base


def _kept(metadata: dict[str, str], dropped: set[str]) -> dict[str, str]:
    return {key: text for key, text in metadata.items() if key.lower() not in dropped}
