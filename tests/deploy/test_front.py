"""What clients see through nginx: limits, files, events, their own address."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from picture_files import saved, scene

from proofs.deployment.stack import DEPLOY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proofs.deployment.stack import Stack

PATIENCE_S = 60.0
SECURITY = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Permissions-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cache-Control",
    "X-Request-ID",
)


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="module")
def done(http: httpx.Client) -> dict[str, Any]:
    """Return a job that is done."""
    http.post("/api/v1/enlarge", params={"model": "bicubic"}, content=photo()).raise_for_status()
    answer = http.post("/api/v1/jobs", params={"model": "bicubic"}, content=photo())
    return dict(answer.json())


def photo(side: int = 32) -> bytes:
    return saved(scene(side, side), "png")


def test_past_nginxs_limit_a_program_reads_a_problem(http: httpx.Client) -> None:
    answer = http.post("/api/v1/jobs", content=b"x" * 60_000_000)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["code"] == "request-too-large"
    assert (told["status"], told["title"]) == (413, "Content Too Large")
    assert set(told) == {"type", "title", "status", "detail", "code", "request_id"}
    assert answer.headers["X-Request-ID"] == told["request_id"]


def test_past_nginxs_limit_a_person_reads_a_page(http: httpx.Client) -> None:
    answer = http.post(
        "/upload", content=b"x" * 60_000_000, headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert answer.status_code == 413
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>Content Too Large</h1>" in answer.text
    assert "larger than this server takes" in answer.text
    assert 'lang="zh-CN"' in answer.text


def test_past_the_services_own_limit_it_tells_itself(http: httpx.Client) -> None:
    """Here it is 1 MB, and nginx lets more through."""
    answer = http.post("/api/v1/jobs", content=b"x" * 1_500_000)
    assert answer.status_code == 413
    assert answer.json()["code"] == "picture-too-large"


def test_a_batch_may_be_larger_than_a_picture(http: httpx.Client) -> None:
    sent = [("image", (f"{n}.png", photo() + b"\0" * 900_000)) for n in range(3)]
    answer = http.post("/api/v1/batches", files=sent)
    assert answer.status_code == 200
    assert len(answer.json()["pictures"]) == 3


def test_the_service_sends_no_bytes_itself(stack: Stack, done: dict[str, Any]) -> None:
    answer = httpx.get(f"http://127.0.0.1:{stack.web_ports[0]}{done['links']['result']}")
    assert answer.headers["X-Accel-Redirect"].startswith("/upres-files/objects/")
    assert answer.content == b""


def test_whole(http: httpx.Client, stack: Stack, done: dict[str, Any]) -> None:
    answer = http.get(done["links"]["result"])
    expected = stack.folder / "data/blobs/objects"
    key = answer.headers["ETag"].strip('"')
    assert answer.content == (expected / key[:2] / key[2:4] / key).read_bytes()
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "X-Accel-Redirect" not in answer.headers


def test_parts(http: httpx.Client, done: dict[str, Any]) -> None:
    whole = http.get(done["links"]["result"])
    tag, content = whole.headers["ETag"], whole.content
    cases: list[tuple[dict[str, str], int, bytes]] = [
        ({"Range": "bytes=0-9"}, 206, content[:10]),
        ({"Range": "bytes=-5"}, 206, content[-5:]),
        ({"Range": "bytes=10-"}, 206, content[10:]),
        ({"Range": "bytes=0-9", "If-Range": tag}, 206, content[:10]),
        ({"Range": "bytes=0-9", "If-Range": '"other"'}, 200, content),
        ({"Range": "bytes=0-1,4-5"}, 200, content),
        ({"Range": "bytes=0-9", "If-Match": tag}, 206, content[:10]),
        ({"If-None-Match": '"other"'}, 200, content),
        ({"If-None-Match": tag}, 304, b""),
    ]
    for headers, status, body in cases:
        answer = http.get(done["links"]["result"], headers=headers)
        assert (answer.status_code, answer.content) == (status, body), headers
        assert answer.headers.get_list("ETag") == [tag], headers
    refused = http.get(done["links"]["result"], headers={"If-Match": '"other"'})
    assert refused.status_code == 412
    beyond = http.get(done["links"]["result"], headers={"Range": "bytes=999999999-"})
    assert beyond.status_code == 416


def test_head(http: httpx.Client, done: dict[str, Any]) -> None:
    whole, head = http.get(done["links"]["result"]), http.head(done["links"]["result"])
    assert head.headers["Content-Length"] == str(len(whole.content))
    assert head.headers["ETag"] == whole.headers["ETag"]
    assert head.content == b""


def test_nothing_is_read_past_the_service(http: httpx.Client, stack: Stack) -> None:
    files = (stack.folder / "data/blobs/objects").rglob("*")
    blob = next(path for path in files if path.is_file())
    place = blob.relative_to(stack.folder / "data/blobs").as_posix()
    for address in (f"/upres-files/{place}", "/upres-files/../jobs.sqlite", "/upres-errors/page"):
        assert http.get(address).status_code == 404


def test_only_what_was_asked_for_is_open_to_the_group(stack: Stack) -> None:
    assert (stack.folder / "data").stat().st_mode & 0o777 == 0o710
    assert (stack.folder / "data" / "jobs.sqlite").stat().st_mode & 0o007 in {0, 4}


def test_none_is_doubled(http: httpx.Client, done: dict[str, Any]) -> None:
    pages = ["/", "/livez", "/api/v1/models", "/nowhere", *done["links"].values()]
    for address in pages:
        if not address.endswith("/events"):
            answer = http.get(address)
            for name in SECURITY:
                assert len(answer.headers.get_list(name)) == 1, (address, name)


def test_a_file_cannot_run(http: httpx.Client, done: dict[str, Any]) -> None:
    answer = http.get(done["links"]["result"])
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_the_error_page_is_allowed_its_own_style() -> None:
    """The hash in its policy is that of the style in it."""
    text = (DEPLOY / "nginx" / "upres.conf").read_text("utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in text


def test_metrics_are_nobodys_business(http: httpx.Client) -> None:
    assert http.get("/metrics").status_code == 404


def owner_of(stack: Stack, job_id: str) -> str:
    with sqlite3.connect(stack.folder / "data" / "jobs.sqlite", timeout=30) as table:
        return str(table.execute("SELECT owner FROM jobs WHERE id = ?", [job_id]).fetchone()[0])


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"X-Forwarded-For": "203.0.113.7"},
        {"X-Forwarded-For": "203.0.113.7, 198.51.100.2"},
        {"X-Real-IP": "203.0.113.7", "Forwarded": "for=203.0.113.7"},
    ],
)
def test_a_client_is_who_it_is(stack: Stack, sent: dict[str, str]) -> None:
    """Whatever it says; limits and queues count by this address."""
    for address in ("127.0.0.1", "127.0.0.9"):
        way = httpx.HTTPTransport(local_address=address)
        with httpx.Client(base_url=stack.url, transport=way, timeout=PATIENCE_S) as http:
            job = http.post("/api/v1/jobs", content=photo(8), headers=sent).json()
        assert owner_of(stack, job["id"]) == f"address:{address}"


def test_nobody_behind_nginx_is_the_operator(http: httpx.Client) -> None:
    """Who pulls models is at the machine itself, and came through no proxy."""
    assert http.post("/api/v1/models/edsr/pull").status_code == 401


def test_events_come_as_they_happen(make_stack: Callable[..., Stack]) -> None:
    """Each before the next thing happens, and not when the stream is over."""
    with make_stack("events", workers=0) as stack:
        with httpx.Client(base_url=stack.url, timeout=PATIENCE_S) as http:
            job = http.post("/api/v1/jobs", params={"model": "bicubic"}, content=photo()).json()
            states: list[tuple[str, float]] = []
            with http.stream("GET", job["links"]["events"]) as stream:
                assert stream.headers["Content-Type"].startswith("text/event-stream")
                for line in stream.iter_lines():
                    if line.startswith("data: ") and "state" in line:
                        states.append((json.loads(line[6:])["state"], time.monotonic()))
                        if len(states) == 1:
                            began = time.monotonic()
                            timer = threading.Timer(1.0, stack.start_worker, [0])
                            timer.start()
        assert [states[0][0], states[-1][0]] == ["queued", "done"]
        assert states[0][1] <= began
        assert states[-1][1] >= began + 1.0


def test_without_a_service_nginx_says_so_and_slows_floods_down(
    make_stack: Callable[..., Stack],
) -> None:
    """More at once than anybody needs gets 429, with a time to return."""
    with make_stack("away", workers=0) as stack:
        for port in stack.web_ports:
            assert stack.stop_web(port) == 0
        with httpx.Client(base_url=stack.url, timeout=PATIENCE_S) as http:
            answer = http.get("/api/v1/models")
            assert answer.status_code == 502
            assert answer.json()["code"] == "bad-gateway"
            assert int(answer.headers["Retry-After"]) > 0
            assert "being restarted" in http.get("/", headers={"Accept": "text/html"}).text
            sent = 2
            while answer.status_code == 502 and sent < 5000:
                answer = http.get("/api/v1/models")
                sent += 1
        assert answer.status_code == 429
        assert answer.json()["code"] == "rate-limited"
        assert int(answer.headers["Retry-After"]) > 0
        assert sent > 200
