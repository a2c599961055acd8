"""A model made anew: a fresh clone, an empty environment, ten minutes of training."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from proofs.record import ROOT, SHARED

AT_LEAST_DB = 32.6
_MINUTES = 10
_KEPT = ("PIP_", "SSL_")


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the configuration holds the seed
    """Run `make train MODEL=fast-x3 MINUTES=10`; read the score off the card that it writes."""
    words = ["make", "train", "MODEL=fast-x3", f"MINUTES={_MINUTES}", f"DATA={SHARED / 'train'}"]
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name) / "upres"
        subprocess.run(
            ["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, capture_output=True
        )
        (Path(name) / "shared").symlink_to(SHARED)  # where the benchmark sets are looked for
        kept = {key: value for key, value in os.environ.items() if key.startswith(_KEPT)}
        environment = {"PATH": os.environ["PATH"], "HOME": name, "LANG": "C.UTF-8", **kept}
        started = time.perf_counter()
        run = subprocess.run(
            words, cwd=clone, capture_output=True, text=True, check=False, env=environment
        )
        card = clone / "training" / "out" / "timed" / "fast_x3.card.md"
        text = card.read_text("utf-8") if card.exists() else ""
    found = re.search(r"Set5\s+([0-9.]+)\s+dB", text)
    reached = float(found[1]) if found else None
    return {
        "command": " ".join(words[:4]),
        "exit": run.returncode,
        "seconds": round(time.perf_counter() - started, 1),
        "set5_db": reached,
        "at_least_db": AT_LEAST_DB,
        "card": text.splitlines(),
        "last_lines": [] if found else (run.stdout + run.stderr).splitlines()[-12:],
        "passed": run.returncode == 0 and reached is not None and reached >= AT_LEAST_DB,
    }
