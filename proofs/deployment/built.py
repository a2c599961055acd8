"""The image's steps from a clean clone; what comes of them starts, and on no wrong model."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.deployment.image import Root, instructions, shell
from proofs.deployment.stack import DEPLOY, free_port
from proofs.record import ROOT
from proofs.serving.fresh import wait_ready

_START_S = 240.0
_MODEL = "EDSR_x3.pb"
_KEPT = f"usr/share/upres/models/{_MODEL}"


def measure(seed: int) -> dict[str, Any]:
    """Build in a clean clone, run, then damage the model: in the volume, and in the image too."""
    if os.geteuid() != 0:
        raise RuntimeError("layers and roots of their own need root")
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        clone = folder / "clone"
        shell("git", "clone", "--quiet", ROOT, clone)
        stages: dict[str, Root] = {}
        ran = 0
        began = time.monotonic()
        for number, stage in enumerate(instructions(clone / "deploy" / "Dockerfile")):
            (folder / str(number)).mkdir()
            root = Root(folder / str(number), undo)
            name = re.fullmatch(r".* AS (\w+)", stage[0][1])
            ran += root.build(stage, context=clone, stages=stages)
            stages[name[1] if name else "last"] = root
        built_s = time.monotonic() - began
        image = stages["last"]
        volume = folder / "volume"
        volume.mkdir()
        image.freeze(volume, "/var/lib/upres")
        first = _served(image, folder / "log", seed)
        model = volume / "models" / _MODEL
        _damage(model)
        mended = _served(image, folder / "log", seed + 1)
        _damage(model)
        wrong = folder / _MODEL
        shutil.copy(image.path / _KEPT, wrong)
        _damage(wrong)
        image.mounted(wrong, image.path / _KEPT, "--bind")
        refused = image.started({}, log=folder / "log", network=False).wait(_START_S)
        said = (folder / "log").read_text(errors="replace")[-600:]
    return {
        "dockerfile": str((DEPLOY / "Dockerfile").relative_to(ROOT)),
        "stand_in_for_the_base_image": "this machine's Debian",
        "commands_run": ran,
        "built_s": round(built_s, 1),
        "started": first,
        "with_the_volumes_model_damaged": mended,
        "with_both_damaged_and_no_network": {"exit": refused, "said": said},
        "passed": first["right"] and mended["right"] and refused not in (0, None),
    }


def _damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))


def _served(image: Root, log: Path, seed: int) -> dict[str, Any]:
    """Start the image, send a picture to /upload, end it; say what came of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = image.started({"UPRES_SERVICE_LISTEN_PORT": str(port)}, log=log, network=True)
    try:
        ready_s = wait_ready(process, url, within_s=_START_S)
        told = httpx.post(f"{url}/upload", files={"image": ("p.png", _picture(seed))}, timeout=120)
        limits = httpx.get(f"{url}/api/v1/limits").json()
        uid = Path(f"/proc/{process.pid}").stat().st_uid
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        if process.poll() is None:
            process.kill()
    size = Image.open(io.BytesIO(told.content)).size if told.status_code == httpx.codes.OK else None
    said = log.read_text(errors="replace")
    verified = [line for line in said.splitlines() if line.startswith("edsr x3  ok")]
    return {
        "ready_after_s": round(ready_s, 1),
        "user": uid,
        "verified": verified,
        "upload_model": limits.get("upload_model"),
        "upload": {"status": told.status_code, "size": size},
        "right": size == (96, 72) and uid == int(image.user.split(":")[0]) and bool(verified),
    }


def _picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()
