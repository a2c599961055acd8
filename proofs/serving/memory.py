"""Memory of the service's processes over a thousand jobs of mixed sizes."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.serving.running import RunningService, resident_mb

_JOBS = 1000
_EVERY = 25
_WARM_JOBS = 300
"""Before the thousand: networks, tile shapes and caches come to their size."""
_SLOPE_MB = 1.0
"""In 100 jobs."""


def _picture(numbers: np.random.Generator) -> bytes:
    height, width = numbers.integers(20, 420, 2)
    samples = numbers.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    kind = ("png", "jpeg", "webp")[int(numbers.integers(3))]
    buffer = io.BytesIO()
    Image.fromarray(samples).resize((int(width), int(height))).save(buffer, kind)
    return buffer.getvalue()


def measure(seed: int) -> dict[str, Any]:
    """Have pictures enlarged one after the other, and fit a line to the last thousand's memory."""
    numbers = np.random.default_rng(seed)
    rows: dict[str, list[float]] = {"web": [], "worker": []}
    with tempfile.TemporaryDirectory() as name, RunningService(Path(name), workers=1) as service:
        http = httpx.Client(base_url=service.url, timeout=300)
        for number in range(_WARM_JOBS + _JOBS):
            answer = http.post(
                "/api/v1/enlarge",
                params={"model": "lite", "scale": f"{numbers.uniform(1.5, 3):.2f}"},
                content=_picture(numbers),
                headers={"Prefer": "wait=200"},
            )
            answer.raise_for_status()
            if number % _EVERY == _EVERY - 1:
                for kind, row in rows.items():
                    row.append(sum(map(resident_mb, service.processes(kind))))
    slopes = {kind: _slope(values) for kind, values in rows.items()}
    return {
        "jobs": _JOBS,
        "resident_mb": {kind: [round(value, 1) for value in row] for kind, row in rows.items()},
        "slope_mb_per_100_jobs": slopes,
        "warm_up_jobs": _WARM_JOBS,
        "limit_mb": _SLOPE_MB,
        "passed": all(slope < _SLOPE_MB for slope in slopes.values()),
    }


def _slope(values: list[float]) -> float:
    """Fit a line to what was measured after the warm-up; return its rise over 100 jobs."""
    kept = values[_WARM_JOBS // _EVERY :]
    jobs = np.arange(len(kept)) * _EVERY
    return round(float(np.polyfit(jobs, kept, 1)[0]) * 100, 3)
