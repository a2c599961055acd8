"""A whole service in a folder of its own: started as a user would, asked over HTTP, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

READY_S = 60.0


class RunningService:
    """`upres serve` with its processes; a context in which it runs."""

    def __init__(self, folder: Path, *, words: tuple[str, ...] = (), **settings: Any) -> None:
        """Take settings of the service by their names, in small letters."""
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.log = folder / "log"
        self._words = words
        given = {
            "data_folder": folder / "data",
            "free_floor_bytes": 0,
            "listen_port": self.port,
            "log_format": "json",
            "requests_per_minute": 1_000_000,
            "output_megapixels_per_minute": 1_000_000,
        }
        self._environment = dict(os.environ) | {
            f"UPRES_SERVICE_{name.upper()}": str(value)
            for name, value in (given | settings).items()
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, not waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "upres", "serve", *self._words],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, *, within_s: float = READY_S) -> float:
        """Wait until it says that it is ready; return the seconds that took."""
        started = time.monotonic()
        while time.monotonic() - started < within_s:
            if self.process is not None and self.process.poll() is not None:
                break
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:  # noqa: PLR2004
                    return time.monotonic() - started
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the service is not ready: {tail}")

    def stop(self) -> int:
        """Ask it to end and wait; return the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def kill(self) -> None:
        """Kill the supervisor alone, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def processes(self, word: str) -> list[int]:
        """Return the processes of this service whose command line has a word: web, worker."""
        if self.process is None:
            return []
        return [
            pid
            for pid in descendants(self.process.pid)
            if word in command_line(pid) and "upres" in command_line(pid)
        ]

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def command_line(pid: int) -> list[str]:
    """Return a process's words; none for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


def resident_mb(pid: int) -> float:
    """Return the memory that a process has, in 10^6 bytes; 0 for one that is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
