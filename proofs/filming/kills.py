"""A run killed again and again, and continued each time."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from proofs.filming.material import enlarged, photo_clip, words

_KILLS = 20
_AT_ONE_RESULT = 2
"""Kills before a result is left to be finished."""
_CANCELS = 10
_CANCEL_BETWEEN_S = (1.0, 8.0)
_CANCEL_LIMIT_S = 1.0
_INTERRUPTED = 130
_OPTIONS = ("--model", "bicubic", "--scale", "3", "--segment", "1")


def measure(seed: int) -> dict[str, Any]:
    """Kill at random moments, from the first instant to the putting together."""
    numbers = np.random.default_rng(seed)
    trials: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = photo_clip(folder / "clip.mp4", width=320, height=180, frames=400)
        started = time.perf_counter()
        enlarged(clip, folder / "whole.mp4", *_OPTIONS)
        whole_s = time.perf_counter() - started
        whole = (folder / "whole.mp4").read_bytes()
        while sum(len(trial["killed_after_s"]) for trial in trials) < _KILLS:
            output = folder / f"out{len(trials)}.mp4"
            trial: dict[str, Any] = {"killed_after_s": [], "segments_then": []}
            for _ in range(_AT_ONE_RESULT):
                moment = float(numbers.uniform(0, 1.1 * whole_s))
                if _killed(clip, output, moment):
                    trial["killed_after_s"].append(round(moment, 3))
                    work = folder / f"{output.name}.upres"
                    trial["segments_then"].append(len(list(work.glob("0*.json"))))
            if not output.exists():
                told = enlarged(clip, output, *_OPTIONS, "--resume")
                trial["frames_resumed"] = told["frames_resumed"]
            trial["same_bytes"] = output.read_bytes() == whole
            trial["left_over"] = (folder / f"{output.name}.upres").exists()
            output.unlink()
            trials.append(trial)
    return {
        "seconds_in_one_go": whole_s,
        "kills": sum(len(trial["killed_after_s"]) for trial in trials),
        "trials": trials,
        "passed": all(trial["same_bytes"] and not trial["left_over"] for trial in trials),
    }


def measure_cancel(seed: int) -> dict[str, Any]:
    """Interrupt the command as a terminal does, and time how long it takes to be gone."""
    numbers = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = photo_clip(folder / "clip.mp4", width=1280, height=720, frames=40)
        for _ in range(_CANCELS):
            moment = float(numbers.uniform(*_CANCEL_BETWEEN_S))
            process = subprocess.Popen(
                words(clip, folder / "out.mp4", "--model", "lite", "--overwrite"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            time.sleep(moment)
            process.send_signal(signal.SIGINT)
            wished = time.perf_counter()
            _, said = process.communicate()
            rows.append(
                {
                    "after_s": round(moment, 3),
                    "ended_in_s": round(time.perf_counter() - wished, 3),
                    "exit_code": process.returncode,
                    "said": said.decode().strip(),
                }
            )
    return {
        "runs": rows,
        "passed": all(
            row["exit_code"] == _INTERRUPTED and row["ended_in_s"] <= _CANCEL_LIMIT_S
            for row in rows
        ),
    }


def _killed(clip: Path, output: Path, moment_s: float) -> bool:
    """Start or continue, and kill after a while; False where it was done before, or is already."""
    if output.exists():
        return False
    process = subprocess.Popen(
        words(clip, output, *_OPTIONS, "--resume"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(moment_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False
