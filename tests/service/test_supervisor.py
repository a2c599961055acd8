"""The supervisor: what ends is started anew, what cannot begin ends all, nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUPERVISE = """
import os, sys
from upres.service.supervisor import Supervisor
child, folder = sys.argv[1:]
words = [sys.executable, "-c", child, folder, str(os.getpid())]
sys.exit(Supervisor({"one": words, "two": words}, drain_s=0.5, grace_s=0.5).run())
"""
_STEADY = """
import os, sys, time
from pathlib import Path
from upres.service.supervisor import end_with
end_with(int(sys.argv[2]))
Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(60)
"""
_BROKEN = "import sys; sys.exit(4)"
_DEAF = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(60)
"""


class Supervised:
    """A supervisor in a process of its own, whose children leave their number in a folder."""

    def __init__(self, folder: Path, child: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, "-c", _SUPERVISE, child, str(folder)])

    def pids(self) -> set[int]:
        """Return the numbers of all children that ever began."""
        return {int(path.name) for path in self.folder.iterdir()}

    def wait_for(self, count: int) -> set[int]:
        """Wait until so many have begun."""
        _until(lambda: len(self.pids()) >= count)
        return self.pids()


def _until(condition: Any, *, within_s: float = 20.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Any]:
    """Return what starts a supervisor; what is left of it ends with the test."""
    started: list[Supervised] = []

    def start(child: str) -> Supervised:
        started.append(Supervised(tmp_path, child))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        for pid in one.pids():
            if _alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_what_is_killed_is_started_anew(supervise: Any) -> None:
    """As often as it happens."""
    supervised = supervise(_STEADY)
    first = supervised.wait_for(2)
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    second = supervised.wait_for(4) - first
    os.kill(min(second), signal.SIGKILL)
    supervised.wait_for(5)
    assert supervised.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end(supervise: Any, number: int) -> None:
    """It ends its processes, and itself well."""
    supervised = supervise(_STEADY)
    pids = supervised.wait_for(2)
    supervised.process.send_signal(number)
    assert supervised.process.wait(20) == 0
    assert not any(_alive(pid) for pid in pids)


def test_killed(supervise: Any) -> None:
    """Its processes do not go on without it."""
    supervised = supervise(_STEADY)
    pids = supervised.wait_for(2)
    supervised.process.kill()
    _until(lambda: not any(_alive(pid) for pid in pids))


@pytest.mark.parametrize("code", [1, 70, 75])
def test_a_process_that_breaks_early_ends_nothing_else(supervise: Any, code: int) -> None:
    """A worker that meets a bad job in its first second is no reason to stop answering."""
    supervised = supervise(_STEADY.replace("time.sleep(60)", f"sys.exit({code})"))
    supervised.wait_for(4)
    assert supervised.process.poll() is None


def test_a_process_that_cannot_be_started() -> None:
    """For want of memory, say: it is tried again."""
    script = (
        "import sys, threading, os, signal\n"
        "from upres.service.supervisor import Supervisor\n"
        "threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "sys.exit(Supervisor({'one': ['/nothing/here']}, drain_s=0.1, grace_s=0.1).run())\n"
    )
    run = subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
    assert run.returncode == 0


def test_a_process_that_cannot_begin_ends_all(supervise: Any) -> None:
    """With its exit code: it has said what is wrong."""
    assert supervise(_BROKEN).process.wait(20) == 4


def test_who_does_not_listen_is_killed(supervise: Any) -> None:
    """When the time to finish is over."""
    supervised = supervise(_DEAF)
    pids = supervised.wait_for(2)
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.process.wait(20) == 0
    assert not any(_alive(pid) for pid in pids)
