from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import CLICK_S, ClipRecipe, numbers_and_times, write_clip

from upres.errors import PictureTooLarge, UnreadableVideo, UnsupportedVideo
from upres.image.limits import Limits
from upres.sandbox import wire
from upres.sandbox.launcher import Launcher
from upres.sandbox.limits import POSTURE, SandboxLimits
from upres.upscale.resample import BICUBIC
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Interpolation
from upres.video import sandboxed
from upres.video.frames import Damage
from upres.video.sandboxed import SandboxedSource
from upres.video.sent import STAMP
from upres.video.source import FileSource
from upres.video.transcode import Transcode, VideoOptions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@contextmanager
def source(path: Path, **limits: Any) -> Iterator[SandboxedSource]:
    """Give a clip as the service has it."""
    with path.open("rb") as file:
        yield SandboxedSource(
            file.fileno(),
            name=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            size=path.stat().st_size,
            limits=limits.pop("limits", SandboxLimits()),
            picture_limits=Limits(),
            **limits,
        )


RECIPES = {
    "h264.mp4": ClipRecipe(frames=40, options={"crf": "10", "bf": "3"}),
    "turned.mov": ClipRecipe(frames=10, turned=90),
    "ten_bits.mkv": ClipRecipe(frames=10, codec="libx265", pixel_format="yuv420p10le"),
    "vp9.webm": ClipRecipe(frames=10, codec="libvpx-vp9", options={"crf": "10"}),
    "alpha.mkv": ClipRecipe(frames=10, codec="ffv1", pixel_format="bgra", options={}),
    "mpeg2.ts": ClipRecipe(frames=20, codec="mpeg2video", options={}),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_child_gives_what_decoding_here_gives(tmp_path: Path, name: str) -> None:
    """All that is known of the clip, and every sample and time."""
    path = write_clip(tmp_path / name, RECIPES[name])
    here = FileSource(path)
    clip = here.look(Limits())
    with source(path) as there:
        found = there.look(Limits())
        for field in ("width", "height", "rate", "time_base", "bits", "alpha", "colours"):
            assert getattr(found, field) == getattr(clip, field)
        pairs = zip(
            here.frames(clip, on_damage="skip", damage=Damage()),
            there.frames(found, on_damage="skip", damage=Damage()),
            strict=True,
        )
        for one, two in pairs:
            assert one.ticks == two.ticks
            assert np.array_equal(one.samples, two.samples)


def test_a_whole_result_with_its_sound(tmp_path: Path) -> None:
    """Frames, times and clicks are where they were; the sound is AAC, whatever it was."""
    clip = write_clip(tmp_path / "clip.mkv", ClipRecipe(frames=75, sound="pcm_s16le"))
    output = tmp_path / "out.mp4"
    with source(clip) as there:
        transcode = Transcode(
            there, output, size=SizeRequest(factor=2), options=VideoOptions(), limits=Limits()
        )
        outcome = transcode.run(Interpolation(kernel=BICUBIC), network=None)
    assert outcome.frames == 75
    assert [n for n, _ in numbers_and_times(output, width=96)] == list(range(75))
    with av.open(str(output)) as made:
        sound = made.streams.audio[0]
        assert sound.codec_context.name == "aac"
        frames = [
            (float(frame.pts * frame.time_base), frame.to_ndarray()[0], frame.sample_rate)
            for frame in made.decode(sound)
        ]
    clicks = [
        start + place / rate
        for start, samples, rate in frames
        for place in np.flatnonzero(np.abs(samples) > 0.3)[:1]
    ]
    for click in clicks:
        nearest = round(click / float(CLICK_S)) * float(CLICK_S)
        assert abs(click - nearest) < 1 / 25
    assert len({round(click / float(CLICK_S)) for click in clicks}) >= 5


def test_too_many_frames_are_refused_whatever_the_file_says(tmp_path: Path) -> None:
    """The limit is on what comes."""
    path = write_clip(tmp_path / "clip.mp4")
    with source(path, most_frames=10) as there:
        clip = there.look(Limits())
        with pytest.raises(PictureTooLarge, match="it has 11 frames, the limit is 10"):
            list(there.frames(clip, on_damage="skip", damage=Damage()))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 3],
        lambda data: b"ftyp" + data[4:200],
        lambda data: np.random.default_rng(1).bytes(len(data)),
        lambda data: data[:2000] + np.random.default_rng(2).bytes(len(data) - 4000) + data[-2000:],
    ],
)
def test_spoilt_files_are_the_clips_fault(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    """An error of upres's own, or fewer frames; never a hang or a crash of this process."""
    path = write_clip(tmp_path / "clip.mp4")
    path.write_bytes(spoil(path.read_bytes()))
    with source(path) as there:
        frames = []
        with suppress(UnreadableVideo, UnsupportedVideo):
            clip = there.look(Limits())
            frames = list(there.frames(clip, on_damage="skip", damage=Damage()))
        assert len(frames) <= 30


def test_a_child_that_eats_time_is_killed(tmp_path: Path) -> None:
    """By the limit of processor time."""
    still = np.random.default_rng(5).integers(0, 256, (720, 1280, 3), np.uint8)
    recipe = ClipRecipe(
        frames=400,
        width=1280,
        height=720,
        draw=lambda _: still,
        options={"preset": "ultrafast", "crf": "35"},
    )
    path = write_clip(tmp_path / "clip.mp4", recipe)
    with source(path, limits=SandboxLimits(cpu_s=1)) as there:
        clip = there.look(Limits())
        with pytest.raises(PictureTooLarge, match="seconds of a core"):
            list(there.frames(clip, on_damage="skip", damage=Damage()))


def test_the_child_is_confined() -> None:
    """As those of pictures are: it asks itself, and tells through the same pipe."""
    with Launcher("video.confined:tell") as launcher, Path("/dev/null").open("rb") as nothing:
        child = launcher.spawn(
            nothing.fileno(), {"task": "look"}, name="clip", limits=SandboxLimits()
        )
        start = bytearray(wire.FRAME.size)
        child.fill(memoryview(start))
        body = bytearray(wire.FRAME.unpack(start)[1])
        child.fill(memoryview(body))
        child.close()
    from upres.sandbox.answers import Content

    content = Content.of(body)
    held = content.get("posture")
    assert {name for name, there in held.items() if there} >= {"memory_limit", "seccomp"}
    assert set(held) == set(POSTURE)
    assert content.get("opened") is False
    assert content.get("connected") is False


HEADER: dict[str, Any] = {
    "width": 96, "height": 64, "pixel_aspect": [1, 1], "rate": [25, 1], "time_base": [1, 12800],
    "start_s": [0, 1], "duration_s": 1.0, "pictures_s": None, "bits": 8, "alpha": False,
    "interlaced": False, "colours": [6, 2, 2, 0], "lost": [], "sound": False,
}  # fmt: skip


class Scripted:
    """A child that says what a test wants."""

    def __init__(self, *messages: tuple[bytes, bytes]) -> None:
        self._said = b"".join(wire.FRAME.pack(kind, len(body)) + body for kind, body in messages)

    def fill(self, view: memoryview) -> None:
        """Give the next bytes."""
        view[:] = self._said[: len(view)]
        self._said = self._said[len(view) :]

    def close(self) -> None:
        """Nothing to end."""


def say(monkeypatch: pytest.MonkeyPatch, *messages: tuple[bytes, bytes]) -> SandboxedSource:
    """Return a clip whose children say these things."""
    monkeypatch.setattr(sandboxed.launcher, "spawn", lambda *_, **__: Scripted(*messages))
    return SandboxedSource(
        0, name="clip", sha256="0" * 64, size=1, limits=SandboxLimits(), picture_limits=Limits()
    )


def header(**changes: Any) -> tuple[bytes, bytes]:
    """Return the message of a header."""
    import json

    return wire.HEADER, json.dumps(HEADER | changes).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0}, {"width": True}, {"height": 2**40}, {"rate": [25, 0]}, {"rate": [1, 10**9]},
        {"time_base": [0, 1]}, {"start_s": [1]}, {"duration_s": "1"}, {"bits": 7}, {"bits": 8.0},
        {"colours": [3, 2, 2, 0]}, {"colours": [6, 2, 2, 2]}, {"colours": 4},
        {"lost": ["\x1b[2J"]}, {"more": 1}, {"alpha": 1},
    ],
)  # fmt: skip
def test_odd_headers_are_not_believed(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """The clip is refused."""
    with pytest.raises(UnreadableVideo, match="nonsense"):
        say(monkeypatch, header(**changes)).look(Limits())


def test_a_header_of_a_picture_past_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is held to here, too."""
    with pytest.raises(PictureTooLarge, match="each picture has"):
        say(monkeypatch, header(width=96_000)).look(Limits(input_pixels=10**6))


FRAME = bytes(96 * 64 * 3)


@pytest.mark.parametrize(
    "messages",
    [
        [(wire.BAND, STAMP.pack(0, 0, 0, 0) + FRAME[:-1])],
        [(wire.BAND, STAMP.pack(0, 0, 0, 0) + FRAME + b"0")],
        [(wire.BAND, STAMP.pack(5, 0, 0, 0) + FRAME)] * 2,
        [(wire.BAND, STAMP.pack(2**61, 0, 0, 0) + FRAME)],
        [(wire.BAND, STAMP.pack(0, -1, 0, 0) + FRAME)],
        [
            (wire.BAND, STAMP.pack(0, 0, 0, 0) + FRAME),
            (wire.BAND, STAMP.pack(12800 * 90_000, 0, 0, 0) + FRAME),
        ],
        [(wire.ATTACHMENTS, b"")],
        [(wire.END, b"[]")],
        [(wire.FAILURE, b'{"code": "full-disk", "reason": ""}')],
    ],
)
def test_odd_frames_are_not_believed(
    monkeypatch: pytest.MonkeyPatch, messages: list[tuple[bytes, bytes]]
) -> None:
    """The clip is refused where they come."""
    there = say(monkeypatch, header(), *messages)
    clip = there.look(Limits())
    assert clip.rate == Fraction(25)
    with pytest.raises(UnreadableVideo, match="nonsense"):
        list(there.frames(clip, on_damage="skip", damage=Damage()))
