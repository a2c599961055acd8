"""Clients of the real server that are slow, silent, gone, or no clients at all."""

from __future__ import annotations

import json
import socket
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from web_server import PATIENCE_S, eventually, photo, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from web_server import Web

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the service needs Linux")

CHUNKED = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\n\r\n'


@pytest.fixture(scope="module")
def web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Return a server that several tests share."""
    with web(tmp_path_factory.mktemp("web")) as server:
        server.ready()
        yield server


def connected(url: str) -> socket.socket:
    port = int(url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def told(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read an answer to the connection's end."""
    data = b""
    while part := sock.recv(2**16):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    headers = dict(field.lower().split(": ", 1) for field in fields)
    return int(first.split()[1]), headers, body


def upload(body: bytes) -> bytes:
    whole = FORM + body + b"\r\n--b--\r\n"
    return (
        b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
        b"boundary=b\r\nContent-Length: %d\r\n\r\n%b" % (len(whole), whole)
    )


def figure(server: Web, name: str) -> float:
    """Return one of the figures of `/metrics`."""
    lines = httpx.get(f"{server.url()}/metrics", timeout=PATIENCE_S).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_heads_that_do_not_end_hold_no_thread(tmp_path: Path) -> None:
    """Nor silent connections; they are ended after ten seconds or so."""
    with web(tmp_path, WEB_THREADS="3", SSE_STREAMS="0") as server, ExitStack() as stack:
        url = server.ready()
        half = [stack.enter_context(connected(url)) for _ in range(40)]
        for one in half[::2]:
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localh")
        began = time.monotonic()
        for _ in range(5):
            assert httpx.get(f"{url}/livez", timeout=PATIENCE_S).status_code == 200
        assert time.monotonic() - began < 4
        half[0].sendall(b"ost\r\nConnection: close\r\n\r\n")
        assert told(half[0])[0] == 200
        while time.monotonic() - began < 12:  # a trickle buys no time
            time.sleep(1)
            try:
                half[2].send(b"x")
            except OSError:
                break
        for one in half[1:]:
            one.settimeout(20)
            assert one.recv(1) == b""
        assert time.monotonic() - began < 25


def test_who_is_refused_early_hears_why(tmp_path: Path) -> None:
    """Although it sends to the end before it reads."""
    with web(tmp_path, UPLOAD_BYTES="20000000") as server, connected(server.ready()) as client:
        head, _, body = upload(bytes(10_000_000)).partition(b"\r\n\r\n")
        client.sendall(head + b"\r\nSec-Fetch-Site: cross-site\r\n\r\n")
        for start in range(0, len(body), 100_000):
            client.sendall(body[start : start + 100_000])
        time.sleep(0.5)
        status, headers, problem = told(client)
        assert (status, json.loads(problem)["code"]) == (403, "forbidden")
        assert headers["connection"] == "close"


def test_a_connection_goes_on_where_everything_was_read(tmp_path: Path) -> None:
    with web(tmp_path) as server, connected(server.ready()) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        client.sendall(b"GET /livez HTTP/1.0\r\nConnection: close\r\n\r\n")
        status, _, rest = told(client)
        assert (status, rest.count(b"HTTP/1.1 200")) == (200, 1)
        assert rest.count(b"HTTP/1.0 200") == 1


def test_no_name_is_needed_for_probes(tmp_path: Path) -> None:
    with web(tmp_path) as server:
        server.ready()
        for path, expected in ((b"/livez", {200}), (b"/readyz", {200, 503}), (b"/docs", {421})):
            with connected(server.url()) as client:
                client.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
                assert told(client)[0] in expected


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"rubbish\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHo st: b\r\n\r\n", 400, "bad-request"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "uri-too-long"),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
            431,
            "request-header-fields-too-large",
        ),
        (
            CHUNKED + b"5\r\nabcdeXX\r\n",
            400,
            "bad-request",
        ),
    ],
)
def test_what_is_no_request_is_a_problem_too(
    web_server: Web, request_: bytes, status: int, code: str
) -> None:
    before = web_server.log.read_text()
    with connected(web_server.url()) as client:
        client.sendall(request_)
        found, headers, body = told(client)
    problem: dict[str, Any] = json.loads(body)
    assert (found, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == headers["x-request-id"]
    line = web_server.log.read_text()[len(before) :]
    assert problem["request_id"] in line
    assert '"error"' not in line


def test_headers_that_name_places_are_not_believed(web_server: Web) -> None:
    """From this machine neither."""
    with connected(web_server.url()) as client:
        client.sendall(
            b"GET /livez HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert told(client)[0] == 200


def test_an_archive_of_many_can_be_asked_for(web_server: Web) -> None:
    jobs = "&".join(f"job={number:022d}" for number in range(200))
    answer = httpx.get(f"{web_server.url()}/api/v1/archive?{jobs}", timeout=PATIENCE_S)
    assert (answer.status_code, answer.json()["code"]) == (404, "job-missing")


def test_who_has_gone_waits_no_longer(tmp_path: Path) -> None:
    """Neither for a job nor on a stream: the places are free at once."""
    with web(tmp_path, METRICS="true") as server:
        server.ready()
        client = connected(server.url())
        client.sendall(upload(photo()))
        assert eventually(lambda: figure(server, "upres_http_waiting") == 1)
        client.close()
        assert eventually(lambda: figure(server, "upres_http_waiting") == 0)
        jobs = f"{server.url()}/api/v1/jobs"
        job = httpx.post(jobs, content=photo(), timeout=PATIENCE_S).json()["links"]["events"]
        client = connected(server.url())
        client.sendall(f"GET {job} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert eventually(lambda: figure(server, "upres_http_streams") == 1)
        client.close()
        began = time.monotonic()
        assert eventually(lambda: figure(server, "upres_http_streams") == 0)
        assert time.monotonic() - began < 5


def test_one_address_gets_half_of_the_threads(tmp_path: Path) -> None:
    """Of a server that strangers reach directly."""
    settings = {"LISTEN_HOST": "0.0.0.0", "WEB_THREADS": "4", "SSE_STREAMS": "0"}  # noqa: S104
    with web(tmp_path, **settings) as server, ExitStack() as stack:
        url = server.ready()
        begun = b"POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\nx"
        for _ in range(2):
            stack.enter_context(connected(url)).sendall(begun)
        assert eventually(lambda: httpx.get(f"{url}/livez").status_code == 503)
        answer = httpx.get(f"{url}/livez")
        assert answer.json()["code"] == "server-busy"
        assert int(answer.headers["Retry-After"]) > 0
