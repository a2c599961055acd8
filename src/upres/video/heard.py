"""What a child says of a stranger's clip, held to what it may be; nothing else is believed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import (
    OutOfMemory,
    PictureTooLarge,
    UnreadableVideo,
    UnsupportedVideo,
    UpresError,
)
from upres.image.limits import MIN_SIDE_PX
from upres.sandbox import answers, wire
from upres.sandbox.answers import Content, Garbage, takes_too_much
from upres.video.clip import LOST, Clip
from upres.video.colours import SUPPORTED_MATRICES, Colours
from upres.video.frames import LONGEST_GAP_S, Frame, Turn
from upres.video.sent import SOUND_CHANNELS, SOUND_HZ, STAMP

if TYPE_CHECKING:
    from upres.image.limits import Limits
    from upres.sandbox.launcher import Child
    from upres.sandbox.limits import SandboxLimits
    from upres.video.frames import Damage

_DEPTHS = tuple(range(8, 17))
_MOST = 2**31 - 1
_LONGEST_S = 10.0**6
_MOST_SOUND_SAMPLES = 2**20


class Answer:
    """What one child says."""

    def __init__(
        self, child: Child, name: str, picture_limits: Limits, limits: SandboxLimits
    ) -> None:
        self._child, self._name = child, name
        self._picture_limits, self._limits = picture_limits, limits

    def clip(self) -> tuple[Clip, bool]:
        """Return what the clip is, and whether it has sound; raises Garbage, or the failure."""
        kind, body = self._message(wire.TEXT_BYTES)
        if kind != wire.HEADER:
            raise Garbage("no header")
        clip, sound = _clip(Content.of(body), name=self._name)
        pixels, limit = clip.width * clip.height, self._picture_limits.input_pixels
        if pixels > limit:
            raise PictureTooLarge(self._name, what="each picture has", value=pixels, limit=limit)
        return clip, sound

    def frames(self, clip: Clip, damage: Damage) -> Iterator[Frame]:
        """Yield the frames that come."""
        planes = 4 if clip.alpha else 3
        dtype: Any = np.uint8 if clip.sample_bits == 8 else np.uint16  # noqa: PLR2004
        frame_bytes = clip.width * clip.height * planes * np.dtype(dtype).itemsize
        longest = LONGEST_GAP_S / clip.time_base
        last: int | None = None
        while True:
            kind, body = self._message(STAMP.size + frame_bytes)
            if kind == wire.END:
                damage.counts = _counts(Content.of(body))
                return
            if kind != wire.BAND or len(body) != STAMP.size + frame_bytes:
                raise Garbage("a frame of another size")
            ticks, *counts = STAMP.unpack_from(body)
            if abs(ticks) > 2**60 or (last is not None and not 0 < ticks - last <= longest):
                raise Garbage("odd times")
            if not all(0 <= count <= _MOST for count in counts):
                raise Garbage("odd counts")
            last = ticks
            damage.counts = (counts[0], counts[1], counts[2])
            samples = np.frombuffer(body, dtype, offset=STAMP.size)
            yield Frame(
                ticks=ticks,
                samples=samples.reshape(clip.height, clip.width, planes),
                damage=damage.counts,
            )

    def sound(self) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[np.float32]]]]:
        """Yield the place of each run of samples, and the samples (count, channels)."""
        sample_bytes = 4 * SOUND_CHANNELS
        while True:
            kind, body = self._message(STAMP.size + _MOST_SOUND_SAMPLES * sample_bytes)
            if kind == wire.END:
                return
            rest = len(body) - STAMP.size
            if kind != wire.BAND or rest <= 0 or rest % sample_bytes:
                raise Garbage("odd sound")
            place = STAMP.unpack_from(body)[0]
            if abs(place) > _LONGEST_S * SOUND_HZ:
                raise Garbage("sound of an odd time")
            samples = np.frombuffer(body, np.float32, offset=STAMP.size)
            yield place, np.nan_to_num(samples).reshape(-1, SOUND_CHANNELS).clip(-4, 4)

    def _message(self, most: int) -> tuple[bytes, bytearray]:
        """Return the next message's kind and body; raises Garbage, or the failure it tells."""
        start = bytearray(wire.FRAME.size)
        self._child.fill(memoryview(start))
        kind, length = wire.FRAME.unpack(start)
        if length > max(most, wire.TEXT_BYTES):
            raise Garbage("too much at once")
        body = bytearray(length)
        self._child.fill(memoryview(body))
        if kind == wire.FAILURE:
            raise self._failure(bytes(body))
        return kind, body

    def _failure(self, body: bytes) -> UpresError:
        content = Content.of(body)
        code, reason = content.get("code"), content.text("reason")
        match code:
            case UnreadableVideo.code:
                return UnreadableVideo(self._name, reason)
            case UnsupportedVideo.code:
                return UnsupportedVideo(self._name, reason)
            case OutOfMemory.code:
                mib = self._limits.memory_bytes // 2**20
                return takes_too_much(self._name, mib, "MiB of memory")
            case PictureTooLarge.code if found := answers.TOO_LARGE.fullmatch(reason):
                what, value, unit, limit = found.groups()
                return PictureTooLarge(
                    self._name, what=what, value=int(value), limit=int(limit), unit=unit
                )
        raise Garbage("an error that it cannot have met")


def _clip(content: Content, *, name: str) -> tuple[Clip, bool]:
    """Return the clip that a header describes; raises Garbage."""
    matrix, primaries, transfer, full_range = content.numbers("colours", 4, 0, 255)
    if matrix not in SUPPORTED_MATRICES or full_range > 1:
        raise Garbage("odd colours")
    clip = Clip(
        name=name,
        width=content.number("width", MIN_SIDE_PX, _MOST),
        height=content.number("height", MIN_SIDE_PX, _MOST),
        turn=Turn(),
        pixel_aspect=_ratio(content, "pixel_aspect", Fraction(1, 1000), Fraction(1000)),
        rate=_ratio(content, "rate", Fraction(1, 1000), Fraction(1001)),
        time_base=_ratio(content, "time_base", Fraction(1, _MOST), Fraction(_MOST)),
        start_s=_ratio(content, "start_s", -Fraction(_LONGEST_S), Fraction(_LONGEST_S)),
        duration_s=_seconds(content.get("duration_s")),
        pictures_s=_seconds(content.get("pictures_s")),
        bits=int(str(content.one_of("bits", _DEPTHS))),
        alpha=content.truth("alpha"),
        interlaced=content.truth("interlaced"),
        colours=Colours(
            matrix=matrix, primaries=primaries, transfer=transfer, full_range=bool(full_range)
        ),
        lost=(),
    )
    lost = content.get("lost")
    if not isinstance(lost, list) or not all(word in LOST.values() for word in lost):
        raise Garbage("odd losses")
    sound = content.truth("sound")
    content.check_all_read()
    return replace(clip, lost=tuple(lost)), sound


def _ratio(content: Content, name: str, least: Fraction, most: Fraction) -> Fraction:
    up, down = content.numbers(name, 2, -(2**62), 2**62)
    if down < 1 or not least <= Fraction(up, down) <= most:
        raise Garbage(f"an odd {name}")
    return Fraction(up, down)


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if type(value) is not float or not math.isfinite(value) or abs(value) > _LONGEST_S:
        raise Garbage("an odd length")
    return value


def _counts(content: Content) -> tuple[int, int, int]:
    packets, frames, stamps = content.numbers("damage", 3, 0, _MOST)
    content.check_all_read()
    return packets, frames, stamps
