"""nginx, gunicorns and a worker, started by the files in deploy/ as they are, in one folder.

Ports and folders are put in place of those that the files name; nothing else is changed. Runs as
root, then nginx's workers are somebody else in the service's group, or as anybody.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import httpx

from proofs.record import ROOT

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
"""None where nginx is not on this machine."""
_READY_S = 60.0
_STOP_S = 60.0
_STRANGER = "www-data"
"""Whom nginx runs as where it is started by root; in the group of the service's files."""
_AROUND = """{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; }}
    default_type application/octet-stream;
    access_log {folder}/access.log;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upres.conf;
}}
"""


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def nginx_files(folder: Path, *, listen: int, upstreams: tuple[int, int], blobs: Path) -> Path:
    """Write nginx's configuration with other ports and folders; return the main file."""
    changes = {
        "listen 80;": f"listen 127.0.0.1:{listen};",
        "    listen [::]:80;\n": "",
        "server 127.0.0.1:8081": f"server 127.0.0.1:{upstreams[0]}",
        "server 127.0.0.1:8082": f"server 127.0.0.1:{upstreams[1]}",
        "include /etc/nginx/upres-proxy.conf": f"include {folder}/upres-proxy.conf",
        "alias /var/lib/upres/blobs/": f"alias {blobs}/",
    }
    text = (DEPLOY / "nginx" / "upres.conf").read_text("utf-8")
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"deploy/nginx/upres.conf has no {old!r}")
        text = text.replace(old, new)
    (folder / "upres.conf").write_text(text, "utf-8")
    shutil.copy(DEPLOY / "nginx" / "upres-proxy.conf", folder)
    group = folder.group() if os.geteuid() == 0 else ""
    user = f"user {_STRANGER} {group};" if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(_AROUND.format(user=user, folder=folder), "utf-8")
    return main


class Stack:
    """Two gunicorns behind nginx, and workers; a context in which all of it runs.

    The folder and those above it must let others through.
    """

    def __init__(self, folder: Path, *, workers: int = 1, **settings: Any) -> None:
        """Take settings of the service by their names, in small letters."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.web_ports = free_port(), free_port()
        self.settings_file = folder / "service.toml"
        self.settings_file.touch()
        self._workers = workers
        given = {
            "config": self.settings_file,
            "data_folder": folder / "data",
            "free_floor_bytes": 0,
            "log_format": "json",
            "proxies": 1,
            "nginx": True,
            "requests_per_minute": 1_000_000,
            "output_megapixels_per_minute": 1_000_000,
        }
        self._environment = dict(os.environ) | {
            f"UPRES_SERVICE_{name.upper()}": str(value)
            for name, value in (given | settings).items()
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.stop)
            for port in self.web_ports:
                self.start_web(port)
            for number in range(self._workers):
                self.start_worker(number)
            self._start_nginx()
            for port in self.web_ports:
                self.wait_ready(port=port)
            self.wait_ready()
            undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start_web(self, port: int) -> None:
        """Start the gunicorn of a port, not waiting for it."""
        command = [sys.executable, "-m", "gunicorn", "--config", str(DEPLOY / "gunicorn.conf.py")]
        self._start(f"web {port}", command, {"UPRES_SERVICE_LISTEN_PORT": str(port)})

    def start_worker(self, number: int) -> None:
        """Start a worker, not waiting for it."""
        self._start(f"worker {number}", [sys.executable, "-m", "upres", "worker"], {})

    def stop_web(self, port: int, *, number: signal.Signals = signal.SIGTERM) -> int:
        """End the gunicorn of a port as systemd does, and return its exit code."""
        return self._end(f"web {port}", number)

    def restart_web(self, port: int) -> None:
        """Restart the gunicorn of a port and wait until it answers, as a rolling restart does."""
        self.stop_web(port)
        self.start_web(port)
        self.wait_ready(port=port)

    def hang_up(self, port: int) -> None:
        """Send SIGHUP to the gunicorn of a port."""
        self._processes[f"web {port}"].send_signal(signal.SIGHUP)

    def answering(self, port: int) -> list[int]:
        """Return the processes that answer at a port."""
        pid = self._processes[f"web {port}"].pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(word) for word in text.split()]

    def wait_ready(self, *, port: int | None = None) -> None:
        """Wait until the service is ready, asked through nginx or at a port of its own.

        Without workers it never is: then until it answers.
        """
        path = "/readyz" if self._workers else "/livez"
        url = self.url if port is None else f"http://127.0.0.1:{port}"
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} has ended: {self.log(name)}")
            with suppress(httpx.HTTPError):
                if httpx.get(f"{url}{path}", timeout=10).status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"not ready: {self.log(*self._processes)}")

    def log(self, *names: str) -> str:
        """Return the end of what processes have logged."""
        files = [self._log_of(name) for name in names] + [self.folder / "nginx.log"]
        return "\n".join(one.read_text(errors="replace")[-1500:] for one in files if one.exists())

    def stop(self) -> None:
        """End everything."""
        for name in reversed(list(self._processes)):
            self._end(name, signal.SIGTERM)

    def _start_nginx(self) -> None:
        if NGINX is None:
            raise RuntimeError("nginx is not on this machine")
        main = nginx_files(
            self.folder,
            listen=self.port,
            upstreams=self.web_ports,
            blobs=self.folder / "data" / "blobs",
        )
        words = [NGINX, "-p", str(self.folder), "-c", str(main), "-e", str(self.folder / "early")]
        subprocess.run([*words, "-t", "-q"], check=True)
        self._start("nginx", words, {})

    def _start(self, name: str, command: list[str], more: Mapping[str, str]) -> None:
        with self._log_of(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment | dict(more),
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def _log_of(self, name: str) -> Path:
        return self.folder / f"log-{name.replace(' ', '-')}"

    def _end(self, name: str, number: signal.Signals) -> int:
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
