"""The service's side of the template process: starting it, asking it for children, ending them."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from upres.errors import OutOfMemory, SandboxUnavailable, UnreadablePicture, UpresError
from upres.sandbox import wire
from upres.sandbox.answers import takes_too_much

if TYPE_CHECKING:
    from upres.sandbox.limits import SandboxLimits

WORK = "upres.sandbox.child:work"
_BOOTSTRAP = """
import sys
sys.path[:] = sys.argv[3:]
try:
    from upres.sandbox.template import run
    run(int(sys.argv[1]), sys.argv[2])
except Exception as error:
    import os
    os.write(int(sys.argv[1]), f"{type(error).__name__}: {error}".encode()[:500])
"""
_ENVIRONMENT = {
    # one thread: a process with several cannot be forked safely
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # in a child threads cost address space and gain little
    "VIPS_CONCURRENCY": "1",
    "MALLOC_ARENA_MAX": "2",
    # libvips would put large pictures into temporary files, and children have none
    "VIPS_DISC_THRESHOLD": "1000g",
    "LC_ALL": "C.UTF-8",
}
"""All that the template and its children have of an environment."""
_START_S = 60.0
_END_S = 5.0
_WORD_BYTES = 4096
_PIPE_BYTES = 2**20
_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ, which has a name only where it is known."""


class Child:
    """The service's end of one child: bytes that come, or the error why they do not."""

    def __init__(
        self, pipe: int, control: socket.socket, *, name: str, limits: SandboxLimits
    ) -> None:
        self._pipe = pipe
        self._control = control
        self._name = name
        self._limits = limits
        self._waited_s = 0.0
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN)

    def fill(self, view: memoryview) -> None:
        """Read bytes until a buffer is full; raises the error of a child that ended or hangs."""
        while view:
            self._wait()
            count = os.readv(self._pipe, [view])
            if not count:
                raise self._end()
            view = view[count:]

    def close(self) -> None:
        """End the child, wherever it is; the template kills and reaps it at once."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            self._control.close()

    def _wait(self) -> None:
        limits = self._limits
        left = limits.wall_s - self._waited_s
        started = time.monotonic()
        # a child that was slow may still have said what it has to say
        heard = self._poll.poll(max(0.0, min(left, limits.silence_s)) * 1000)
        self._waited_s += time.monotonic() - started
        if heard:
            return
        if left <= limits.silence_s:
            raise takes_too_much(self._name, round(limits.wall_s), "seconds")
        raise UnreadablePicture(
            self._name, f"its decoder has said nothing for {limits.silence_s:g} seconds"
        )

    def _end(self) -> UpresError:
        """Tell why the child's pipe ended."""
        word = self._last_word()
        ended = word.get("ended")
        if "unborn" in word:
            return OutOfMemory(self._name)
        if ended is None:
            # the template went, and every child with it: no fault of this picture
            return SandboxUnavailable(f"its process ended while it read {self._name}")
        if ended < 0:
            return self._killed(-ended, spent_s=word["cpu_s"])
        if ended == wire.UNSAFE:
            return SandboxUnavailable("it lacks a protection that is required")
        how = "failed" if ended == wire.FAILED else "ended early"
        return UnreadablePicture(self._name, f"its decoder {how}")

    def _killed(self, number: int, *, spent_s: float) -> UpresError:
        cpu_s = self._limits.cpu_s
        if number == signal.SIGXCPU or (number == signal.SIGKILL and spent_s >= cpu_s):
            return takes_too_much(self._name, cpu_s, "seconds of a core")
        if number == signal.SIGKILL:
            # so the kernel ends processes when memory runs out
            return OutOfMemory(self._name)
        try:
            cause = signal.Signals(number).name
        except ValueError:
            cause = f"signal {number}"
        return UnreadablePicture(self._name, f"its decoder crashed ({cause})")

    def _last_word(self) -> dict[str, Any]:
        """Return what the template says of the child's end; empty when it says nothing."""
        self._control.settimeout(_END_S)
        try:
            word = json.loads(self._control.recv(_WORD_BYTES))
        except (OSError, ValueError):
            return {}
        return word if isinstance(word, dict) else {}


class Launcher:
    """One template process, started when the first child is asked for; threads may share it."""

    def __init__(self, work: str = WORK) -> None:
        """Remember what children are to do: `package.module:function` of a Job."""
        self._work = work
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._service: socket.socket | None = None
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def start(self) -> None:
        """Start the template unless it runs: the first picture waits less then.

        Raises SandboxUnavailable where there can be none.
        """
        with self._lock:
            self._connected()

    def spawn(
        self, file: int, request: dict[str, Any], *, name: str, limits: SandboxLimits
    ) -> Child:
        """Begin a child on an open file; raises SandboxUnavailable where there can be none."""
        message = json.dumps({**request, "limits": limits.as_json()}).encode()
        try:
            return self._spawned(file, message, name=name, limits=limits)
        except OSError as error:
            raise SandboxUnavailable((error.strerror or "its process is gone").lower()) from error

    def close(self) -> None:
        """End the template and every child."""
        with self._lock:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _spawned(self, file: int, message: bytes, *, name: str, limits: SandboxLimits) -> Child:
        with ExitStack() as undone:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undone.enter_context(ours)
            with theirs:
                pipe, answer = os.pipe()
                undone.callback(os.close, pipe)
                try:
                    _widen(pipe)
                    self._ask(message, [file, answer, theirs.fileno()])
                finally:
                    os.close(answer)
            undone.pop_all()
        return Child(pipe, ours, name=name, limits=limits)

    def _ask(self, message: bytes, descriptors: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._connected(), [message], descriptors)
            except (ConnectionError, TimeoutError):
                # somebody killed or stopped it: once more with a new one
                self._close()
                socket.send_fds(self._connected(), [message], descriptors)

    def _connected(self) -> socket.socket:
        if self._service is None:
            if sys.platform != "linux":
                raise SandboxUnavailable("it needs Linux")
            self._service, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                with theirs:
                    self._process = self._started(theirs.fileno())
            except OSError as error:
                self._close()
                raise SandboxUnavailable(str(error)) from error
            self._check_ready(self._service)
        return self._service

    def _started(self, service: int) -> subprocess.Popen[bytes]:
        paths = [path for path in sys.path if path]
        start = [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(service), self._work]
        return subprocess.Popen(  # noqa: S603
            [*start, *paths],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[service],
            cwd="/",
            # what stops the service by its terminal lets children finish
            process_group=0,
        )

    def _check_ready(self, service: socket.socket) -> None:
        service.settimeout(_START_S)
        try:
            word = service.recv(_WORD_BYTES)
        except OSError:
            word = b"it says nothing"
        if word != b"ready":
            self._close()
            reason = word.decode("utf-8", "replace") or "its process ended"
            raise SandboxUnavailable(" ".join(reason.split()))

    def _close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _forget(self) -> None:
        """In a process that was forked from the service: the template is not its own."""
        self._lock = threading.Lock()
        if self._service is not None:
            self._service.close()
            self._service = None
        if self._process is not None:
            # nothing to wait for
            self._process.returncode = 0
            self._process = None


def _widen(pipe: int) -> None:
    """Let a pipe hold more: fewer turns between the two sides."""
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
