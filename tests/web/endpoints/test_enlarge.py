"""The picture in one request: in time, late, refused, and where too many wait already."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from endpoint_cases import QUICK, damaged, done, form, problem
from picture_files import opened

from upres.web.serving import serving

if TYPE_CHECKING:
    from apiflask import APIFlask
    from endpoint_cases import Reader

    from upres.service.parts import Service

ENLARGE = "/api/v1/enlarge"


@pytest.mark.usefixtures("worker")
def test_done_in_time(client: Reader, drawing: bytes) -> None:
    """The picture itself, and where it stays."""
    answer = client.post(ENLARGE, data=drawing, query_string={**QUICK, "scale": 2})
    assert answer.status_code == 200
    assert answer.mimetype == "image/png"
    assert opened(answer.data).size == (80, 60)
    assert "Preference-Applied" not in answer.headers
    assert client.get(answer.headers["Content-Location"]).data == answer.data


@pytest.mark.usefixtures("worker")
def test_in_json(client: Reader, drawing: bytes) -> None:
    """Where that is preferred."""
    headers = {"Accept": "application/json"}
    answer = client.post(ENLARGE, **form(drawing), query_string=QUICK, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json["width"] == 120


@pytest.mark.parametrize(
    ("preference", "applied"),
    [("wait=0", "wait=0"), ("respond-async", "respond-async"), ("respond-async, wait=0", "wait=0")],
)
def test_not_to_wait(client: Reader, drawing: bytes, preference: str, applied: str) -> None:
    """202 at once."""
    answer = client.post(ENLARGE, data=drawing, query_string=QUICK, headers={"Prefer": preference})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == applied
    assert client.get(answer.headers["Location"]).json["id"] == answer.json["id"]


def test_not_done_in_time(client: Reader, drawing: bytes) -> None:
    """202 after that time; the job stays."""
    began = time.monotonic()
    answer = client.post(ENLARGE, data=drawing, query_string=QUICK, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert 1 <= time.monotonic() - began < 5
    assert answer.json["state"] == "queued"


@pytest.mark.parametrize("preference", ["wait=x", "wait", "wait=-1", "handling=lenient", "wait=²"])
@pytest.mark.usefixtures("worker")
def test_preferences_that_are_none(client: Reader, drawing: bytes, preference: str) -> None:
    """What cannot be understood is not asked for."""
    answer = client.post(
        ENLARGE,
        data=drawing,
        query_string=QUICK,
        headers=[("Prefer", preference.encode().decode("latin-1"))],
    )
    assert answer.status_code == 200


@pytest.mark.usefixtures("worker")
def test_a_job_that_fails(client: Reader, drawing: bytes) -> None:
    """The answer is the problem that it failed of, with its status."""
    answer = client.post(ENLARGE, data=damaged(drawing), query_string=QUICK)
    problem(answer, 422, "bad-picture")
    assert client.get(answer.headers["Location"]).json["state"] == "failed"


def test_a_job_that_is_cancelled_meanwhile(
    client: Reader, service: Service, drawing: bytes
) -> None:
    """By somebody else who knows its id."""

    def cancel() -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with service.table.engine.connect() as connection:
                row = connection.exec_driver_sql("SELECT id FROM jobs").first()
            if row is not None:
                service.table.request_cancel(row[0])
                return
            time.sleep(0.01)

    other = threading.Thread(target=cancel)
    other.start()
    problem(client.post(ENLARGE, data=drawing, query_string=QUICK), 409, "cancelled")
    other.join()


def test_all_places_to_wait_are_taken(app: APIFlask, client: Reader, drawing: bytes) -> None:
    """It is told at once that the job is there, and no thread more is held."""
    with app.app_context():
        waiting = serving().waiting
    places = [waiting.take(str(number)) for number in range(waiting.number)]
    assert all(places)
    assert waiting.take("another") is None
    began = time.monotonic()
    assert client.post(ENLARGE, data=drawing, query_string=QUICK).status_code == 202
    problem(client.post("/upload", **form(drawing)), 503, "not-done-yet")
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("worker")
def test_places_are_given_back(app: APIFlask, client: Reader, drawing: bytes) -> None:
    """After every end."""
    with app.app_context():
        waiting = serving().waiting
    for picture in (drawing, damaged(drawing)):
        client.post(ENLARGE, data=picture, query_string=QUICK)
    free = [waiting.take(str(number)) for number in range(waiting.number)]
    assert all(free)


@pytest.mark.parametrize("address", [ENLARGE, "/upload"])
def test_the_server_is_about_to_stop(
    app: APIFlask, client: Reader, drawing: bytes, address: str
) -> None:
    """Who waits is sent away, and told where the job is."""
    with app.app_context():
        draining = serving().draining
    threading.Timer(0.2, draining.set).start()
    answer = client.post(address, **form(drawing))
    problem(answer, 503, "server-stopping")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(answer.headers["Location"]).json["state"] == "queued"


@pytest.mark.usefixtures("worker")
def test_a_wait_costs_little(client: Reader, drawing: bytes) -> None:
    """The end is noticed soon: from the job's end to the answer a few hundredths of a second."""
    job = done(client, client.post("/api/v1/jobs", data=drawing, query_string=QUICK).json)
    assert job["state"] == "done"
    began = time.monotonic()
    answer = client.post(ENLARGE, data=drawing, query_string={**QUICK, "scale": 2})
    assert answer.status_code == 200
    assert time.monotonic() - began < 3


@pytest.mark.usefixtures("worker")
def test_a_wait_that_was_asked_for_is_told(client: Reader, drawing: bytes) -> None:
    """As it was granted; what is there at once is not called late."""
    for preference, applied in (("wait=9999", "wait=300"), ("respond-async", None)):
        answer = client.post(
            ENLARGE, data=drawing, query_string=QUICK, headers={"Prefer": preference}
        )
        assert answer.status_code == 200
        assert answer.headers.get("Preference-Applied") == applied


def test_one_client_gets_a_third_of_the_places(
    app: APIFlask, client: Reader, drawing: bytes
) -> None:
    """Another still waits when it has as many as it may."""
    with app.app_context():
        waiting = serving().waiting
    assert 2 <= waiting.each <= waiting.number // 3
    places = [waiting.take("address:127.0.0.1") for _ in range(waiting.each)]
    assert all(places)
    sent = {"data": drawing, "query_string": QUICK, "headers": {"Prefer": "wait=2"}}
    began = time.monotonic()
    assert client.post(ENLARGE, **sent).status_code == 202
    assert time.monotonic() - began < 2
    elsewhere = {"REMOTE_ADDR": "127.0.0.2"}
    assert client.post(ENLARGE, **sent, environ_overrides=elsewhere).status_code == 202
    assert time.monotonic() - began > 2


def test_who_has_gone_waits_no_longer(client: Reader, drawing: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        threading.Timer(0.2, theirs.close).start()
        began = time.monotonic()
        answer = client.post(
            ENLARGE,
            data=drawing,
            query_string=QUICK,
            environ_overrides={"gunicorn.socket": ours},
        )
    assert answer.status_code == 202
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("code", "again"), [("job-timeout", False), ("out-of-memory", False), ("disk-full", True)]
)
def test_who_may_come_again_is_told_so(
    client: Reader,
    service: Service,
    drawing: bytes,
    code: str,
    again: bool,  # noqa: FBT001
) -> None:
    """Not where the job would fail of the same."""

    def fail() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            claim = service.table.claim("worker", lease_s=30)
            if claim is not None:
                service.table.fail(claim, code=code, text="so it is")
                return
            time.sleep(0.01)

    thread = threading.Thread(target=fail)
    thread.start()
    answer = client.post(ENLARGE, data=drawing, query_string=QUICK)
    thread.join()
    problem(answer, 503, code)
    assert ("Retry-After" in answer.headers) is again
