"""Runs the model store in a process of its own, so that tests can kill it or take its rights away.

Its one argument is JSON; it prints one line of JSON: the path that the store gave, or its error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_server import model_spec

from upres.errors import UpresError
from upres.models.spec import ModelFile
from upres.models.store import ModelStore, StoreSettings

if TYPE_CHECKING:
    from upres.models.spec import ModelSpec

NOBODY = 65534


def start(
    spec: ModelSpec, *, folder: Path, mirror: str, action: str = "pull", unprivileged: bool = False
) -> subprocess.Popen[str]:
    """Start a child that pulls or finds `spec`."""
    job = {
        "name": spec.file.name,
        "bytes": spec.file.bytes,
        "sha256": spec.file.sha256,
        "converted": spec.converted,
        "folder": str(folder),
        "mirror": mirror,
        "action": action,
        "unprivileged": unprivileged,
    }
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, __file__, json.dumps(job)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def outcome(child: subprocess.Popen[str], *, timeout_s: float = 60) -> dict[str, str]:
    """Wait for a child and return what it printed."""
    printed, complaints = child.communicate(timeout=timeout_s)
    if child.returncode != 0:
        raise RuntimeError(f"the child ended with {child.returncode}: {complaints}")
    result: dict[str, str] = json.loads(printed)
    return result


def _drop_rights() -> None:
    # Everything that is imported late lies where nobody may be unable to read.
    import filelock  # noqa: F401
    import httpx  # noqa: F401

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _fake_convert(graph: bytes, /, *, spec: ModelSpec) -> bytes:
    return b"onnx of " + spec.id.encode() + graph[:64]


def _run(job: dict[str, Any]) -> dict[str, str]:
    file = ModelFile(name=job["name"], bytes=job["bytes"], sha256=job["sha256"])
    spec = model_spec(file, converted=job["converted"])
    settings = StoreSettings(folder=Path(job["folder"]), mirror=job["mirror"])
    store = ModelStore(settings, convert=_fake_convert)
    if job["unprivileged"]:
        _drop_rights()
    try:
        path = store.pull(spec) if job["action"] == "pull" else store.find(spec)
    except UpresError as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"path": str(path)}


if __name__ == "__main__":
    print(json.dumps(_run(json.loads(sys.argv[1]))))  # noqa: T201
