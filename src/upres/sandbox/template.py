"""The template: a process with all libraries loaded that forks one child for each picture.

It has one thread, reads no picture and no pipe of a child. It ends when the service's end of its
socket is closed, and its children with it. A message on the socket is one request (JSON) with three
descriptors: the picture's file, the pipe for the answer, and a socket for this child alone, on
which the template says how the child ended, and which, when it is closed, kills the child.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upres.sandbox import wire
from upres.sandbox.child import Job, preload
from upres.sandbox.confine import INPUT, OUTPUT, confine
from upres.sandbox.kernel import leave_network
from upres.sandbox.limits import SandboxLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[Job], None]

REQUEST_BYTES = 64 * 2**10
_PASSED = 3
_ABOVE_ALL = 64
_MOST_DESCRIPTORS = 2**20


def run(service: int, work: str) -> None:
    """Serve requests from a socket until it is closed; `work` names what children do.

    It is `package.module:function`; the function takes a Job. The first message is "ready".
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # a service that drains lets its children finish
        signal.signal(number, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    # a worker's own limit is not the children's, which have theirs
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    preload()
    module, _, function = work.partition(":")
    template = Template(service, getattr(importlib.import_module(module), function))
    threads = list(Path("/proc/self/task").iterdir())
    if len(threads) != 1:
        raise RuntimeError(f"it has {len(threads)} threads and cannot fork safely")
    gc.collect()
    gc.freeze()
    template.serve()


class Template:
    """The loop of the template process."""

    def __init__(self, service: int, work: Work) -> None:
        self._service = socket.socket(fileno=service)
        self._work = work
        self._process = os.getpid()
        self._own_network = leave_network()
        self._children: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Fork, kill and reap, until the service is gone."""
        self._selector.register(self._service, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._service.send(b"ready")
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._service:
                    if not self._accept():
                        return
                elif key.fileobj == self._ended:
                    self._reap()
                elif self._children.get(key.data) is key.fileobj:
                    self._kill(key.data)

    def _accept(self) -> bool:
        """Begin what is asked for; False when nobody can ask any more."""
        try:
            message, passed, _, _ = socket.recv_fds(self._service, REQUEST_BYTES, _PASSED)
        except OSError:
            return False
        if not message or len(passed) != _PASSED:
            return False
        file, pipe, line = passed
        control = socket.socket(fileno=line)
        try:
            child = os.fork()
        except OSError as error:
            _tell(control, {"unborn": error.strerror})
            control.close()
        else:
            if child == 0:
                self._become_child(json.loads(message), file, pipe)
            self._children[child] = control
            self._selector.register(control, selectors.EVENT_READ, child)
        os.close(file)
        os.close(pipe)
        return True

    def _become_child(self, request: dict[str, Any], file: int, pipe: int) -> None:
        """Be the child, and end as one."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _keep_only(file, pipe)
            limits = SandboxLimits.from_json(request["limits"])
            held = confine(limits, parent=self._process, own_network=self._own_network)
            missing = [name for name in limits.required if not held[name]]
            if missing and request["task"] != "posture":
                os._exit(wire.UNSAFE)
            self._work(Job(input=INPUT, output=OUTPUT, request=request, posture=held))
            os._exit(0)
        finally:
            os._exit(wire.FAILED)

    def _kill(self, child: int) -> None:
        """Kill a child that nobody waits for any more; it is not reaped yet, so it is that one."""
        self._selector.unregister(self._children[child])
        os.kill(child, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._ended, REQUEST_BYTES):
                pass
        with suppress(ChildProcessError):
            while (found := os.wait4(-1, os.WNOHANG))[0]:
                child, status, used = found
                control = self._children.pop(child)
                with suppress(KeyError):
                    self._selector.unregister(control)
                spent_s = used.ru_utime + used.ru_stime
                _tell(control, {"ended": os.waitstatus_to_exitcode(status), "cpu_s": spent_s})
                control.close()


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):
        control.send(json.dumps(message).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _keep_only(file: int, pipe: int) -> None:
    """Close every descriptor but these two and the standard ones, which lead to /dev/null."""
    file = fcntl.fcntl(file, fcntl.F_DUPFD, _ABOVE_ALL)
    pipe = fcntl.fcntl(pipe, fcntl.F_DUPFD, _ABOVE_ALL)
    os.dup2(file, INPUT)
    os.dup2(pipe, OUTPUT)
    os.closerange(OUTPUT + 1, _MOST_DESCRIPTORS)
