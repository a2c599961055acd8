"""README's first command in a fresh clone with an empty home, and a picture sent to it."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.record import ROOT

URL = "http://127.0.0.1:8080"
_CURL = ["curl", "--silent", "--show-error", "--fail"]
_START_LIMIT_S = 600
_SIDES_PX = (120, 80)


@dataclass
class FreshClone:
    """The committed state in a folder of its own, served by README's first command."""

    home: Path
    command: str
    ready_s: float
    served: subprocess.Popen[bytes]

    @property
    def folder(self) -> Path:
        """Where the clone lies."""
        return self.home / "upres"

    def last_lines(self) -> list[str]:
        """Return the end of what the command printed."""
        text = (self.home / "log").read_text(errors="replace")
        return text.replace(str(self.home), "~").splitlines()[-8:]


@contextmanager
def fresh_clone() -> Iterator[FreshClone]:
    """Clone, run README's first command, wait until it is ready; end it with Ctrl-C."""
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.findall(r"^    (make \w+)$", readme, flags=re.MULTILINE)[0]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        clone = home / "upres"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        with (home / "log").open("wb") as log:
            served = subprocess.Popen(
                first.split(), cwd=clone, env=environment(home), stdout=log, stderr=log
            )
            try:
                ready_s = wait_ready(served, URL, within_s=_START_LIMIT_S)
                yield FreshClone(home, first, ready_s, served)
            finally:
                _interrupt(served)


def measure(seed: int) -> dict[str, Any]:
    """Clone the committed state, run `make serve`, upload as README says, end it with Ctrl-C."""
    started = time.monotonic()
    with fresh_clone() as fresh:
        home = fresh.home
        photo, out = home / "photo.jpg", home / "out.jpg"
        _write_photo(photo, seed)
        began = time.monotonic()
        curl = [*_CURL, "-F", f"image=@{photo}", f"{URL}/upload", "-o", str(out)]
        curl_code = subprocess.run(curl, check=False).returncode
        curl_s = time.monotonic() - began
        page = httpx.get(URL, headers={"Accept": "text/html"})
        expected = home / "expected.jpg"
        command = [str(fresh.folder / ".venv/bin/upres"), "enlarge", str(photo)]
        words = ["-o", str(expected), "--strip-metadata"]
        subprocess.run([*command, *words], check=True, env=environment(home))
        result = Image.open(out)
        same = _sha(out) == _sha(expected)
        form = "<form" in page.text and 'name="image"' in page.text
        tail = fresh.last_lines()
    return {
        "command": fresh.command,
        "ready_after_s": round(fresh.ready_s, 1),
        "upload": "curl -F image=@photo.jpg localhost:8080/upload -o out.jpg",
        "curl_exit": curl_code,
        "curl_s": round(curl_s, 2),
        "result": {"format": result.format, "size": result.size},
        "same_bytes_as_the_command": same,
        "page_with_form": form,
        "exit": fresh.served.returncode,
        "seconds": round(time.monotonic() - started, 1),
        "last_lines": tail,
        "passed": fresh.command == "make serve"
        and curl_code == 0
        and result.format == "JPEG"
        and result.size == tuple(3 * side for side in _SIDES_PX)
        and same
        and form,
    }


def _write_photo(path: Path, seed: int) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (10, 15, 3), np.uint8)
    Image.fromarray(small).resize(_SIDES_PX, Image.Resampling.BICUBIC).save(path, quality=92)


def environment(home: Path) -> dict[str, str]:
    """Return what little the commands have of this machine's environment."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **kept}


def wait_ready(process: subprocess.Popen[bytes], url: str, *, within_s: float) -> float:
    """Wait until a service says that it is ready; return the seconds that took."""
    started = time.monotonic()
    while time.monotonic() - started < within_s and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", timeout=5).status_code == httpx.codes.OK:
                return time.monotonic() - started
        time.sleep(0.2)
    raise RuntimeError(f"it is not ready after {time.monotonic() - started:.0f} s")


def _interrupt(served: subprocess.Popen[bytes]) -> None:
    served.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        served.wait(60)
    if served.poll() is None:
        served.kill()
        served.wait()


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
