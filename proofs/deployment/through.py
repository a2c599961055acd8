"""What passes through nginx: large uploads, events, files, addresses."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.deployment.stack import Stack

_DOUBLED = {"model": "bicubic", "scale": "2", "format": "png"}
_LARGE_BYTES = 49_900_000
_OVER_BYTES = 60_000_000
_APART_S = 0.4


@contextlib.contextmanager
def running(**settings: Any) -> Iterator[tuple[Stack, httpx.Client]]:
    """Run a stack in a new folder that others may go through, with a client of it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        with (
            Stack(Path(name), **settings) as stack,
            httpx.Client(base_url=stack.url, timeout=300) as http,
        ):
            yield stack, http


def picture(seed: int, width: int, height: int) -> bytes:
    """Return a PNG of noise, stored without compressing: about three bytes a pixel."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG", compress_level=0)
        return file.getvalue()


def measure_uploads(seed: int) -> dict[str, Any]:
    """Send 49.9 MB, which are accepted and done, and 60 MB, which are refused in words."""
    side = 4080
    large = picture(seed, side, side)
    large += b"\0" * (_LARGE_BYTES - len(large))
    with running(workers=1) as (_, http):
        answer = http.post(
            "/api/v1/enlarge",
            params={"model": "bicubic", "scale": 1, "format": "jpeg"},
            content=large,
            headers={"Prefer": "wait=300"},
        )
        over = b"x" * _OVER_BYTES
        problem = http.post("/api/v1/jobs", content=over)
        page = http.post("/upload", content=over, headers={"Accept": "text/html"})
        alive = http.get("/livez").status_code
    size = Image.open(io.BytesIO(answer.content)).size
    told = problem.json()
    return {
        "accepted_bytes": len(large),
        "accepted": {"status": answer.status_code, "size": size},
        "refused_bytes": _OVER_BYTES,
        "problem": {"status": problem.status_code, "type": problem.headers["Content-Type"]} | told,
        "page": {"status": page.status_code, "type": page.headers["Content-Type"]},
        "page_says": "larger than this server takes" in page.text,
        "alive_after": alive,
        "passed": answer.status_code == httpx.codes.OK
        and size == (side, side)
        and (problem.status_code, told["code"]) == (413, "request-too-large")
        and page.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        and page.headers["Content-Type"].startswith("text/html")
        and "larger than this server takes" in page.text
        and alive == httpx.codes.OK,
    }


def measure_events(seed: int) -> dict[str, Any]:
    """Follow a job that is long in tiles: what is told arrives when it is told, not at the end."""
    with running(workers=1) as (_, http):
        content = picture(seed, 1600, 1600)
        params = {"model": "fast", "tta": "true", "scale": "3"}
        job = http.post("/api/v1/jobs", params=params, content=content).json()
        began = time.monotonic()
        states = []
        with http.stream("GET", job["links"]["events"]) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and '"state"' in line:
                    told = json.loads(line[6:])
                    states.append((round(time.monotonic() - began, 3), told["state"]))
        lasted_s = time.monotonic() - began
    spread = [at for at, state in states if state == "running"]
    apart = len({int(at / _APART_S) for at in spread})
    return {
        "lasted_s": round(lasted_s, 2),
        "events": len(states),
        "arrived_after_s": states[:40],
        "different_moments": apart,
        "passed": states[-1][1] == "done" and apart >= 3 and spread[0] < lasted_s / 2,  # noqa: PLR2004
    }


def measure_files(seed: int) -> dict[str, Any]:
    """Fetch a result while what answers is frozen after its answer: nginx alone sends the bytes."""
    with running(workers=1) as (stack, http):
        content = picture(seed, 1500, 1500)
        wait = {"Prefer": "wait=120"}
        http.post("/api/v1/enlarge", params=_DOUBLED, content=content, headers=wait)
        job = http.post("/api/v1/jobs", params=_DOUBLED, content=content).json()
        link = job["links"]["result"]
        whole = http.get(link)
        tag, length = whole.headers["ETag"], len(whole.content)
        got = bytearray()
        with http.stream("GET", link) as stream:
            pieces = stream.iter_raw(65536)
            got += next(pieces)
            frozen = [pid for port in stack.web_ports for pid in stack.answering(port)]
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            for piece in pieces:
                got += piece
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        part = http.get(link, headers={"Range": "bytes=1000-1999", "If-Range": tag})
        other = http.get(link, headers={"Range": "bytes=1000-1999", "If-Range": '"x"'})
        same = http.get(link, headers={"If-None-Match": tag})
        direct = httpx.get(f"http://127.0.0.1:{stack.web_ports[0]}{link}")
    doubled = [
        name
        for name in ("etag", "cache-control", "content-security-policy", "x-content-type-options")
        if len(whole.headers.get_list(name)) != 1
    ]
    return {
        "result_bytes": length,
        "etag": tag,
        "sent_while_the_service_was_frozen": bytes(got) == whole.content,
        "the_services_own_answer": {
            "redirect": direct.headers["X-Accel-Redirect"],
            "bytes": len(direct.content),
        },
        "range": {"status": part.status_code, "content_range": part.headers["Content-Range"]},
        "range_of_another": other.status_code,
        "not_modified": same.status_code,
        "headers_not_there_exactly_once": doubled,
        "passed": bytes(got) == whole.content
        and direct.content == b""
        and (part.status_code, part.content) == (206, whole.content[1000:2000])
        and (other.status_code, len(other.content)) == (200, length)
        and (same.status_code, same.headers["ETag"]) == (304, tag)
        and not doubled,
    }


def measure_address(seed: int) -> dict[str, Any]:
    """Look up whom jobs belong to, from two addresses, with and without false words about it."""
    false = [
        {},
        {"X-Forwarded-For": "203.0.113.7"},
        {"X-Forwarded-For": "203.0.113.7, 198.51.100.2"},
        {"X-Real-IP": "203.0.113.7", "Forwarded": "for=203.0.113.7"},
    ]
    rows = []
    with running(workers=1) as (stack, _):
        for address in ("127.0.0.1", "127.0.0.9"):
            way = httpx.HTTPTransport(local_address=address)
            with httpx.Client(base_url=stack.url, transport=way, timeout=60) as http:
                for headers in false:
                    content = picture(seed, 8, 8)
                    job = http.post("/api/v1/jobs", content=content, headers=headers).json()
                    rows.append(
                        {"from": address, "sent": headers, "owner": _owner(stack, job["id"])}
                    )
    return {
        "rows": rows,
        "passed": all(row["owner"] == f"address:{row['from']}" for row in rows),
    }


def _owner(stack: Stack, job_id: str) -> str:
    with sqlite3.connect(stack.folder / "data" / "jobs.sqlite", timeout=30) as table:
        return str(table.execute("SELECT owner FROM jobs WHERE id = ?", [job_id]).fetchone()[0])


def measure_restarts(seed: int) -> dict[str, Any]:
    """Restart in every way, five times over, under the load of clients that wait and fetch."""
    with running(workers=1) as (stack, http):
        over = threading.Event()
        sent: list[dict[str, Any]] = []
        clients = [
            threading.Thread(target=_load, args=[stack.url, seed + n, over, sent]) for n in range(6)
        ]
        for one in clients:
            one.start()
        disturbances: list[str] = []
        for _ in range(5):
            for port in stack.web_ports:
                before = stack.answering(port)
                stack.hang_up(port)
                while not stack.answering(port) or set(before) & set(stack.answering(port)):
                    time.sleep(0.05)
                disturbances.append("SIGHUP")
            for port in stack.web_ports:
                stack.restart_web(port)
                disturbances.append("restart")
        over.set()
        for one in clients:
            one.join()
        time.sleep(1)
        with sqlite3.connect(stack.folder / "data" / "jobs.sqlite", timeout=30) as table:
            states = dict(table.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state"))
        missing = [row["job"] for row in sent if _got(http, row["job"]).status_code != 200]  # noqa: PLR2004
    wrong = [row for row in sent if row["outcome"] != "right"]
    return {
        "disturbances": disturbances,
        "requests": len(sent),
        "told_to_slow_down": sum(row.get("slowed_down", 0) for row in sent),
        "not_right": wrong[:20],
        "jobs_by_state": states,
        "jobs_that_are_gone": missing[:20],
        "passed": not wrong and not missing and states == {"done": len(sent)},
    }


def _load(url: str, seed: int, over: threading.Event, sent: list[dict[str, Any]]) -> None:
    """Send pictures one after the other; each answer must be the picture, or the job at its end."""
    number = 0
    with httpx.Client(base_url=url, timeout=120) as http:
        while not over.is_set():
            number += 1
            content = picture(1000 * seed + number, 40, 30)
            row: dict[str, Any] = {"outcome": "", "job": ""}
            try:
                if number % 2:
                    _asked(http, content, row)
                else:
                    _followed(http, content, row)
            except (httpx.HTTPError, KeyError) as error:
                row["outcome"] = repr(error)
            sent.append(row)


def _asked(http: httpx.Client, content: bytes, row: dict[str, Any]) -> None:
    answer = _posted(http, "/api/v1/enlarge", content, row)
    if answer.status_code == httpx.codes.ACCEPTED:  # it takes longer than a request waits
        _watched(http, answer.json(), row)
        return
    if answer.status_code != httpx.codes.OK:
        row["outcome"] = f"{answer.status_code} {answer.text[:200]}"
        return
    row["job"] = answer.headers["Content-Location"].removesuffix("/result")
    row["outcome"] = "right" if _size(answer.content) == (80, 60) else "another size"


def _followed(http: httpx.Client, content: bytes, row: dict[str, Any]) -> None:
    """Submit a job and follow it to its result."""
    answer = _posted(http, "/api/v1/jobs", content, row)
    if not answer.is_success:
        row["outcome"] = f"{answer.status_code} {answer.text[:200]}"
        return
    _watched(http, answer.json(), row)


def _posted(http: httpx.Client, path: str, content: bytes, row: dict[str, Any]) -> httpx.Response:
    """Send a picture, later again where the server says that this was too fast."""
    while True:
        answer = http.post(path, params=_DOUBLED, content=content)
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            return answer
        row["slowed_down"] = row.get("slowed_down", 0) + 1
        time.sleep(float(answer.headers["Retry-After"]))


def _watched(http: httpx.Client, job: dict[str, Any], row: dict[str, Any]) -> None:
    """Read a job's events, again where a stream ends before it does, and fetch the result."""
    row["job"] = job["links"]["job"]
    until = time.monotonic() + 60
    state, ends = "", 0
    while state not in {"done", "failed", "cancelled"} and time.monotonic() < until:
        with http.stream("GET", job["links"]["events"]) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and '"state"' in line:
                    state = json.loads(line[6:])["state"]
        ends += 1
    row["streams"] = ends
    result = _got(http, job["links"]["result"])
    right = result.status_code == httpx.codes.OK and _size(result.content) == (80, 60)
    row["outcome"] = "right" if right else f"{state} {result.status_code}"


def _got(http: httpx.Client, path: str) -> httpx.Response:
    """Fetch something, later again where the server says that this was too fast."""
    while (answer := http.get(path)).status_code == httpx.codes.TOO_MANY_REQUESTS:
        time.sleep(float(answer.headers["Retry-After"]))
    return answer


def _size(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size
