"""Frames a second against a plain enlargement and against a naive loop, A B A B in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import Interpolation

import upres
from proofs.filming.material import enlarged, photo_clip
from upres.video.writer import steadying_options

_ROUNDS = 3
_LEAST_FPS = 20
_LEAST_RATIO = 1.6
_OPTIONS = {"crf": "18", "preset": "veryfast"}
"""As `upres video` encodes by default."""


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _lanczos(clip: Path, output: Path, *, factor: int) -> None:
    """Enlarge with swscale's Lanczos, the same encoder, and no sound."""
    with av.open(str(clip)) as source, av.open(str(output), "w") as target:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        large: Any = target.add_stream(
            "libx264", rate=stream.average_rate, options=_OPTIONS | steadying_options("h264")
        )
        large.width, large.height = stream.width * factor, stream.height * factor
        large.pix_fmt, large.codec_context.thread_count = "yuv420p", 4
        for frame in source.decode(stream):
            scaled = frame.reformat(
                width=large.width, height=large.height, interpolation=Interpolation.LANCZOS
            )
            target.mux(large.encode(scaled))
        target.mux(large.encode(None))


def measure_fast(_: int) -> dict[str, Any]:
    """Time whole commands, from their start to the finished file."""
    frames = 500
    ours, plain, inside = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = photo_clip(folder / "clip.mp4", width=480, height=270, frames=frames)
        words = ("--model", "fast", "--overwrite")
        told = enlarged(clip, folder / "ours.mp4", *words)
        for _round in range(_ROUNDS):
            ours.append(_timed(lambda: inside.append(enlarged(clip, folder / "ours.mp4", *words))))
            plain.append(_timed(lambda: _lanczos(clip, folder / "plain.mp4", factor=2)))
    fps = [frames / seconds for seconds in ours]
    return {
        "frames": frames,
        "model": told["model"],
        "encoding": told["encoding"],
        "seconds": ours,
        "seconds_without_start": [one["seconds"] for one in inside],
        "lanczos_seconds": plain,
        "frames_per_s": fps,
        "ratio_to_lanczos": [one / other for one, other in zip(plain, ours, strict=True)],
        "limit_frames_per_s": _LEAST_FPS,
        "passed": sorted(fps)[_ROUNDS // 2] >= _LEAST_FPS,
    }


def _naive(clip: Path, output: Path, folder: Path) -> None:
    """Write every frame as PNG, enlarge the file, read the result, encode it."""
    upscaler = upres.Upscaler.load("lite", scale=2, exact=True)
    with av.open(str(clip)) as source, av.open(str(output), "w") as target:
        large: Any = None
        for number, frame in enumerate(source.decode(video=0)):
            path = folder / f"{number}.png"
            frame.to_image().save(path)
            result = upscaler(path)
            with av.open(str(result)) as picture:
                scaled = next(picture.decode(video=0))
            if large is None:
                large = target.add_stream("libx264", rate=25, options=_OPTIONS)
                large.width, large.height, large.pix_fmt = scaled.width, scaled.height, "yuv420p"
            scaled.pts, scaled.time_base = number, Fraction(1, 25)
            target.mux(large.encode(scaled))
            path.unlink()
            result.unlink()
        target.mux(large.encode(None))


def measure_naive(_: int) -> dict[str, Any]:
    """Compare whole runs on the same clip."""
    frames = 40
    ours, naive = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = photo_clip(folder / "clip.mp4", width=640, height=360, frames=frames)
        words = ("--model", "lite", "--overwrite")
        told = enlarged(clip, folder / "ours.mp4", *words)
        for _round in range(_ROUNDS):
            ours.append(_timed(lambda: enlarged(clip, folder / "ours.mp4", *words)))
            naive.append(_timed(lambda: _naive(clip, folder / "naive.mp4", folder)))
    ratios = [slow / quick for slow, quick in zip(naive, ours, strict=True)]
    return {
        "frames": frames,
        "model": told["model"],
        "seconds": ours,
        "naive_seconds": naive,
        "ratios": ratios,
        "limit": _LEAST_RATIO,
        "passed": sorted(ratios)[_ROUNDS // 2] >= _LEAST_RATIO,
    }
