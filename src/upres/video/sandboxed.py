"""A stranger's clip, decoded in confined children: the service's side, which believes nothing.

Pictures come as samples of the size that was announced, with times that rise; sound comes as plain
samples and is encoded anew. FFmpeg's demultiplexers and decoders never see such a file out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av import AudioFrame

from upres.errors import (
    PictureTooLarge,
    UnreadableVideo,
)
from upres.sandbox.answers import Garbage
from upres.sandbox.launcher import Launcher
from upres.video.beside import Beside, stamp_s
from upres.video.clip import Clip
from upres.video.frames import Frame
from upres.video.heard import Answer
from upres.video.sent import SOUND_HZ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import OutputContainer
    from av.packet import Packet

    from upres.image.limits import Limits
    from upres.sandbox.limits import SandboxLimits
    from upres.video.frames import Damage, OnDamage
    from upres.video.source import Copying, Span

launcher = Launcher("upres.video.child:work")
"""The one of this process."""
_SOUND_BITS = 192_000
_UNKEPT = "of what is beside the pictures the sound alone is kept"


class SandboxedSource:
    """A clip in an open file."""

    def __init__(
        self, file: int, *, name: str, sha256: str, size: int, limits: SandboxLimits,
        picture_limits: Limits, most_frames: int | None = None,
    ) -> None:  # fmt: skip
        """Take a descriptor, which stays the caller's, and what is known of the file.

        A clip that has more than `most_frames` frames, whatever it says of itself, is refused when
        that is seen.
        """
        self.name, self._file, self._sha256, self._size = name, file, sha256, size
        self._limits, self._picture_limits = limits, picture_limits
        self.most_frames = most_frames
        self._sound = False

    @property
    def bytes(self) -> int:
        """Length of the file."""
        return self._size

    def sha256(self) -> str:
        """Return the hash of the file, as it was given."""
        return self._sha256

    def look(self, limits: Limits) -> Clip:
        """Have the clip looked at; raises as `upres.video.clip.look_at`, and what limits say."""
        with self._asked("header", limits=limits) as answer:
            clip, self._sound = answer.clip()
            return clip

    def frames(
        self, clip: Clip, *, on_damage: OnDamage, damage: Damage, from_ticks: int | None = None
    ) -> Iterator[Frame]:
        """Yield frames as `upres.video.clip.frames_of`; damage is always skipped and counted."""
        if on_damage != "skip":
            raise ValueError("a child skips what is damaged")
        count = 0
        with self._asked("frames", from_ticks=from_ticks) as answer:
            found, _ = answer.clip()
            if (found.width, found.height, found.bits) != (clip.width, clip.height, clip.bits):
                raise UnreadableVideo(self.name, "it is not what it was")
            for frame in answer.frames(found, damage):
                count += 1
                if self.most_frames is not None and count > self.most_frames:
                    raise PictureTooLarge(
                        self.name, what="it has", value=count, limit=self.most_frames,
                        unit="frames",
                    )  # fmt: skip
                yield frame

    def beside(self, *, container: str, output: Path) -> Beside:  # noqa: ARG002 - the protocol's
        """Choose the sound, which is encoded anew, and nothing else."""
        return Beside((0,) if self._sound else (), (_UNKEPT,))

    @contextmanager
    def copying(
        self, target: OutputContainer, beside: Beside, *, span: Span, damage: Damage
    ) -> Iterator[Copying]:  # fmt: skip
        """Encode the sound, if there is any."""
        del damage
        if span != (None, None):
            raise ValueError("clips of strangers are taken whole")
        if not beside.carried:
            yield _Sound(None, lambda: iter(()))
            return
        stream = target.add_stream("aac", rate=SOUND_HZ, layout="stereo", bit_rate=_SOUND_BITS)
        with self._asked("sound") as answer:
            yield _Sound(stream, answer.sound)

    @contextmanager
    def _asked(
        self, task: str, *, limits: Limits | None = None, from_ticks: int | None = None
    ) -> Iterator[Answer]:
        request = {
            "task": task,
            "bytes": self._size,
            "picture_limits": asdict(limits or self._picture_limits),
            "from_ticks": from_ticks,
        }
        child = launcher.spawn(self._file, request, name=self.name, limits=self._limits)
        answer = Answer(child, self.name, limits or self._picture_limits, self._limits)
        try:
            yield answer
        except Garbage as error:
            raise UnreadableVideo(
                self.name, f"its decoder answered with nonsense ({error})"
            ) from error
        finally:
            child.close()


class _Sound:
    """The sound of a result."""

    of_the_picture: dict[str, str] = {}  # noqa: RUF012 - never written to

    def __init__(
        self,
        stream: Any,
        samples: Callable[[], Iterator[tuple[int, np.ndarray[Any, np.dtype[np.float32]]]]],
    ) -> None:
        self._stream, self._samples = stream, samples

    def packets(self) -> Iterator[tuple[Fraction, Packet[Any]]]:
        """Encode what comes; a gap stays one, and what would go backwards is pushed on."""
        if self._stream is None:
            return
        next_place: int | None = None
        for place, samples in self._samples():
            at = place if next_place is None else max(place, next_place)
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout="stereo"
            )
            frame.sample_rate, frame.pts = SOUND_HZ, at
            frame.time_base = Fraction(1, SOUND_HZ)
            next_place = at + len(samples)
            yield from self._encoded(frame)
        yield from self._encoded(None)

    def _encoded(self, frame: AudioFrame | None) -> Iterator[tuple[Fraction, Packet[Any]]]:
        for packet in self._stream.encode(frame):
            yield stamp_s(packet), packet
