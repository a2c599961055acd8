"""Peak memory of 100-megapixel results with lite, beside 25 megapixels of the same."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from proofs.watched import run

_SIDES = {25: 1667, 100: 3334}
"""Megapixels of the result, and the side of a square source at x3."""
_BAR_FORMATS = ("jpeg", "png", "tiff")
_TOLD_FORMATS = ("webp", "avif")
"""Their encoders hold the picture: measured and documented, under no bar."""
_PEAK_MB = 1000
_FLAT = 1.15
"""How much the larger result may cost against the smaller one; the source itself is in this."""
_TIME_LIMIT_S = 1800

_SOURCE = """
import sys
import numpy as np
from PIL import Image
side = int(sys.argv[1])
y, x = np.mgrid[0:side, 0:side].astype(np.float32) / 40
planes = [np.sin(x + k) * np.cos(y - k) * 90 + 128 for k in range(3)]
noise = np.random.default_rng(1).normal(0, 6, (side, side, 3))
Image.fromarray(np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8)).save(
    sys.argv[2], quality=92
)
"""
"""In a child, so that its memory is not counted."""


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the source has its own
    """Run `upres enlarge` on both sources into every format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for megapixels, side in _SIDES.items():
            words = [sys.executable, "-c", _SOURCE, str(side), str(folder / f"{megapixels}.jpg")]
            subprocess.run(words, check=True)
        rows = {
            format_: {
                str(megapixels): _one(folder, megapixels, format_)
                for megapixels in _SIDES
                if megapixels == min(_SIDES) or format_ != "avif"
            }
            for format_ in (*_BAR_FORMATS, *_TOLD_FORMATS)
        }
    held = {format_: _verdict(rows[format_]) for format_ in _BAR_FORMATS}
    sound = all(row["exit"] == 0 for each in rows.values() for row in each.values())
    return {
        "model": "lite x3",
        "peak_limit_mb": _PEAK_MB,
        "flat_limit": _FLAT,
        "runs": rows,
        "held": held,
        "passed": sound and all(held.values()),
    }


def _verdict(rows: dict[str, dict[str, Any]]) -> bool:
    small, large = (rows[str(megapixels)]["peak_mb"] for megapixels in sorted(_SIDES))
    return bool(large <= _PEAK_MB and large <= small * _FLAT)


def _one(folder: Path, megapixels: int, format_: str) -> dict[str, Any]:
    target = folder / f"large.{format_}"
    ran = run(
        [
            *f"enlarge {megapixels}.jpg --model lite --scale 3 --engine openvino -o".split(),
            str(target),
        ],
        folder=folder,
        time_limit_s=_TIME_LIMIT_S,
    )
    row = {
        "exit": ran.code,
        "peak_mb": ran.peak_mb,
        "seconds": ran.seconds,
        "bytes": target.stat().st_size if target.exists() else 0,
        "said": ran.stderr.strip(),
    }
    target.unlink(missing_ok=True)
    return row
