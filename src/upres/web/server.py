"""The process that answers requests: gunicorn, one worker of it, many threads.

The threads wait for clients, the database and jobs; pictures are worked on by other processes. One
worker process means one set of counted places and of metrics. When it is to end it takes nothing
new, sends away whoever waits for a job, and finishes what is being answered.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from upres.errors import SandboxUnavailable
from upres.sandbox.decoder import launcher
from upres.service.log import logger
from upres.service.parts import Service
from upres.service.supervisor import end_with
from upres.web.app import create_app
from upres.web.serving import Serving

if TYPE_CHECKING:
    from flask import Flask

    from upres.service.settings import ServiceSettings

_STALLED_S = 30.0
"""A client that neither sends nor takes anything for so long is given up."""
_KEPT_ALIVE_S = 15
_CONNECTIONS = 1000
_SILENT_S = 120
"""A worker whose main loop has not turned for so long is frozen, and is replaced."""
_MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - gunicorn makes a file of its own there


def run(settings: ServiceSettings) -> None:
    """Serve until SIGTERM; ends the process.

    Raises what `Service.open` and `create_app` raise.
    """
    service = Service.open(settings)
    create_app(service)  # what is wrong is told here, in one line
    service.close()
    _Server(settings).run()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn set up from our settings alone."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
        options: dict[str, Any] = {
            "bind": [f"{host}:{settings.listen_port}"],
            "worker_class": _Worker,
            "workers": 1,
            "threads": settings.web_threads,
            "worker_connections": _CONNECTIONS,
            "keepalive": _KEPT_ALIVE_S,
            "timeout": _SILENT_S,
            "graceful_timeout": max(1, int(settings.drain_s)),
            "logger_class": _Log,
            "when_ready": _tell_address,
            "post_fork": _follow_parent,
            "control_socket_disable": True,
            "proc_name": "upres web",
        }
        if Path(_MEMORY_FOLDER).is_dir() and os.access(_MEMORY_FOLDER, os.W_OK):
            options["worker_tmp_dir"] = _MEMORY_FOLDER
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the application, in the process that answers: locks and files are its own."""
        app = create_app(Service.open(self._settings))
        with suppress(SandboxUnavailable):  # `/readyz` tells it, and so does every upload
            launcher.start()
        return app


class _Worker(ThreadWorker):  # type: ignore[misc]
    """Threads that know when they are to end, and do not wait for the dead."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.app.callable is not None:
            Serving.in_app(self.app.callable).draining.set()
        super().handle_exit(sig, frame)

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.sock.settimeout(_STALLED_S)
        return super().handle_request(req, conn)


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's words of warning among our own lines; the rest we say ourselves."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
            log.setLevel("WARNING")

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
