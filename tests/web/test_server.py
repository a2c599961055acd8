"""The real server in processes of its own: few tests, for they take seconds."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from web_server import PATIENCE_S, Web, eventually, photo, web

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the service needs Linux")


def get(url: str) -> httpx.Response | None:
    """Return an answer, or None where nobody answers."""
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=PATIENCE_S)
    return None


def test_draining_sends_away_who_waits_and_ends(tmp_path: Path) -> None:
    """The job stays, and the answer says where; nothing is cut off."""
    with web(tmp_path) as server:
        url = server.url()
        answers: list[httpx.Response] = []

        def send() -> None:
            sent = {"image": ("p.png", photo())}
            answers.append(httpx.post(f"{url}/upload", files=sent, timeout=PATIENCE_S))

        waiting = threading.Thread(target=send)
        waiting.start()
        time.sleep(2)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        waiting.join()
        assert server.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - began < 10
        (answer,) = answers
        assert answer.status_code == 503
        assert answer.json()["code"] == "server-stopping"
        assert int(answer.headers["Retry-After"]) >= 1
        job = answer.headers["Location"]
        assert get(f"{url}{job}") is None
    with web(tmp_path) as server:
        told = get(f"{server.url()}{job}")
        assert told is not None
        assert told.json()["state"] == "queued"


@pytest.mark.parametrize("form", [True, False])
def test_too_large_an_upload_is_answered_and_not_cut_off(tmp_path: Path, form: bool) -> None:  # noqa: FBT001
    with web(tmp_path) as server, httpx.Client(base_url=server.url(), timeout=PATIENCE_S) as http:
        part = b"x" * 2**16
        if form:
            answer = http.post("/upload", files={"image": ("p.png", part * 500)})
        else:
            answer = http.post("/api/v1/jobs", content=iter([part] * 500))
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert http.get("/livez").status_code == 200


def test_a_client_that_goes_away_in_the_middle_harms_nobody(tmp_path: Path) -> None:
    with web(tmp_path, WEB_THREADS="3", SSE_STREAMS="0") as server:
        url = server.url()
        port = int(url.rpartition(":")[2])
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", port)) as gone:
                gone.sendall(
                    b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Length: 5000\r\n\r\nx"
                )
        answer = get(f"{url}/livez")
        assert answer is not None
        assert answer.status_code == 200
        errors = [line for line in server.log.read_text().splitlines() if '"error"' in line]
        assert not errors


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with web(tmp_path) as server:
        url = server.url()
        assert eventually(lambda: get(f"{url}/livez"))
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.workers() not in ([], [worker]))
        assert eventually(lambda: get(f"{url}/livez")).status_code == 200


def test_nothing_is_left_of_a_killed_server(tmp_path: Path) -> None:
    """Its port is free for the next one, which the supervisor starts at once."""
    with web(tmp_path) as server:
        url = server.url()
        assert eventually(lambda: get(f"{url}/livez"))
        (worker,) = server.workers()
        server.process.kill()
        server.process.wait()
        with web(tmp_path, LISTEN_PORT=url.rpartition(":")[2]) as other:
            assert other.url() == url
            assert eventually(lambda: get(f"{url}/livez")).status_code == 200
        eventually(lambda: not Path(f"/proc/{worker}").exists())


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, value, code in (
        ("DATA_FOLDER", str(tmp_path / "file" / "data"), 4),
        ("API_KEYS_FILE", str(tmp_path), 4),
        ("LISTEN_PORT", "x", 2),
    ):
        server = Web(tmp_path, **{name: value})
        assert server.process.wait(PATIENCE_S) == code
        said = server.log.read_text()
        assert said.startswith("upres: ")
        assert said.count("\n") == 1


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Web(tmp_path, LISTEN_PORT=str(taken.getsockname()[1]))
        assert server.process.wait(PATIENCE_S) != 0
        assert "in use" in server.log.read_text()
