"""The making of segments: a clip's frames read, enlarged and encoded, each at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import add
from typing import TYPE_CHECKING

from upres.errors import UnreadableVideo
from upres.video.clip import Clip, Stretch
from upres.video.frames import Damage, Frame, OnDamage
from upres.video.stages import Stages
from upres.video.writer import Look, SegmentWriter, checksum

if TYPE_CHECKING:
    from upres.image.picture import Rows
    from upres.upscale.upscaler import CancelCheck
    from upres.video.codecs import Encoding
    from upres.video.enlarging import Enlarging
    from upres.video.source import Source
    from upres.video.work import Segment, WorkFolder

_FEWEST, _MOST = 2, 600
"""Frames of a segment, whatever the rate."""


@dataclass(frozen=True)
class Progress:
    """How far a transcode is."""

    frames: int
    total: int | None
    """None where the file does not say how long it is."""
    frames_per_s: float
    """Of this run, lately."""

    @property
    def left_s(self) -> float | None:
        """Return about how long it will take yet; None where that cannot be said."""
        if self.total is None or self.frames_per_s <= 0:
            return None
        return max(0, self.total - self.frames) / self.frames_per_s


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is made of which clip."""

    source: Source
    clip: Clip
    look: Look
    encoding: Encoding
    stretch: Stretch
    on_damage: OnDamage
    segment_s: float

    @property
    def frames(self) -> int | None:
        """About how many frames the result has; None where the file does not say."""
        return self.clip.frames_in(self.stretch.length_s(self.clip))


class Making:
    """The making of the segments that are still missing."""

    def __init__(
        self,
        task: Task,
        work: WorkFolder,
        enlarging: Enlarging,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        """Begin behind what an earlier run finished in `work`."""
        self._task, self._work = task, work
        self._enlarging, self._progress = enlarging, progress
        self.damage = Damage()
        self._segments = work.finished()
        self.resumed = self._written = sum(len(segment.ticks) for segment in self._segments)
        self._pace = Pace()

    def all_segments(self, cancel: CancelCheck | None) -> list[Segment]:
        """Make what is missing; returns all segments in order."""
        stages = Stages()
        enlarge = self._enlarging.start(stages.stop.is_set)
        frames = stages.source(self._missing())
        large = stages.source((frame, enlarge(frame.samples)) for frame in frames)
        stages.sink(large, self._write)
        stages.wait(cancel=cancel, glance=self._tell)
        if not self._segments:
            raise UnreadableVideo(
                self._task.clip.name, "there are no frames in what is wanted of it"
            )
        return self._segments

    def _tell(self) -> None:
        if self._progress is not None:
            rate = self._pace.per_second(self._written - self.resumed)
            self._progress(Progress(self._written, self._task.frames, rate))

    def _missing(self) -> Iterator[Frame]:
        """Yield the wanted frames that are in no finished segment."""
        start, end = self._task.stretch.span(self._task.clip)
        base = self._task.clip.time_base
        for frame in self._unfinished(start):
            if end is not None and frame.ticks * base >= end:
                return
            if start is None or frame.ticks * base >= start:
                yield frame

    def _unfinished(self, start: Fraction | None) -> Iterator[Frame]:
        """Yield frames behind the last finished one, or from the key frame before `start`.

        What was decoded before must be decoded again the same: where a jump to a key frame makes a
        difference, as in some streams it does, the clip is decoded from its beginning.
        """
        clip, on_damage = self._task.clip, self._task.on_damage
        source = self._task.source
        if not self._segments:
            ticks = None if start is None else int(start / clip.time_base)
            yield from source.frames(
                clip, on_damage=on_damage, damage=self.damage, from_ticks=ticks
            )
            return
        last = self._segments[-1]
        for place in (last.ticks[-1], None):
            damage = Damage()
            frames = source.frames(clip, on_damage=on_damage, damage=damage, from_ticks=place)
            for frame in frames:
                if frame.ticks >= last.ticks[-1]:
                    break
            else:
                continue
            if frame.ticks == last.ticks[-1] and checksum(frame.samples) == last.last_crc:
                # what was counted on the way there was counted by the run before, too
                before = [had - now for had, now in zip(last.damage, frame.damage, strict=True)]
                for later in frames:
                    packets, marked, stamps = map(add, before, later.damage)
                    self.damage.counts = packets, marked, stamps
                    yield replace(later, damage=self.damage.counts)
                packets, marked, stamps = map(add, before, damage.counts)
                self.damage.counts = packets, marked, stamps
                return
        raise UnreadableVideo(
            clip.name, "it does not decode as it did before; --overwrite begins anew"
        )

    def _write(self, frames: Iterator[tuple[Frame, Rows]]) -> None:
        """Encode frames into segments until there are no more."""
        task = self._task
        longest = task.segment_s / float(task.clip.time_base)
        writer: SegmentWriter | None = None
        ticks: list[int] = []
        last: Frame | None = None
        try:
            for frame, large in frames:
                full = len(ticks) >= _MOST or (ticks and frame.ticks - ticks[0] >= longest)
                if writer is not None and last is not None and full and len(ticks) >= _FEWEST:
                    self._finish(writer, ticks, last)
                    writer, ticks = None, []
                if writer is None:
                    writer = SegmentWriter(self._work.part_path(), task.look, task.encoding)
                writer.write(large)
                ticks.append(frame.ticks)
                last = frame
                self._written += 1
            if writer is not None and last is not None:
                self._finish(writer, ticks, last)
                writer = None
        finally:
            if writer is not None:
                writer.abandon()

    def _finish(self, writer: SegmentWriter, ticks: list[int], last: Frame) -> None:
        writer.close()
        segment = self._work.finish(
            len(self._segments),
            ticks=tuple(ticks),
            order=tuple(writer.order),
            last_crc=checksum(last.samples),
            damage=last.damage,
        )
        self._segments.append(segment)


class Pace:
    """Frames a second over the last few seconds."""

    _WINDOW_S = 5.0

    def __init__(self) -> None:
        self._marks = [(time.monotonic(), 0)]

    def per_second(self, done: int) -> float:
        """Return it, given how many frames are done by now."""
        now = time.monotonic()
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > self._WINDOW_S:  # noqa: PLR2004
            self._marks.pop(0)
        then, before = self._marks[0]
        return (done - before) / max(now - then, 1e-6)
