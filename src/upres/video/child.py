"""What a confined child does with a stranger's clip: looks at it, or sends its frames or its sound.

It has the clip's file and a pipe, and nothing else. `upres.video.sandboxed` is the other end, and
believes none of it before it was checked.
"""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av
import numpy as np
from av.audio.resampler import AudioResampler

from upres.errors import OutOfMemory, PictureTooLarge, UnreadableVideo, UnsupportedVideo
from upres.image.limits import Limits
from upres.sandbox import wire
from upres.video.clip import frames_of, look_at
from upres.video.frames import Damage
from upres.video.opening import opened, quiet
from upres.video.sent import NAME, SOUND_HZ, STAMP

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from upres.sandbox.child import Job
    from upres.video.clip import Clip

_PREFIXES = {
    UnreadableVideo: f"cannot read {NAME}: ",
    UnsupportedVideo: f"{NAME} is not supported: ",
    PictureTooLarge: f"{NAME} is too large: ",
}

for _module in pkgutil.walk_packages(av.__path__, "av."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)  # PyAV finds some late, and children open nothing


def work(job: Job) -> None:
    """Do what the request's `task` says: `header`, `frames` or `sound`."""
    quiet()
    try:
        _work(job)
    except (MemoryError, OutOfMemory):
        wire.send_json(job.output, wire.FAILURE, {"code": OutOfMemory.code, "reason": ""})
    except (UnreadableVideo, UnsupportedVideo, PictureTooLarge) as error:
        reason = str(error).removeprefix(_PREFIXES[type(error)])[: wire.REASON_CHARACTERS]
        wire.send_json(job.output, wire.FAILURE, {"code": error.code, "reason": reason})
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file leads to
        reason = f"the decoder gave up ({type(error).__name__})"
        wire.send_json(job.output, wire.FAILURE, {"code": UnreadableVideo.code, "reason": reason})


def _work(job: Job) -> None:
    file = cast("BinaryIO", _Placed(job.input, job.request["bytes"]))
    if job.request["task"] == "sound":
        _send_sound(job.output, file)
        return
    clip = look_at(file, limits=Limits(**job.request["picture_limits"]), name=NAME)
    wire.send_json(job.output, wire.HEADER, _described(clip, sound=_has_sound(file)))
    if job.request["task"] != "frames":
        return
    damage = Damage()
    frames = frames_of(
        clip, file, on_damage="skip", damage=damage, from_ticks=job.request["from_ticks"]
    )
    for frame in frames:
        samples = np.ascontiguousarray(frame.samples)
        stamp = STAMP.pack(frame.ticks, *frame.damage)
        wire.send(job.output, wire.BAND, stamp + samples.tobytes())
    wire.send_json(job.output, wire.END, {"damage": list(damage.counts)})


class _Placed(io.RawIOBase):
    """A descriptor read as a file of its own place: nobody else's is moved."""

    def __init__(self, file: int, size: int) -> None:
        self._file, self._size, self._at = file, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = os.pread(self._file, self._size if size < 0 else size, self._at)
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def _described(clip: Clip, *, sound: bool) -> dict[str, Any]:
    colours = clip.colours
    return {
        "width": clip.width,
        "height": clip.height,
        "pixel_aspect": list(clip.pixel_aspect.as_integer_ratio()),
        "rate": list(clip.rate.as_integer_ratio()),
        "time_base": list(clip.time_base.as_integer_ratio()),
        "start_s": list(clip.start_s.as_integer_ratio()),
        "duration_s": clip.duration_s,
        "pictures_s": clip.pictures_s,
        "bits": clip.bits,
        "alpha": clip.alpha,
        "interlaced": clip.interlaced,
        "colours": [
            colours.matrix,
            colours.primaries,
            colours.transfer,
            int(colours.full_range),
        ],
        "lost": list(clip.lost),
        "sound": sound,
    }


def _has_sound(file: BinaryIO) -> bool:
    with opened(file, name=NAME) as container:
        return _sound(container) is not None


def _sound(container: InputContainer) -> AudioStream | None:
    """Return the first stream of sound that can be decoded."""
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            return stream
    return None


def _send_sound(output: int, file: BinaryIO) -> None:
    """Decode the sound, at one rate and with two channels, whatever it was."""
    with opened(file, name=NAME) as container:
        stream = _sound(container)
        if stream is not None:
            _resample(output, container, stream)
    wire.send_json(output, wire.END, {"damage": [0, 0, 0]})


def _resample(output: int, container: InputContainer, stream: AudioStream) -> None:
    resampler = AudioResampler(format="flt", layout="stereo", rate=SOUND_HZ)
    next_place = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            continue  # a gap, as in any player
        for frame in frames:
            place = next_place
            if frame.pts is not None and frame.time_base is not None:
                place = round(frame.pts * frame.time_base * SOUND_HZ)
            for part in resampler.resample(frame):
                samples = np.ascontiguousarray(part.to_ndarray(), np.float32)
                stamp = STAMP.pack(place, 0, 0, 0)
                wire.send(output, wire.BAND, stamp + samples.tobytes())
                place += part.samples
            next_place = place
