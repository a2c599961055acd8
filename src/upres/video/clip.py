"""A video file looked at before any of it is enlarged: what it holds, some of its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
from av import VideoFrame

from upres.errors import InvalidOption, PictureTooLarge, UnreadableVideo, UnsupportedVideo
from upres.image.limits import MIN_SIDE_PX
from upres.video.colours import Colours, Samples
from upres.video.frames import (
    Clock,
    Damage,
    Frame,
    OnDamage,
    Turn,
    decoded,
    deinterlaced,
)
from upres.video.opening import opened, picture_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from upres.image.limits import Limits

_PLACES = 5
"""Where a clip is looked at, evenly over its length."""
_LOOKED_AT = 6
"""Frames looked at in each place."""
_RATES = (Fraction(1), Fraction(1000))
_USUAL_RATE = Fraction(25)
LOST = {
    "MASTERING_DISPLAY_METADATA": "HDR metadata of the mastering display",
    "CONTENT_LIGHT_LEVEL": "HDR metadata of the light level",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "A53_CC": "captions inside the pictures",
}
"""What frames may carry beside their samples, and no result does."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What is known of a video file."""

    name: str
    """For errors."""
    width: int
    height: int
    """Of the upright picture."""
    turn: Turn
    pixel_aspect: Fraction
    """Width of a pixel of the upright picture over its height."""
    rate: Fraction
    """Frames a second, nominal: times come from the frames themselves."""
    time_base: Fraction
    start_s: Fraction
    """Time stamp at which the file begins."""
    duration_s: float | None
    pictures_s: float | None
    """How long the file says that its pictures go on, where it says so of them alone."""
    bits: int
    alpha: bool
    interlaced: bool
    colours: Colours
    lost: tuple[str, ...]
    """What its frames carry beside their samples that no result will."""

    @property
    def sample_bits(self) -> int:
        """Bits of the samples that are worked with: 8 or 16."""
        return 8 if self.bits == 8 else 16  # noqa: PLR2004

    def frames_in(self, seconds: float | None) -> int | None:
        """Return about how many frames a time has."""
        return None if seconds is None else max(1, round(seconds * self.rate))


def look_at(file: Path | BinaryIO, *, limits: Limits, name: str | None = None) -> Clip:
    """Open a file, check that it can be enlarged, and decode a few of its frames.

    Raises InputNotReadable, UnreadableVideo, UnsupportedVideo and PictureTooLarge.
    """
    name = name or (file.name if isinstance(file, Path) else "clip")
    with opened(file, name=name) as container:
        stream = picture_stream(container, name=name)
        if stream.codec_context is None:
            raise UnsupportedVideo(name, "there is no decoder for its video")
        _check_size(stream, name=name, limits=limits)
        return _clip(name, container, stream)


def _clip(name: str, container: InputContainer, stream: VideoStream) -> Clip:
    first, interlaced = _looked_at(container, stream, name=name)
    turn = Turn.of(first)
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    aspect = aspect if aspect > 0 else Fraction(1)
    width, height = first.width, first.height
    if turn.transpose:
        width, height, aspect = height, width, 1 / aspect
    return Clip(
        name=name,
        width=width,
        height=height,
        turn=turn,
        pixel_aspect=aspect,
        rate=_rate(stream),
        time_base=stream.time_base or Fraction(1, 90000),
        start_s=Fraction(container.start_time or 0, av.time_base),
        duration_s=_duration(container, stream),
        pictures_s=_pictures_s(stream),
        bits=_bits(first),
        alpha=_alpha(first),
        interlaced=interlaced,
        colours=Colours.of(first, name=name),
        lost=tuple(sorted({LOST[kind] for kind in _side_data(first) if kind in LOST})),
    )


def _side_data(frame: VideoFrame) -> set[str]:
    return {entry.type.name for entry in frame.side_data}


def _bits(frame: VideoFrame) -> int:
    return 8 if frame.format.has_palette else max(part.bits for part in frame.format.components)


def _alpha(frame: VideoFrame) -> bool:
    palette = frame.format.has_palette
    return not palette and any(part.is_alpha for part in frame.format.components)


def _check_size(stream: VideoStream, *, name: str, limits: Limits) -> None:
    width, height = stream.width, stream.height
    if width * height > limits.input_pixels:
        raise PictureTooLarge(
            name, what="each picture has", value=width * height, limit=limits.input_pixels
        )
    if width and height and min(width, height) < MIN_SIDE_PX:
        raise UnsupportedVideo(
            name, f"it is {width}x{height}; both sides must be {MIN_SIDE_PX} or more"
        )


def _rate(stream: VideoStream) -> Fraction:
    """Return a sane number of frames a second, whatever the file says."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and _RATES[0] <= rate <= _RATES[1]:
            return Fraction(rate).limit_denominator(1001)
    return _USUAL_RATE


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _pictures_s(stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    said = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if said is None:
        return None
    hours, minutes, seconds = said.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _looked_at(
    container: InputContainer, stream: VideoStream, *, name: str
) -> tuple[VideoFrame, bool]:
    """Decode frames in several places; returns the first, and whether any is interlaced."""
    first: VideoFrame | None = None
    interlaced = False
    length = container.duration or 0
    for place in range(_PLACES if length else 1):
        if place:
            with suppress(av.error.FFmpegError):
                container.seek((container.start_time or 0) + length * place // _PLACES)
        frames = decoded(container, stream, name=name, on_damage="skip", damage=Damage())
        for frame in islice(frames, _LOOKED_AT):
            first = first or frame
            interlaced |= frame.interlaced_frame
    if first is None:
        raise UnreadableVideo(name, "no frame of it can be decoded")
    return first, interlaced


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The part of a clip that is wanted, in seconds from its beginning."""

    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < float("inf"):
            raise InvalidOption("--start", self.start_s, "0 seconds or more")
        if self.end_s is not None and not self.start_s < self.end_s < float("inf"):
            raise InvalidOption("--end", self.end_s, f"more than --start, {self.start_s:g} seconds")

    def span(self, clip: Clip) -> tuple[Fraction | None, Fraction | None]:
        """Return the time stamps between which the clip's streams are wanted."""
        start = clip.start_s + Fraction(str(self.start_s)) if self.start_s else None
        end = None if self.end_s is None else clip.start_s + Fraction(str(self.end_s))
        return start, end

    def length_s(self, clip: Clip) -> float | None:
        """Return how long the wanted part is; None where the file does not say."""
        whole = clip.duration_s
        if self.end_s is not None:
            whole = self.end_s if whole is None else min(whole, self.end_s)
        return None if whole is None else max(0.0, whole - self.start_s)


def frames_of(
    clip: Clip,
    file: Path | BinaryIO,
    *,
    on_damage: OnDamage,
    damage: Damage,
    from_ticks: int | None = None,
) -> Iterator[Frame]:
    """Yield a clip's frames in order, from the last key frame at or before `from_ticks`.

    Raises UnreadableVideo and UnsupportedVideo.
    """
    with opened(file, name=clip.name) as container:
        stream = picture_stream(container, name=clip.name)
        if from_ticks is not None:
            with suppress(av.error.FFmpegError):  # then from the beginning
                container.seek(from_ticks, stream=stream)
        frames = decoded(container, stream, name=clip.name, on_damage=on_damage, damage=damage)
        if clip.interlaced:
            frames = deinterlaced(frames, stream)
        clock = Clock(clip.time_base, rate=clip.rate, name=clip.name, damage=damage)
        samples = Samples(clip.colours, bits=clip.sample_bits, alpha=clip.alpha)  # type: ignore[arg-type]
        for frame in frames:
            upright = clip.turn.upright(samples.of(frame))
            if upright.shape[:2] != (clip.height, clip.width):
                raise UnsupportedVideo(
                    clip.name, f"its pictures change their size to {frame.width}x{frame.height}"
                )
            ticks = clock.ticks(frame)
            yield Frame(ticks=ticks, samples=upright, damage=damage.counts)
