"""Keeps the service's processes running: one that answers requests, and the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from upres.sandbox.kernel import PR_SET_PDEATHSIG, control
from upres.service.log import logger

_LOOK_S = 0.05
_YOUNG_S = 3.0
"""A process that lived longer than this was in order when it began."""
_BACKOFF_S = (0.1, 5.0)
GRACE_S = 10.0
"""What processes have beyond their time to finish before they are killed."""


@dataclass
class _Child:
    """One process that is to run, and how it has been doing."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    proven: bool = False
    """It has lived for a while once: what it needs is there."""
    wait_s: float = field(default=_BACKOFF_S[0])
    again_at: float = 0.0

    def start(self) -> None:
        """Start the process."""
        self.started = time.monotonic()
        # a group of its own: Ctrl-C reaches the supervisor, which asks each to end
        self.process = subprocess.Popen(self.arguments, start_new_session=True)  # noqa: S603

    def ended(self) -> int | None:
        """Return the exit code of a process that has ended since it was last asked."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is not None:
            self.process = None
        elif time.monotonic() - self.started > _YOUNG_S:
            self.proven = True
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

    `web` are more options of the process that answers requests.
    """
    upres = [sys.executable, "-m", "upres"]
    mine = ["--supervised", str(os.getpid())]
    commands = {"web": [*upres, "web", *mine, *web]}
    for number in range(1, workers + 1):
        commands[f"worker {number}"] = [*upres, "worker", *mine]
    return commands


class Supervisor:
    """Starts the processes, starts them anew when they end, ends them when told to."""

    def __init__(
        self, commands: Mapping[str, Sequence[str]], *, drain_s: float, grace_s: float = GRACE_S
    ) -> None:
        """Take command lines by name, and the time that processes have to finish at the end."""
        self._children = [_Child(name, list(command)) for name, command in commands.items()]
        self._patience_s = drain_s + grace_s
        self._ending = False

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return the exit code.

        A process that ends with an error of its own before it ever worked ends all: its settings,
        its port or its folder are wrong, and it has said how.
        """

        def end(_number: int, _frame: object) -> None:
            self._ending = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        for child in self._children:
            child.start()
        code = 0
        while not self._ending and not code:
            code = self._look()
            time.sleep(_LOOK_S)
        self._end_all()
        return code

    def _look(self) -> int:
        """Start what has ended anew; return the exit code where that is of no use."""
        for child in self._children:
            code = child.ended()
            if code is not None:
                if code > 0 and not child.proven:
                    return code
                logger("supervisor").warning("process_ended", process=child.name, code=code)
                child.start_later()
            elif child.process is None and time.monotonic() >= child.again_at:
                child.start()
        return 0

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
