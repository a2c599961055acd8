"""README's demonstration and its tests in a fresh clone with an empty home."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from proofs.record import ROOT

_TEST_LIMIT_S = 600


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Clone the committed state and run what README says, each within its time."""
    readme = (ROOT / "README.md").read_text("utf-8")
    words = [word for word in ("make demo", "make test") if word in readme]
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # tests about permissions run as another user
        clone = Path(name) / "upres"
        subprocess.run(
            ["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, capture_output=True
        )
        runs = [_run(command, clone, home=Path(name)) for command in words]
        shown = sorted(path.name for path in (clone / "demo-out").glob("*.png"))
    tests_in_time = len(runs) == 2 and runs[1]["seconds"] < _TEST_LIMIT_S  # noqa: PLR2004
    return {
        "commands": words,
        "runs": runs,
        "demo_wrote": shown,
        "passed": words == ["make demo", "make test"]
        and all(run["exit"] == 0 for run in runs)
        and {"cat_edsr.png", "cat_lite.png", "side_by_side.png"} <= set(shown)
        and tests_in_time,
    }


def _run(command: str, folder: Path, *, home: Path) -> dict[str, Any]:
    started = time.perf_counter()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    run = subprocess.run(
        command.split(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **kept},
    )
    return {
        "command": command,
        "exit": run.returncode,
        "seconds": round(time.perf_counter() - started, 1),
        "last_lines": (run.stdout + run.stderr).replace(str(home), "~").splitlines()[-12:],
    }
