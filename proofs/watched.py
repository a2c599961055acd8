"""Runs `upres` as a child process under a time limit and tells what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""Not taken from proofs.record: the process in between has to stay small."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run said and what it cost."""

    code: int
    """The exit code; negative for a signal."""
    stdout: str
    stderr: str
    seconds: float
    peak_mb: float
    """Largest resident memory, in 10^6 bytes."""


def run(words: Sequence[str], *, folder: Path, time_limit_s: float) -> Run:
    """Run `upres` with those words in a folder; it is killed at the limit (code -9).

    A small process in between starts it: a child's peak begins with the size of its parent.
    """
    job = json.dumps([list(words), str(folder), time_limit_s])
    done = subprocess.run(
        [sys.executable, "-m", "proofs.watched", job],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return Run(**json.loads(done.stdout))


def _run_here(words: list[str], folder: str, time_limit_s: float) -> Run:
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            [sys.executable, "-m", "upres", *words], cwd=folder, stdout=out, stderr=err
        )
        alarm = threading.Timer(time_limit_s, child.kill)
        alarm.start()
        _, status, usage = os.wait4(child.pid, 0)
        alarm.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return Run(
        code=child.returncode,
        stdout=texts[0],
        stderr=texts[1],
        seconds=round(seconds, 2),
        peak_mb=round(usage.ru_maxrss * 1024 / 1e6, 1),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(_run_here(*json.loads(sys.argv[1])))))
