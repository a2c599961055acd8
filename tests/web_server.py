"""The real server in processes of its own, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx
import pytest
from picture_files import saved, scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE_S = 60.0
Found = TypeVar("Found")


class Web:
    """`upres web` on a free port."""

    command = "web"

    def __init__(
        self, folder: Path, variables: Mapping[str, str] | None = None, /, **settings: str
    ) -> None:
        given = {
            "DATA_FOLDER": str(folder / "data"),
            "LOG_FORMAT": "json",
            "FREE_FLOOR_BYTES": "0",
            "UPLOAD_BYTES": "1000000",
            "LISTEN_PORT": "0",
        }
        environment = {f"UPRES_SERVICE_{name}": value for name, value in (given | settings).items()}
        self.log = folder / f"log-{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "upres", self.command],
                env=os.environ | environment | dict(variables or {}),
                stderr=log,
            )

    def url(self) -> str:
        """Wait until it listens, and return where."""
        return str(eventually(lambda: self._told("listening"))["url"])

    def _told(self, event: str) -> dict[str, object] | None:
        assert self.process.poll() is None, self.log.read_text()
        for line in self.log.read_text().splitlines():
            if line.endswith("}") and (told := json.loads(line))["event"] == event:
                return dict(told)
        return None

    def ready(self) -> str:
        """Wait until it answers, and return where it listens."""
        url = self.url().replace("//0.0.0.0:", "//127.0.0.1:")
        httpx.get(f"{url}/livez", timeout=PATIENCE_S, headers={"Host": "localhost"})
        return url

    def workers(self) -> list[int]:
        """Return the processes that answer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in children.read_text().split()]


def eventually(look: Callable[[], Found | None]) -> Found:
    """Return what `look` finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    pytest.fail("that took too long")


@contextmanager
def web(folder: Path, **settings: str) -> Iterator[Web]:
    """Run `upres web` in a block."""
    started = Web(folder, **settings)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def photo(side: int = 16) -> bytes:
    """Return a PNG."""
    return saved(scene(side, side), "png")
