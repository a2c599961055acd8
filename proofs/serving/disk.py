"""A data folder on a file system of 64 MB that fills up: refusals, room, and all is done."""

from __future__ import annotations

import io
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.serving.running import RunningService

_SIZE, _LARGER = "64m", "512m"
_SETTLE_S = 10.0
_UPLOADS = 60
_SIDE_PX = 800
_FULL = httpx.codes.SERVICE_UNAVAILABLE


def _picture(number: int, side_px: int) -> bytes:
    samples = np.random.default_rng(number).integers(0, 256, (side_px, side_px, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def measure(seed: int) -> dict[str, Any]:
    """Fill the disk with uploads and results, look at every answer, make room, go on."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={_SIZE}", "upres-proof", str(data)]
        subprocess.run(["mount", *options], check=True)
        try:
            return _filled(Path(name), data, seed)
        finally:
            subprocess.run(["umount", "-l", str(data)], check=True)


def _filled(folder: Path, data: Path, seed: int) -> dict[str, Any]:
    with RunningService(folder, workers=1) as service:
        http = httpx.Client(base_url=service.url, timeout=120)
        answers: Counter[str] = Counter()
        ids = []
        unclear = []
        for number in range(_UPLOADS):
            answer = _sent(http, _picture(seed + number, _SIDE_PX))
            answers[f"{answer.status_code} {_code(answer)}"] += 1
            if answer.status_code == httpx.codes.ACCEPTED:
                ids.append(answer.json()["id"])
            elif answer.status_code != _FULL or "retry-after" not in answer.headers:
                unclear.append(answer.text[:300])
        time.sleep(_SETTLE_S)
        states = Counter(_state(http, job_id) for job_id in ids)
        filler = data / "filler"
        _fill(filler)
        # not a byte is left: neither for the database
        full = _sent(http, _picture(seed + 500, 64))
        time.sleep(3)  # readiness is remembered for two
        unready = http.get("/readyz").status_code
        known = http.get(f"/api/v1/jobs/{ids[0]}").status_code
        filler.unlink()
        subprocess.run(["mount", "-o", f"remount,size={_LARGER}", str(data)], check=True)
        recovered_s = service.wait_ready()
        again = _sent(http, _picture(seed + 1000, 64))
        later = [*ids, *([again.json()["id"]] if again.is_success else [])]
        ends = Counter(_ended(http, job_id) for job_id in later)
        parts_left = [path.name for path in (data / "blobs" / "parts").glob("*")]
        code = service.stop()
    return {
        "file_system": f"tmpfs of {_SIZE}, then of {_LARGER}",
        "uploads": _UPLOADS,
        "answers": dict(answers),
        "unclear_answers": unclear,
        "accepted_while_full": dict(states),
        "upload_without_a_byte_left": f"{full.status_code} {_code(full)}",
        "readyz_without_a_byte_left": unready,
        "known_job_without_a_byte_left": known,
        "ready_after_s": round(recovered_s, 1),
        "accepted_with_room": dict(ends),
        "half_written_files": parts_left,
        "exit_code": code,
        "passed": not unclear
        and sum(count for what, count in answers.items() if what.startswith("503")) > 0
        and set(states) <= {"done", "queued", "running"}
        and unready == _FULL
        and full.status_code == _FULL
        and known == httpx.codes.OK
        and again.is_success
        and set(ends) == {"done"}
        and not parts_left
        and code == 0,
    }


def _state(http: httpx.Client, job_id: str) -> str:
    return str(http.get(f"/api/v1/jobs/{job_id}").json()["state"])


def _fill(path: Path) -> None:
    """Write a file until there is no room left."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _sent(http: httpx.Client, picture: bytes) -> httpx.Response:
    return http.post(
        "/api/v1/jobs",
        params={"model": "bicubic", "scale": "1.5"},
        content=picture,
        headers={"Content-Type": "image/png"},
    )


def _code(answer: httpx.Response) -> str:
    return "" if answer.is_success else str(answer.json().get("code"))


def _ended(http: httpx.Client, job_id: str) -> str:
    deadline = time.monotonic() + 300
    while (state := _state(http, job_id)) in ("queued", "running"):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return state
