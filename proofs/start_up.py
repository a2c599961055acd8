"""How long `import upres` and `upres --help` take, as whole processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

_RUNS = 9
_LIMITS_S = {"import": 0.25, "help": 0.4}


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Take the median of nine runs each, after one that warms the disk cache."""
    commands = {
        "import": [sys.executable, "-c", "import upres"],
        "help": [sys.executable, "-m", "upres", "--help"],
    }
    seconds = {name: _timed(command) for name, command in commands.items()}
    medians = {name: statistics.median(runs) for name, runs in seconds.items()}
    return {
        "seconds": seconds,
        "medians": medians,
        "limits": _LIMITS_S,
        "passed": all(medians[name] < limit for name, limit in _LIMITS_S.items()),
    }


def _timed(command: list[str]) -> list[float]:
    runs = []
    for _ in range(_RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        runs.append(round(time.perf_counter() - started, 4))
    return runs[1:]
