"""Writes one bar's JSON: verdict, raw numbers, and all that is needed to run it again."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from upres.engines.choose import cpu_name
from upres.engines.threads import usable_cpus

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
SEED = 20261122
_LIBRARIES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-contrib-python-headless",
    "openvino",
    "pyvips-binary",
)

Measure = Callable[[int], dict[str, Any]]
"""Runs a bar from a seed; returns its raw numbers and `passed`."""


def prove(name: str, measure: Measure, *, bar: str, folder: Path, command: str) -> bool:
    """Run one bar and write `folder/name.json`; an exception is a failed bar, and is recorded."""
    started = time.perf_counter()
    try:
        numbers = measure(SEED)
    except Exception as error:  # noqa: BLE001 - whatever happens belongs in the record
        numbers = {"passed": False, "error": f"{type(error).__name__}: {error}"}
    record = {
        "bar": bar,
        "passed": bool(numbers.pop("passed")),
        "command": command,
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(
            _git("status", "--porcelain", "--", "src", "tests", "proofs/*.py", "benchmarks")
        ),
        "seed": SEED,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
        "machine": _machine(),
        "numbers": numbers,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False, default=str)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{'pass' if record['passed'] else 'FAIL'}  {name}  {record['seconds']} s", flush=True)
    return bool(record["passed"])


def run_bars(
    bars: Mapping[str, tuple[Measure, str]], *, names: Sequence[str], folder: Path, program: str
) -> int:
    """Run the bars of those names, all without any; return 1 when one failed or none ran."""
    verdicts = [
        prove(name, measure, bar=bar, folder=folder, command=f"python -m {program} {name}")
        for name, (measure, bar) in bars.items()
        if not names or name in names
    ]
    return 0 if verdicts and all(verdicts) else 1


def _machine() -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "usable_cpus": usable_cpus(),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
    }


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.strip()
