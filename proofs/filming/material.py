"""Clips that the proofs are run on, and the command that is proved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from proofs.record import ROOT, SHARED

# Proofs run without pytest, which puts this folder on the path for tests.
sys.path.append(str(ROOT / "tests"))

from clips import ClipRecipe, write_clip

_PICTURES = 6
_FRAMES_EACH = 40
_STEP_PX = 2


def photo_clip(path: Path, *, width: int, height: int, frames: int) -> Path:
    """Write a clip that drifts over photographs of Kodak24, with a cut now and then, and sound."""
    files = sorted((SHARED / "bench" / "Kodak24" / "HR").glob("*.png"))[:_PICTURES]
    photos = [_covering(file, width, height) for file in files]

    def draw(number: int) -> NDArray[np.uint8]:
        photo = photos[number // _FRAMES_EACH % len(photos)]
        step = number % _FRAMES_EACH * _STEP_PX
        left = min(step, photo.shape[1] - width)
        top = min(step // 2, photo.shape[0] - height)
        return photo[top : top + height, left : left + width]

    recipe = ClipRecipe(
        frames=frames, width=width, height=height, sound="aac", draw=draw, options={"crf": "18"}
    )
    return write_clip(path, recipe)


def _covering(file: Path, width: int, height: int) -> NDArray[np.uint8]:
    """Read a photograph at a size that leaves room to drift."""
    drift = _FRAMES_EACH * _STEP_PX
    with Image.open(file) as picture:
        upright = picture.convert("RGB")
        if upright.height > upright.width:
            upright = upright.rotate(90, expand=True)
        factor = max((width + drift) / upright.width, (height + drift) / upright.height)
        size = (round(upright.width * factor), round(upright.height * factor))
        return np.asarray(upright.resize(size, Image.Resampling.LANCZOS))


def words(clip: Path, output: Path, *more: str) -> list[str]:
    """Return the command that enlarges a clip and tells about it as JSON."""
    return [sys.executable, "-m", "upres", "video", str(clip), str(output), "--json", *more]


def enlarged(clip: Path, output: Path, *more: str) -> dict[str, Any]:
    """Enlarge a clip in a process of its own; returns what the command told."""
    run = subprocess.run(words(clip, output, *more), capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    told: dict[str, Any] = json.loads(run.stdout)
    return told
