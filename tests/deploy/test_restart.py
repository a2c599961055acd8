"""Restarts that nobody notices: SIGHUP, one process after the other, and one killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from picture_files import saved, scene
from web_server import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proofs.deployment.stack import Stack

PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def idle(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """Return a stack whose worker is only started by the last test."""
    with make_stack("idle", workers=0) as running:
        yield running


def photo(seed: int) -> bytes:
    return saved(scene(40, 24 + seed % 50), "png")


def hang_up(stack: Stack, port: int) -> None:
    before = stack.answering(port)
    stack.hang_up(port)
    eventually(lambda: stack.answering(port) and not set(before) & set(stack.answering(port)))


def kill(stack: Stack, port: int) -> None:
    """Kill the process that answers at a port; gunicorn starts it anew."""
    for pid in stack.answering(port):
        os.kill(pid, signal.SIGKILL)
    stack.wait_ready(port=port)


def hang_both_up(stack: Stack) -> None:
    for port in stack.web_ports:
        hang_up(stack, port)


def restart_both(stack: Stack) -> None:
    for port in stack.web_ports:
        stack.restart_web(port)


def test_who_waits_is_answered_through_everything(idle: Stack) -> None:
    """An upload and a request with Prefer wait for a worker; no process lives through it."""
    answers: dict[str, httpx.Response] = {}

    def upload() -> None:
        files = {"image": ("p.png", photo(1))}
        answers["upload"] = httpx.post(f"{idle.url}/upload", files=files, timeout=PATIENCE_S)

    def enlarge() -> None:
        answers["enlarge"] = httpx.post(
            f"{idle.url}/api/v1/enlarge",
            params={"model": "bicubic"},
            content=photo(2),
            headers={"Prefer": "wait=80"},
            timeout=PATIENCE_S,
        )

    waiting = [threading.Thread(target=one) for one in (upload, enlarge)]
    for one in waiting:
        one.start()
    eventually(lambda: jobs(idle) == 2)
    for disturb in (
        hang_both_up,
        restart_both,
        lambda stack: kill(stack, stack.web_ports[0]),
        lambda stack: kill(stack, stack.web_ports[1]),
    ):
        disturb(idle)
        time.sleep(0.5)
        assert not answers
    idle.start_worker(0)
    for one in waiting:
        one.join()
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "upload": 200,
        "enlarge": 200,
    }
    assert answers["upload"].headers["Content-Type"] == "image/jpeg"
    assert jobs(idle) == 2


def test_a_request_that_is_handed_over_counts_once(make_stack: Callable[..., Stack]) -> None:
    """Against the pictures that a client may send in a minute: here it is one."""
    with make_stack("counted", workers=0, requests_per_minute=1) as stack:
        answers: list[httpx.Response] = []

        def upload() -> None:
            files = {"image": ("p.png", photo(3))}
            answers.append(httpx.post(f"{stack.url}/upload", files=files, timeout=PATIENCE_S))

        waiting = threading.Thread(target=upload)
        waiting.start()
        eventually(lambda: jobs(stack) == 1)
        hang_both_up(stack)
        restart_both(stack)
        time.sleep(0.5)
        assert not answers
        # it was counted: there is no room for another one
        assert httpx.post(f"{stack.url}/api/v1/jobs", content=photo(4)).status_code == 429
        stack.start_worker(0)
        waiting.join()
        assert [answer.status_code for answer in answers] == [200]
        assert jobs(stack) == 1


def jobs(stack: Stack) -> int:
    import sqlite3

    with sqlite3.connect(stack.folder / "data" / "jobs.sqlite", timeout=30) as table:
        return int(table.execute("SELECT COUNT(*) FROM jobs").fetchone()[0])


def test_under_load_nothing_is_lost(make_stack: Callable[..., Stack]) -> None:
    """Every request sent meanwhile is answered, and none made two jobs."""
    with make_stack("load") as stack:
        over = threading.Event()
        answers: list[Any] = []

        def send(number: int) -> None:
            with httpx.Client(base_url=stack.url, timeout=PATIENCE_S) as http:
                while not over.is_set():
                    number += 4
                    try:
                        answer = http.post(
                            "/api/v1/enlarge",
                            params={"model": "bicubic", "scale": 1 + number / 1000},
                            content=photo(number),
                        )
                    except httpx.HTTPError as error:
                        answers.append(repr(error))
                    else:
                        answers.append(answer.status_code)

        clients = [threading.Thread(target=send, args=[number]) for number in range(4)]
        for one in clients:
            one.start()
        for disturb in (hang_both_up, restart_both):
            disturb(stack)
        over.set()
        for one in clients:
            one.join()
        assert [answer for answer in answers if answer != 200] == []
        assert len(answers) > 20
        assert jobs(stack) == len(answers)


def test_new_settings_are_taken_and_wrong_ones_are_not(make_stack: Callable[..., Stack]) -> None:
    """A slip of the pen stops nothing."""
    with make_stack("settings", workers=0) as stack:
        port = stack.web_ports[0]

        def limit() -> object:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/limits", timeout=PATIENCE_S)
            return answer.json()["upload_bytes"]

        for text, expected in (
            ("upload_bytes = 123456", 123456),
            ("upload_bites = 5", 123456),
            ("upload_bytes = 234567", 234567),
        ):
            stack.settings_file.write_text(text)
            hang_up(stack, port)
            assert limit() == expected
        assert "the new settings are not taken" in stack.log(f"web {port}")
