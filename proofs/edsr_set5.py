"""EDSR x3 on the standard Set5 through the command, with every engine in fp32."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from proofs.quality import psnr_y, read_rgb
from proofs.record import SHARED
from upres.engines import ENGINE_NAMES

_EXPECTED_DB = 31.6
_SPREAD_DB = 0.01
_SCALE = 3


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Enlarge the five LR pictures with each engine; score them by the standard protocol."""
    small = sorted((SHARED / "bench/Set5/LR_bicubic/X3").glob("*.png"))
    scores = {engine: _scores(engine, small) for engine in ENGINE_NAMES}
    means = {engine: float(np.mean(list(each.values()))) for engine, each in scores.items()}
    spread = max(means.values()) - min(means.values())
    lowest = min(means.values())
    return {
        "psnr_y_db": scores,
        "mean_db": means,
        "spread_db": spread,
        "passed": len(small) == 5 and lowest >= _EXPECTED_DB and spread <= _SPREAD_DB,  # noqa: PLR2004
    }


def _scores(engine: str, small: list[Path]) -> dict[str, float]:
    options = ["--model", "edsr", "--scale", str(_SCALE), "--engine", engine, "--precision", "fp32"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "upres", "enlarge", *map(str, small), *options]
        subprocess.run([*command, "-o", folder], check=True, capture_output=True)
        return {
            path.stem: psnr_y(
                read_rgb(Path(folder) / f"{path.stem}_x3.png"),
                read_rgb(SHARED / "bench/Set5/HR" / f"{path.stem.removesuffix('x3')}.png"),
                border_px=_SCALE,
            )
            for path in small
        }
