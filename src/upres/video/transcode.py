"""A clip on its way to a larger one: looked at, checked, enlarged in segments, put together."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from upres.errors import DiskFull, InvalidOption, OutputNotWritable, UnreadableVideo
from upres.storage.cache import result_key
from upres.upscale.upscaler import Options
from upres.video.assembling import Assembly
from upres.video.clip import Stretch
from upres.video.codecs import Codec, choose_encoding
from upres.video.enlarging import GEOMETRY, Enlarging, calm
from upres.video.frames import Damage, OnDamage
from upres.video.making import Making, Progress, Task
from upres.video.source import FileSource, Source
from upres.video.work import Segment, WorkFolder
from upres.video.writer import Look

if TYPE_CHECKING:
    from upres.image.limits import Limits
    from upres.storage.cache import NetworkUse
    from upres.upscale.size import SizeRequest
    from upres.upscale.upscaler import CancelCheck, Interpolation, Network

SEGMENT_S = 4.0
_HEADROOM_BYTES = 64 * 2**20
"""Left free on a disk."""
_SHORT_S, _SHORT_SHARE = 1.0, 0.02
"""A file that lacks more of what it says it has is told of."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """What was asked for, beside the model and the size."""

    codec: Codec | None = None
    crf: int | None = None
    preset: str | None = None
    stretch: Stretch = field(default_factory=Stretch)
    on_damage: OnDamage = "skip"
    reuse: bool = True
    segment_s: float = SEGMENT_S
    picture: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if not 0.1 <= self.segment_s <= 600:  # noqa: PLR2004
            raise InvalidOption("--segment", self.segment_s, "0.1 to 600 seconds")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was written."""

    frames: int
    resumed: int
    """Of them, those of an earlier run."""
    seconds: float
    bytes: int
    warnings: tuple[str, ...]


class Transcode:
    """A clip and what it is to become, found to be within the limits; nothing is written yet."""

    def __init__(
        self,
        source: Path | Source,
        output: Path,
        *,
        size: SizeRequest,
        options: VideoOptions,
        limits: Limits,
    ) -> None:
        """Look at a clip, a file or what else gives one, and decide.

        Raises InputNotReadable, UnreadableVideo, UnsupportedVideo, PictureTooLarge, InvalidOption,
        OutputNotWritable.
        """
        if isinstance(source, Path):
            if output.exists() and source.exists() and output.samefile(source):
                raise OutputNotWritable(output, "it is the input")
            source = FileSource(source)
        self.source, self.output, self.options = source, output, options
        self.clip = source.look(limits)
        self.encoding = choose_encoding(
            output,
            codec=options.codec,
            crf=options.crf,
            preset=options.preset,
            bits=self.clip.bits,
            alpha=self.clip.alpha,
        )
        self.look = self._look(size)
        limits.check_output(width=self.look.width, height=self.look.height, name=self.clip.name)
        self.beside = source.beside(container=self.encoding.container, output=output)
        self.work = WorkFolder(output)

    @property
    def _task(self) -> Task:
        return Task(
            source=self.source,
            clip=self.clip,
            look=self.look,
            encoding=self.encoding,
            stretch=self.options.stretch,
            on_damage=self.options.on_damage,
            segment_s=self.options.segment_s,
        )

    def _look(self, size: SizeRequest) -> Look:
        clip, traits = self.clip, self.encoding.traits
        width, height = size.size_for(width=clip.width, height=clip.height)
        aspect = clip.pixel_aspect
        if not traits.says_pixel_aspect and aspect != 1:
            width, aspect = max(1, round(width * aspect)), Fraction(1)
        if traits.even_sides:
            width, height = width + width % 2, height + height % 2
        return Look(
            width=width,
            height=height,
            rate=clip.rate,
            pixel_aspect=aspect,
            colours=clip.colours,
        )

    @property
    def factor(self) -> float:
        """How many times larger the result is, along the axis that grows more."""
        return max(self.look.width / self.clip.width, self.look.height / self.clip.height)

    @property
    def frames(self) -> int | None:
        """About how many frames the result has; None where the file does not say."""
        return self._task.frames

    @property
    def notes(self) -> list[str]:
        """What is done with the clip that nobody asked for."""
        notes = list(self.beside.left_out)
        notes += [f"{what} cannot be carried" for what in self.clip.lost]
        if self.clip.interlaced:
            notes.append("the clip is interlaced; its frames are deinterlaced")
        if self.look.pixel_aspect != self.clip.pixel_aspect:
            notes.append(f"{self.encoding.traits.name} says no pixel shape; pixels become square")
        if self.clip.bits > self.encoding.bits:
            notes.append(f"{self.clip.bits} bits a sample become {self.encoding.bits}")
        return notes

    def room_bytes(self) -> int | None:
        """Return about how much disk the work takes at most, at its end: segments and result."""
        if self.frames is None:
            return None
        pictures = self.encoding.expected_bytes(self.look.width * self.look.height * self.frames)
        return 2 * pictures + self.source.bytes

    def check_room(self) -> None:
        """Raise DiskFull where the work is not likely to fit."""
        wanted = (self.room_bytes() or 0) + _HEADROOM_BYTES
        folder = self.output.absolute().parent
        if not folder.is_dir():
            raise OutputNotWritable(self.output, "its folder does not exist")
        there = sum(segment.bytes for segment in self.work.finished())
        if shutil.disk_usage(folder).free + there < wanted:
            raise DiskFull(f"{self.output}; up to {wanted} bytes are needed while it is made")

    def run(
        self,
        method: Network | Interpolation,
        *,
        network: NetworkUse | None,
        reach_px: int | None = None,
        resume: bool = False,
        progress: Callable[[Progress], None] | None = None,
        cancel: CancelCheck | None = None,
    ) -> Outcome:
        """Make the result, from where an earlier run ended if there was one and `resume` says so.

        `network` tells what `method` is, None for an interpolation; `reach_px` how far it looks,
        without which less can be reused. Finished segments stay on the
        disk whatever happens. Raises UnreadableVideo, Cancelled, DiskFull, OutputNotWritable,
        EncodingFailed, EngineFailed.
        """
        started = time.monotonic()
        with self.work.held(self._key(network, method), resume=resume):
            enlarging = Enlarging(
                method=calm(method),
                width=self.look.width,
                height=self.look.height,
                options=self.options.picture,
                reach_px=reach_px,
                reuse=self.options.reuse,
            )
            making = Making(self._task, self.work, enlarging, progress)
            segments = making.all_segments(cancel)
            damage = making.damage
            self._check_length(segments, damage)
            assembly = Assembly(
                source=self.source,
                clip=self.clip,
                work=self.work,
                segments=segments,
                look=self.look,
                encoding=self.encoding,
                beside=self.beside,
                span=self.options.stretch.span(self.clip),
            )
            assembly.write(damage, cancel=cancel)
        self.work.remove()
        return Outcome(
            frames=sum(len(segment.ticks) for segment in segments),
            resumed=making.resumed,
            seconds=time.monotonic() - started,
            bytes=self.output.stat().st_size,
            warnings=(*self.notes, *damage.told()),
        )

    def _key(self, network: NetworkUse | None, method: Network | Interpolation) -> str:
        options = self.options
        asked = {
            "size": [self.look.width, self.look.height],
            "encoding": self.encoding.described(),
            "stretch": [options.stretch.start_s, options.stretch.end_s],
            "damage": options.on_damage,
            "segment_s": options.segment_s,
            "geometry": GEOMETRY,
            "picture": [options.picture.tta, options.picture.soften],
            "method": getattr(method, "kernel").name if network is None else "network",  # noqa: B009
        }
        return result_key(
            self.source.sha256(),
            options=json.dumps(asked, sort_keys=True),
            network=network,
            libraries=", ".join(f"{name} {version(name)}" for name in ("av", "numpy")),
        )

    def _check_length(self, segments: list[Segment], damage: Damage) -> None:
        """Notice a file that ends earlier than it says."""
        said = self.clip.pictures_s
        if said is None or self.options.stretch.end_s is not None:
            return
        ticks = segments[-1].ticks[-1] * self.clip.time_base - self.clip.start_s
        ends = float(ticks + 1 / self.clip.rate)
        if ends < said - max(_SHORT_S, _SHORT_SHARE * said):
            words = f"it ends after {ends:.1f} s of the {said:.1f} s it should have"
            if self.options.on_damage == "stop":
                raise UnreadableVideo(self.clip.name, words)
            damage.words.append(words)
