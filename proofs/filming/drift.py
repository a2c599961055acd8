"""An hour of film: every frame there, and sound and picture still together at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from proofs.filming.material import enlarged

from clips import (  # isort: skip
    BITS,
    BLOCK_PX,
    CLICK_S,
    WIDTH,
    ClipRecipe,
    Picture,
    number_of,
    write_clip,
)

_RATE = Fraction(30000, 1001)
_MINUTES = 60
_LOUD = 0.4


def measure(_: int) -> dict[str, Any]:
    """Read every frame's number and time, and every click's time."""
    frames = int(_MINUTES * 60 * _RATE)
    recipe = ClipRecipe(
        frames=frames,
        rate=_RATE,
        height=32,
        sound="aac",
        draw=_plain,
        options={"crf": "12", "preset": "ultrafast"},
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_clip(folder / "clip.mp4", recipe)
        told = enlarged(clip, folder / "out.mp4", "--model", "bicubic", "--preset", "ultrafast")
        wrong, count, last = 0, 0, Fraction(0)
        worst = Fraction(0)
        for number, time in _numbers(folder / "out.mp4"):
            wrong += number != count % (1 << BITS)
            worst = max(worst, abs(time - count / _RATE))
            count, last = count + 1, time
        clicks = list(_clicks(folder / "out.mp4"))
    off = [abs(click - round(click / float(CLICK_S)) * float(CLICK_S)) for click in clicks]
    drift_s = max(float(worst), *off[-100:])
    return {
        "frames": count,
        "frames_expected": frames,
        "numbers_wrong": wrong,
        "last_frame_s": float(last),
        "worst_frame_time_error_s": float(worst),
        "clicks": len(clicks),
        "last_click_s": clicks[-1],
        "worst_click_error_in_the_last_100_s": max(off[-100:]),
        "drift_in_frames": drift_s * float(_RATE),
        "transcode_seconds": told["seconds"],
        "passed": (
            wrong == 0
            and count == frames
            and clicks[-1] > _MINUTES * 60 - 1
            and drift_s * float(_RATE) <= 1
        ),
    }


def _plain(number: int) -> Picture:
    """Draw a number on gray: a hundred thousand frames have to be drawn."""
    bits = (number >> np.arange(BITS) & 1).astype(np.uint8) * 219 + 16
    picture = np.full((32, WIDTH, 3), 110, np.uint8)
    picture[:BLOCK_PX] = np.repeat(bits, BLOCK_PX)[:, np.newaxis]
    return picture


def _numbers(path: Path) -> Iterator[tuple[int, Fraction]]:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            yield number_of(frame.to_ndarray(format="rgb24")), frame.pts * frame.time_base


def _clicks(path: Path) -> Iterator[float]:
    """Yield when the sound clicks, seconds."""
    last = -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray()[0])
            for place in np.flatnonzero(samples > _LOUD):
                time = float(frame.pts * frame.time_base) + place / frame.sample_rate
                if time - last > float(CLICK_S) / 2:
                    yield float(time)
                    last = time
