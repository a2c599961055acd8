"""Keeps the service's processes running: one that answers requests, and the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from upres.sandbox.kernel import PR_SET_PDEATHSIG, control
from upres.service.log import logger

_LOOK_S = 0.05
_YOUNG_S = 3.0
"""A process that lived longer than this is started anew at once."""
_NO_USE = (2, 4)
"""Exit codes of wrong settings and of things that are not there: it would be the same again."""
_BACKOFF_S = (0.1, 5.0)
NICENESS = 10
"""Of workers: requests are answered before pictures are enlarged."""
GRACE_S = 10.0
"""What processes have beyond their time to finish before they are killed."""


@dataclass
class _Child:
    """One process that is to run, and how it has been doing."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    niceness: int = 0
    """Given before it begins: what starts must not take the CPU from what works."""
    starts: int = 0
    wait_s: float = field(default=_BACKOFF_S[0])
    again_at: float = 0.0

    def start(self) -> None:
        """Start the process."""
        self.started = time.monotonic()
        self.starts += 1
        # A group of its own: Ctrl-C reaches the supervisor, which asks each to end. But no session
        # of its own: Linux may share CPUs among sessions whatever their processes' niceness.
        self.process = subprocess.Popen(self.arguments, process_group=0)  # noqa: S603
        if self.niceness:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, self.niceness)

    def ended(self) -> int | None:
        """Return the exit code of a process that has ended since it was last asked."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is not None:
            self.process = None
        elif time.monotonic() - self.started > _YOUNG_S:
            self.wait_s = _BACKOFF_S[0]
        return code

    def start_later(self) -> None:
        """Start the process anew after a while, longer each time it dies young."""
        self.again_at = time.monotonic() + self.wait_s
        if time.monotonic() - self.started < _YOUNG_S:
            self.wait_s = min(2 * self.wait_s, _BACKOFF_S[1])


def end_with(supervisor: int) -> None:
    """Let this process be told to end (SIGTERM) when its supervisor is gone, however it went."""
    if sys.platform == "linux":
        control(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it went before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def service_commands(*, web: Sequence[str], workers: int) -> dict[str, list[str]]:
    """Return the command line of every process of a service, by the process's name.

    `web` are more options of the process that answers requests. The CPUs are divided among as many
    workers.
    """
    upres = [sys.executable, "-m", "upres"]
    mine = ["--supervised", str(os.getpid())]
    commands = {"web": [*upres, "web", *mine, *web]}
    for number in range(1, workers + 1):
        commands[f"worker {number}"] = [*upres, "worker", *mine, "--of", str(workers)]
    return commands


class Supervisor:
    """Starts the processes, starts them anew when they end, ends them when told to."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        drain_s: float,
        grace_s: float = GRACE_S,
        niceness: Mapping[str, int] | None = None,
    ) -> None:
        """Take command lines by name, and the time that processes have to finish at the end.

        `niceness` is above 0 for processes, by name, that others go before.
        """
        nice = niceness or {}
        self._children = [
            _Child(name, list(command), niceness=nice.get(name, 0))
            for name, command in commands.items()
        ]
        self._patience_s = drain_s + grace_s
        self._ending = False

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return the exit code.

        A process whose first start fails because its settings, its port or its folder are wrong
        ends all; it has said how.
        """

        def end(_number: int, _frame: object) -> None:
            self._ending = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        code = 0
        try:
            while not self._ending and not code:
                code = self._look()
                time.sleep(_LOOK_S)
        finally:
            self._end_all()
        return code

    def _look(self) -> int:
        """Start what has ended anew; return the exit code where that is of no use."""
        for child in self._children:
            code = child.ended()
            if code is not None:
                if code in _NO_USE and child.starts == 1:
                    return code
                logger("supervisor").warning("process_ended", process=child.name, code=code)
                child.start_later()
            elif child.process is None and time.monotonic() >= child.again_at:
                self._start(child)
        if os.getpid() == 1:
            self._bury()
        return 0

    def _start(self, child: _Child) -> None:
        try:
            child.start()
        except OSError as error:  # no memory or no process to be had for the moment
            reason = error.strerror or type(error).__name__
            logger("supervisor").warning("not_started", process=child.name, reason=reason)
            child.start_later()

    def _bury(self) -> None:
        """Take leave of processes that others left: the first process of a container has to."""
        own = {child.process.pid for child in self._children if child.process is not None}
        for pid in map(int, Path("/proc/self/task/1/children").read_text("ascii").split()):
            if pid not in own:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._patience_s
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
