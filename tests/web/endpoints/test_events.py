"""Following a job: every state once, an end with a reason, few places."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from endpoint_cases import problem, submitted

from upres.service.parts import Service
from upres.service.settings import ServiceSettings
from upres.web import events
from upres.web.keys import Keyring
from upres.web.serving import Serving, serving

if TYPE_CHECKING:
    from pathlib import Path

    from apiflask import APIFlask
    from endpoint_cases import Reader


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.02)


def parsed(text: str) -> list[dict[str, Any]]:
    """Return the events of a stream; comments are events without fields."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        found.append(fields | {"data": json.loads(fields.get("data", "null"))})
    return [one for one in found if "event" in one]


def test_from_the_queue_to_the_end(client: Reader, worker: threading.Event, photo: bytes) -> None:
    """Each with the job as one would get it, at last why the stream ends."""
    worker.set()
    job = submitted(client, photo)
    threading.Timer(0.3, worker.clear).start()
    answer = client.get(job["links"]["events"])
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.text.startswith("retry: ")
    *states, bye = parsed(answer.text)
    assert [one["event"] for one in states] == ["state"] * len(states)
    assert states[0]["data"] == job
    assert states[-1]["data"] == client.get(job["links"]["job"]).json
    assert states[-1]["data"]["state"] == "done"
    assert (bye["event"], bye["data"]) == ("bye", {"reason": "ended"})
    assert len({one["id"] for one in states}) == len(states)
    again = client.get(job["links"]["events"], headers={"Last-Event-ID": states[-1]["id"]})
    assert again.status_code == 204
    missed = client.get(job["links"]["events"], headers={"Last-Event-ID": states[0]["id"]})
    assert [one["event"] for one in parsed(missed.text)] == ["state", "bye"]


def test_nothing_is_told_twice(
    client: Reader, app: APIFlask, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between changes there are pings, and the server's end ends the stream."""
    monkeypatch.setattr(events, "PING_S", 0.05)
    with app.app_context():
        draining = serving().draining
    job = submitted(client, photo)
    answer = client.get(job["links"]["events"], buffered=False)
    text = ""
    for part in answer.response:
        text += part.decode()
        if text.count(": ping\n\n") == 3:
            draining.set()
    answer.close()
    told = parsed(text)
    assert [one["event"] for one in told] == ["state", "bye"]
    assert told[-1]["data"] == {"reason": "stopping"}


def test_a_stream_does_not_last_for_ever(client: Reader, service: Service, photo: bytes) -> None:
    """Its client comes back, and goes on where it was."""
    object.__setattr__(service.settings, "sse_seconds", 0.1)
    job = submitted(client, photo)
    first, bye = parsed(client.get(job["links"]["events"]).text)
    assert bye["data"] == {"reason": "time"}
    following = client.get(job["links"]["events"], headers={"Last-Event-ID": first["id"]})
    assert [one["event"] for one in parsed(following.text)] == ["bye"]


def test_there_are_few_places(client: Reader, photo: bytes) -> None:
    """503 beyond them; a client that goes away makes room, whether it had read or not."""
    job = submitted(client, photo)
    streams = [client.get(job["links"]["events"], buffered=False) for _ in range(2)]
    busy = client.get(job["links"]["events"])
    problem(busy, 503, "server-busy")
    assert int(busy.headers["Retry-After"]) > 0
    assert client.get(job["links"]["job"]).status_code == 200
    assert next(iter(streams[0].response)).startswith(b"retry")
    for one in streams:
        one.close()
    again = client.get(job["links"]["events"], buffered=False)
    assert again.status_code == 200
    again.close()


def test_who_has_gone_is_told_no_more(client: Reader, photo: bytes) -> None:
    """Its place is free at the next look, though nothing had to be sent."""
    ours, theirs = socket.socketpair()
    job = submitted(client, photo)
    with ours:
        answer = client.get(
            job["links"]["events"], buffered=False, environ_overrides={"gunicorn.socket": ours}
        )
        parts = iter(answer.response)
        assert next(parts).startswith(b"retry")
        assert b"state" in next(parts)
        theirs.close()
        assert list(parts) == []
        answer.close()


def test_one_client_gets_half_of_the_places(tmp_path: Path) -> None:
    settings = ServiceSettings(data_folder=tmp_path)
    with closing(Service.open(settings)) as opened:
        streams = Serving.of(opened, Keyring(None)).streams
    mine = [streams.take("me") for _ in range(streams.number)]
    assert sum(place is not None for place in mine) == streams.number // 2
    assert streams.take("you") is not None
