"""Resident memory of a transcode of 1280x720, read from outside while it runs."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from proofs.filming.material import photo_clip, words

_FRAMES = 64
_EVERY = 4
"""Of the readings, those that are written down."""
_LIMIT_MB = 700
_GROWTH = 1.05


def measure(_: int) -> dict[str, Any]:
    """Watch one run from its start to its end."""
    rows: list[tuple[float, float]] = []
    peak = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = photo_clip(folder / "clip.mp4", width=1280, height=720, frames=_FRAMES)
        process = subprocess.Popen(
            words(clip, folder / "out.mp4", "--model", "lite"), stdout=subprocess.DEVNULL
        )
        started = time.monotonic()
        while process.poll() is None:
            status = _status(process.pid)
            if status:
                rows.append((time.monotonic() - started, status["VmRSS"]))
                peak = max(peak, status["VmHWM"])
            time.sleep(0.25)
    values = [value for _, value in rows]
    middle, end = (
        values[len(values) * part // 3 : len(values) * (part + 1) // 3] for part in (1, 2)
    )
    return {
        "frames": _FRAMES,
        "exit_code": process.returncode,
        "seconds": round(rows[-1][0], 1),
        "peak_mb": peak,
        "limit_mb": _LIMIT_MB,
        "median_mb_of_the_second_third": median(middle),
        "median_mb_of_the_last_third": median(end),
        "resident_mb": [[round(at, 1), round(value)] for at, value in rows[::_EVERY]],
        "passed": (
            process.returncode == 0
            and peak <= _LIMIT_MB
            and median(end) <= _GROWTH * median(middle)
        ),
    }


def _status(process: int) -> dict[str, float]:
    """Return memory in MB (10^6 bytes), nothing when the process is gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in text.splitlines())
    return {
        name: int(fields[name].split()[0]) * 1024 / 1e6
        for name in ("VmRSS", "VmHWM")
        if name in fields
    }
