"""The picture in one request: in time, late, refused, and where too many wait already."""

from __future__ import annotations

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
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert client.get(answer.headers["Content-Location"]).data == answer.data


@pytest.mark.usefixtures("worker")
def test_in_json(client: Reader, drawing: bytes) -> None:
    """Where that is preferred."""
    headers = {"Accept": "application/json"}
    answer = client.post(ENLARGE, **form(drawing), query_string=QUICK, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json["width"] == 120


@pytest.mark.parametrize("preference", ["wait=0", "respond-async", "respond-async, wait=0"])
def test_not_to_wait(client: Reader, drawing: bytes, preference: str) -> None:
    """202 at once."""
    answer = client.post(ENLARGE, data=drawing, query_string=QUICK, headers={"Prefer": preference})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=0"
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
    places = [waiting.take() for _ in range(waiting.number)]
    assert all(places)
    assert waiting.take() is None
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
    free = [waiting.take() for _ in range(waiting.number)]
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
