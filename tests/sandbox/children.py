"""What children do in tests instead of decoding: they look around, or they attack."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.sandbox import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from upres.sandbox.child import Job

HEADER: dict[str, Any] = {
    "format": "png",
    "width": 10,
    "height": 20,
    "gray": False,
    "alpha": False,
    "bits": 8,
    "frames": 1,
    "delays_ms": None,
    "loop": None,
    "pixels_per_mm": None,
    "profile_bytes": 0,
    "fields": [],
    "warnings": [],
}
ROW_BYTES = 30
NOISE = np.random.default_rng(0).bytes(2**20)


def attack(job: Job) -> None:
    """Do what the picture's file names, a function of this module."""
    name = os.pread(job.input, 100, 0).decode()
    globals()[name](job.output)


def header(output: int, **changes: Any) -> None:
    wire.send_json(output, wire.HEADER, HEADER | changes)


def bands(output: int, rows: int) -> None:
    wire.send(output, wire.BAND, bytes(rows * ROW_BYTES))


def honest(output: int) -> None:
    header(output)
    bands(output, 15)
    bands(output, 5)
    wire.send_json(output, wire.END, {"warnings": ["odd"]})


def nothing(_output: int) -> None:
    pass


def noise(output: int) -> None:
    while True:
        os.write(output, NOISE)


def zeros(output: int) -> None:
    while True:
        os.write(output, bytes(2**20))


def pickled(output: int) -> None:
    wire.send(output, wire.HEADER, b"\x80\x04cos\nsystem\n(S'true'\ntR.")


def deep_json(output: int) -> None:
    wire.send(output, wire.HEADER, b"[" * 60_000)


def long_header(output: int) -> None:
    os.write(output, wire.FRAME.pack(wire.HEADER, 2**32 - 1))
    zeros(output)


def vast_header(output: int) -> None:
    header(output, width=2**31 - 1, height=2**31 - 1)


def not_a_number(output: int) -> None:
    body = json.dumps(HEADER | {"pixels_per_mm": [float("nan"), 1.0]}).encode()
    wire.send(output, wire.HEADER, body)


def false_profile(output: int) -> None:
    header(output, profile_bytes=200)
    wire.send(output, wire.ATTACHMENTS, bytes(200))


def short_attachments(output: int) -> None:
    header(output, profile_bytes=200)
    wire.send(output, wire.ATTACHMENTS, bytes(20))


def unasked_fields(output: int) -> None:
    header(output, fields=[["exif-data", "bytes", 4]])
    wire.send(output, wire.ATTACHMENTS, bytes(4))


def headers_for_ever(output: int) -> None:
    while True:
        header(output)


def no_rows(output: int) -> None:
    header(output)
    while True:
        wire.send(output, wire.BAND, b"")


def half_rows(output: int) -> None:
    header(output)
    wire.send(output, wire.BAND, bytes(ROW_BYTES + 1))


def too_many_rows(output: int) -> None:
    header(output)
    bands(output, 15)
    bands(output, 6)


def rows_for_ever(output: int) -> None:
    header(output)
    while True:
        bands(output, 20)


def too_few_rows(output: int) -> None:
    header(output)
    bands(output, 15)
    wire.send_json(output, wire.END, {"warnings": []})


def endless_warnings(output: int) -> None:
    header(output)
    bands(output, 20)
    wire.send_json(output, wire.END, {"warnings": ["w"] * 1000})


def unknown_error(output: int) -> None:
    wire.send_json(output, wire.FAILURE, {"code": "disk-full", "reason": "x"})


def error_with_escapes(output: int) -> None:
    wire.send_json(output, wire.FAILURE, {"code": "bad-picture", "reason": "a\x1b[2J\r\nb"})


def dies_in_the_middle(output: int) -> None:
    header(output)
    os.write(output, wire.FRAME.pack(wire.BAND, 20 * ROW_BYTES) + bytes(100))
    ctypes.string_at(0)


def aborts(_output: int) -> None:
    os.abort()


def exits_early(output: int) -> None:
    header(output)
    os._exit(3)


def hangs(output: int) -> None:
    header(output)
    time.sleep(1000)


def drips(output: int) -> None:
    header(output)
    for byte in wire.FRAME.pack(wire.BAND, 20 * ROW_BYTES) + bytes(10_000):
        os.write(output, bytes([byte]))
        time.sleep(0.2)


def spins(output: int) -> None:
    header(output)
    while True:
        pass


def spins_deaf(output: int) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    spins(output)


def eats_memory(output: int) -> None:
    kept = []
    try:
        while True:
            kept.append(np.ones(2**24, np.uint8))
    except MemoryError:
        kept.clear()
        wire.send_json(output, wire.FAILURE, {"code": "out-of-memory", "reason": ""})


def look_around(job: Job) -> None:
    """Try everything that a decoder never does; tell in the place of a warning how each ended."""
    ended = {name: _tried(attempt) for name, attempt in _ATTEMPTS.items()}
    ended["environment"] = " ".join(sorted(os.environ))
    ended["write input"] = _tried(lambda: os.write(job.input, b"x"))
    text = json.dumps(ended)
    header(job.output, warnings=[text[at : at + 400] for at in range(0, len(text), 400)])


def _tried(attempt: Callable[[], object]) -> str:
    try:
        done = attempt()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    return f"done: {done}"


def _called(name: str, *values: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*values) < 0:
        raise OSError(ctypes.get_errno(), "")
    return 0


def _one_thread() -> str:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return "and over"


_ATTEMPTS: dict[str, Callable[[], object]] = {
    "internet socket": lambda: socket.socket(socket.AF_INET),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "socket pair": socket.socketpair,
    "read a file": lambda: Path("/etc/passwd").read_bytes(),
    "read own executable": lambda: Path(sys.executable).read_bytes(),
    "write a file": lambda: Path("/tmp/upres-sandbox-was-here").write_bytes(b"x"),  # noqa: S108
    "list a folder": lambda: os.listdir("/"),  # noqa: PTH208
    "delete a file": lambda: Path("/tmp/upres-sandbox-not-there").unlink(),  # noqa: S108
    "memory file": lambda: os.memfd_create("x"),
    "pipe": os.pipe,
    "fork": os.fork,
    "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
    "start a process": lambda: subprocess.run(["/bin/true"], check=True),
    "kill the template": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "trace the template": lambda: _called("ptrace", 16, os.getppid(), 0, 0),
    "raise a limit": lambda: resource.setrlimit(7, (100, 100)),
    "become root": lambda: os.setuid(0),
    "new namespace": lambda: _called("unshare", 0x10000000),
    "memory to run": lambda: mmap.mmap(-1, 4096, prot=7),
    "thread": _one_thread,
}
