"""Runs a store of blobs on disk in a process of its own, to be killed, or without rights.

`disk_child.py put FOLDER` puts the same three contents fifty times; `write FOLDER` writes blobs
until it is killed and prints the key of each; `hold FOLDER` keeps one unfinished;
`unprivileged FOLDER` tells what an ordinary user gets.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from upres.errors import UpresError
from upres.storage.disk import DiskBlobs

NOBODY = 65534
SHARED = tuple(bytes([value]) * 200_000 for value in range(3))


def start(action: str, folder: Path) -> subprocess.Popen[str]:
    """Start a child."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, __file__, action, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        cwd="/",
    )


def _put(blobs: DiskBlobs) -> None:
    for turn in range(50):
        data = SHARED[turn % len(SHARED)]
        blobs.put(data[start : start + 9_999] for start in range(0, len(data), 9_999))


def _write(blobs: DiskBlobs) -> None:
    while True:
        with blobs.writer() as file:
            for _ in range(random.randrange(1, 40)):
                file.write(random.randbytes(100_000))
                file.flush()
        print(file.blob.key, flush=True)  # noqa: T201


def _hold(blobs: DiskBlobs) -> None:
    with blobs.writer() as file:
        file.write(b"begun")
        file.flush()
        print("held", flush=True)  # noqa: T201
        signal.pause()


def _unprivileged(blobs: DiskBlobs) -> None:
    with tempfile.TemporaryDirectory() as name:  # imports what lies where nobody may not read
        own = DiskBlobs(Path(name))
        own.touch(own.put([b"own"]).key)
        own.sweep(keep=())
        own.check()
    (key,) = (path.name for path in blobs.folder.glob("objects/*/*/*"))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    actions: dict[str, Callable[[], object]] = {
        "check": blobs.check,
        "put": lambda: blobs.put([b"new"]),
        "open": lambda: blobs.open(key),
        "size": lambda: blobs.size(key),
        "touch": lambda: blobs.touch(key),
        "delete": lambda: blobs.delete(key),
        "sweep": lambda: blobs.sweep(keep=(), max_age_s=0, fresh_s=0),
    }
    for action, act in actions.items():
        try:
            print(action, act())  # noqa: T201
        except UpresError as error:
            print(action, type(error).__name__, error)  # noqa: T201


if __name__ == "__main__":
    ACTIONS = {"put": _put, "write": _write, "hold": _hold, "unprivileged": _unprivileged}
    ACTIONS[sys.argv[1]](DiskBlobs(Path(sys.argv[2])))
