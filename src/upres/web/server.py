"""The process that answers requests: gunicorn, one worker of it, many threads.

The threads wait for clients, the database and jobs; pictures are worked on by other processes. One
worker process means one set of counted places and of metrics. When it is to end it takes nothing
new, sends away whoever waits for a job, and finishes what is being answered.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from upres.errors import SandboxUnavailable
from upres.sandbox.decoder import launcher
from upres.service import log
from upres.service.log import logger
from upres.service.parts import Service
from upres.service.supervisor import end_with
from upres.web import refusals
from upres.web.app import create_app
from upres.web.clients import owner_at
from upres.web.connections import PatientSocket, await_bytes, gathered, linger
from upres.web.guards import is_loopback
from upres.web.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from upres.service.settings import ServiceSettings

_HEAD_S = 10.0
"""A request's head must be there after so long, from its first byte on."""
_LAST_HEAD_S = 1.0
"""The same where the server is about to end, and the connection is there already."""
_LINGER_S = 5.0
"""How long what a refused client still sends is thrown away."""
_LINGER_BYTES = 2**20
"""Beside the largest upload."""
_LONGEST_ADDRESS = 8190
"""Of a request line, in bytes; the most that gunicorn can be told."""
_KEPT_ALIVE_S = 15
_CONNECTIONS = 1000
_SILENT_S = 120
"""A worker whose main loop has not turned for so long is frozen, and is replaced."""
_MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - gunicorn makes a file of its own there


def run(settings: ServiceSettings) -> None:
    """Serve until SIGTERM; ends the process.

    Raises what `Service.open` and `create_app` raise.
    """
    check(settings)
    _Server(settings).run()


def options(settings: ServiceSettings) -> dict[str, Any]:
    """Return gunicorn's own settings, by their names, as they follow from ours."""
    host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
    found: dict[str, Any] = {
        "bind": [f"{host}:{settings.listen_port}"],
        "worker_class": _Worker,
        "workers": 1,
        "threads": settings.web_threads,
        "worker_connections": _CONNECTIONS,
        "keepalive": _KEPT_ALIVE_S,
        "limit_request_line": _LONGEST_ADDRESS,
        "forwarder_headers": "",
        "timeout": _SILENT_S,
        "graceful_timeout": max(1, int(settings.drain_s)),
        "logger_class": _Log,
        "when_ready": _tell_address,
        "post_fork": _follow_parent,
        "control_socket_disable": True,
        "proc_name": "upres web",
    }
    if Path(_MEMORY_FOLDER).is_dir() and os.access(_MEMORY_FOLDER, os.W_OK):
        found["worker_tmp_dir"] = _MEMORY_FOLDER
    return found


def application(settings: ServiceSettings) -> Flask:
    """Make the application, in the process that answers: locks and files are its own."""
    app = create_app(Service.open(settings))
    with suppress(SandboxUnavailable):  # `/readyz` tells it, and so does every upload
        launcher.start()
    return app


def check(settings: ServiceSettings) -> None:
    """Raise what `application` would, one line for people, before any process is made for it."""
    service = Service.open(settings)
    create_app(service)
    service.close()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn set up from our settings alone."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return application(self._settings)


class _Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """Threads that know when they are to end, and that no client can keep for itself."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.app.callable is not None:
            Serving.in_app(self.app.callable).draining.set()
        super().handle_exit(sig, frame)

    def handle(self, conn: Any) -> Any:
        """Answer a request whose head is there; put other connections back until it is."""
        log.clear()
        conn.sock = PatientSocket.of(conn.sock)
        conn.init()
        if getattr(conn, "head_until", None) is None:
            conn.head_until = time.monotonic() + _HEAD_S
            conn.sock.begin()
        whole = gathered(conn.sock, conn.parser.unreader)
        if whole is None and self.alive and time.monotonic() < conn.head_until:
            return gthread._DEFER  # noqa: SLF001 - what gunicorn itself answers in this place
        if whole is None and not self.alive:  # nothing is put back any more
            await_bytes(conn.sock, most_s=_LAST_HEAD_S)
            whole = gathered(conn.sock, conn.parser.unreader)
        conn.data_ready, conn.head_until = True, None
        kept = False
        if whole:
            with self._in_hand(conn) as allowed:
                kept = allowed and super().handle(conn)
        if not kept:
            most_bytes = self._settings().upload_bytes + _LINGER_BYTES if whole else 0
            linger(conn.sock, most_bytes=most_bytes, most_s=_LINGER_S)
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request, and end the connection where its body was not read to the end."""
        closes = req.should_close
        req.should_close = lambda: closes() or not _read(req.body)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Tell what is no request, or a mistake of ours, as every error is told."""
        del req, addr
        log.clear()
        if not isinstance(exc, errors.ParseException) or isinstance(exc, _OURS):
            _refuse(client, 500, error=exc)
        else:
            status = next((one for kind, one in _STATUSES if isinstance(exc, kind)), 400)
            _refuse(client, status, kind=type(exc).__name__)

    def murder_pending(self) -> None:
        """End the connections whose head did not come in time."""
        now = time.monotonic()
        for conn in [one for one in self.pending_conns if now > one.head_until]:
            self.pending_conns.remove(conn)
            with suppress(OSError, KeyError, ValueError):
                self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close()

    @contextmanager
    def _in_hand(self, conn: Any) -> Iterator[bool]:
        """Count the connections of an address that hold a thread; False: they are too many."""
        settings = self._settings()
        if settings.proxies or is_loopback(settings.listen_host):
            yield True
            return
        owner = owner_at(conn.client[0])
        with self._lock:
            self._busy[owner] += 1
            allowed = self._busy[owner] <= max(1, settings.web_threads // 2)
        try:
            if not allowed:
                _refuse(conn.sock, 503)
            yield allowed
        finally:
            with self._lock:
                self._busy -= Counter({owner: 1})

    def _settings(self) -> ServiceSettings:
        return Serving.in_app(self.app.callable).service.settings


_OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
_STATUSES = (
    (errors.LimitRequestLine, 414),
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
)
"""Of what is no request that can be answered; else 400."""


def _refuse(sock: Any, status: int, *, error: Exception | None = None, **about: str) -> None:
    """Answer without the application, and log that: without words, which may hold an address."""
    request_id = secrets.token_hex(16)
    say = logger("web").bind(request_id=request_id, status=status)
    if error is None:
        say.info("refused", **about)
    else:
        say.error("error", exc_info=error)
    with suppress(OSError):
        sock.sendall(refusals.refusal(status, request_id=request_id))


def _read(body: Any) -> bool:
    """Tell whether nothing of a request's body is left on the connection."""
    reader = body.reader
    return not (body.failed or getattr(reader, "length", 0) or getattr(reader, "parser", None))


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's words of warning among our own lines; the rest we say ourselves."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        for own in (self.error_log, self.access_log):
            own.handlers.clear()
            own.propagate = True
            own.setLevel("WARNING")

    def access(self, *_: Any) -> None:
        """Leave it to the application, which knows what may be told."""

    def reopen_files(self) -> None:
        """Have no files."""


def _tell_address(arbiter: Any) -> None:
    for listener in arbiter.LISTENERS:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        logger("web").info("listening", url=f"http://{shown}:{port}")


def _follow_parent(_arbiter: Any, _worker: Any) -> None:
    """Let the worker end with the process that would replace it, however that ends."""
    if sys.platform == "linux":
        end_with(os.getppid())
