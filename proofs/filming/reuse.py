"""What exact reuse of still tiles gains on a recorded screen."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from proofs.filming.material import enlarged
from proofs.record import SHARED

from clips import ClipRecipe, packets, write_clip  # isort: skip - the line above finds it

_WIDTH, _HEIGHT, _FRAMES, _ROUNDS = 1280, 720, 96, 1
_PANE = (_WIDTH - 572, _HEIGHT - 322, 572, 322)
"""Left, top, width, height of what moves: the speaker in the corner, a fifth of the picture."""
_LEAST_RATIO = 3.0


def _desktop() -> NDArray[np.uint8]:
    """Draw windows with text: sharp, plain, still."""
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), (58, 76, 96))
    draw = ImageDraw.Draw(picture)
    for number in range(5):
        left, top = 30 + 240 * number, 20 + 90 * (number % 3)
        draw.rectangle((left, top, left + 300, top + 480), fill=(240, 240, 236), outline=(0, 0, 0))
        for line in range(30):
            words = f"{number}.{line} the quick brown fox jumps over {line * 37 % 101}"
            draw.text((left + 8, top + 8 + line * 15), words, fill=(20, 20, 30))
    return np.asarray(picture)


def _cpu_s() -> float:
    """Return the processor time of all commands so far, their start counted."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(_: int) -> dict[str, Any]:
    """Enlarge a screen with a speaker in its corner, with reuse and without."""
    left, top, width, height = _PANE
    with Image.open(min((SHARED / "bench" / "Kodak24" / "HR").glob("*.png"))) as file:
        photo = np.asarray(file.convert("RGB"))
    desktop = _desktop()

    def draw(number: int) -> NDArray[np.uint8]:
        frame = desktop.copy()
        frame[top : top + height, left : left + width] = photo[
            number : number + height, 2 * number : 2 * number + width
        ]
        return frame

    # without loss, as screens are recorded: what is still then stays so, bit for bit
    recipe = ClipRecipe(
        frames=_FRAMES, width=_WIDTH, height=_HEIGHT, draw=draw, options={"qp": "0"}
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clip = write_clip(folder / "clip.mp4", recipe)
        words = ("--model", "lite", "--scale", "3", "--overwrite")
        seconds: dict[str, list[float]] = {"reuse": [], "anew": []}
        cpu_seconds: dict[str, list[float]] = {"reuse": [], "anew": []}
        for _round in range(_ROUNDS):
            for name, more in (("reuse", ()), ("anew", ("--no-reuse",))):
                before = _cpu_s()
                told = enlarged(clip, folder / f"{name}.mp4", *words, *more)
                seconds[name].append(told["seconds"])
                cpu_seconds[name].append(round(_cpu_s() - before, 1))
        same = (folder / "reuse.mp4").read_bytes() == (folder / "anew.mp4").read_bytes()
        count = len(packets(folder / "reuse.mp4", "video"))
    ratios = [slow / quick for slow, quick in zip(seconds["anew"], seconds["reuse"], strict=True)]
    return {
        "frames": count,
        "still_share": 1 - width * height / (_WIDTH * _HEIGHT),
        "model": told["model"],
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "ratios": ratios,
        "same_bytes": same,
        "limit": _LEAST_RATIO,
        "passed": same and count == _FRAMES and min(ratios) >= _LEAST_RATIO,
    }
