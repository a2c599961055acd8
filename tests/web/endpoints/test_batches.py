"""Many pictures in one request, and their results in one ZIP."""

from __future__ import annotations

import io
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from endpoint_cases import QUICK, done, problem, submitted

from upres.errors import RateLimited
from upres.service.settings import ServiceSettings
from upres.web import batches

if TYPE_CHECKING:
    from endpoint_cases import Reader

    from upres.service.parts import Service

BATCHES = "/api/v1/batches"
ARCHIVE = "/api/v1/archive"


def sent(client: Reader, pictures: dict[str, bytes], **options: Any) -> Any:
    """Send pictures by their names."""
    files = [(io.BytesIO(data), name) for name, data in pictures.items()]
    return client.post(
        BATCHES,
        data={"image": files},
        content_type="multipart/form-data",
        query_string=QUICK,
        **options,
    )


def test_each_picture_for_itself(client: Reader, photo: bytes, drawing: bytes) -> None:
    """One that is refused keeps no other from its job."""
    answer = sent(client, {"a.jpg": photo, "b.pdf": b"%PDF-1.7", "c.png": drawing})
    assert answer.status_code == 200
    first, second, third = answer.json["pictures"]
    assert [one["name"] for one in (first, second, third)] == ["a.jpg", "b.pdf", "c.png"]
    assert second["job"] is None
    assert second["error"]["code"] == "unsupported-picture"
    for one in (first, third):
        assert one["error"] is None
        assert client.get(one["job"]["links"]["job"]).json["name"] == one["name"]


def test_a_key_names_every_picture(client: Reader, photo: bytes, drawing: bytes) -> None:
    """The same batch again gives the same jobs."""
    headers = {"Idempotency-Key": "batch"}
    ids = [
        [one["job"]["id"] for one in answer.json["pictures"]]
        for answer in (
            sent(client, {"a.jpg": photo, "b.png": drawing}, headers=headers) for _ in range(2)
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_limits_hold_for_each_picture(client: Reader, service: Service, photo: bytes) -> None:
    """Of the limits per minute each is one request."""
    object.__setattr__(service.settings, "output_pixels", 100)
    answer = sent(client, {"a.jpg": photo})
    assert answer.json["pictures"][0]["error"]["code"] == "picture-too-large"


def test_no_pictures_and_too_many(client: Reader, photo: bytes) -> None:
    """Refused as a whole."""
    problem(client.post(BATCHES), 400, "no-file")
    problem(client.post(BATCHES, data=photo), 400, "no-file")
    many = sent(client, {f"{n}.jpg": photo for n in range(batches.BATCH_PICTURES + 1)})
    problem(many, 422, "invalid-option")


@pytest.mark.usefixtures("worker")
def test_results_in_one_zip(client: Reader, photo: bytes, drawing: bytes) -> None:
    """Under names of their own, with the bytes that they have alone."""
    jobs = [
        done(client, submitted(client, photo, name="a/Straße.jpg")),
        done(client, submitted(client, photo, name="straSSe.jpg", quality=50)),
        done(client, submitted(client, drawing, name="c.png", width=100)),
    ]
    answer = client.get(ARCHIVE, query_string={"job": [job["id"] for job in jobs]})
    assert answer.status_code == 200
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="upres.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["Straße_x3.jpg", "straSSe_x3-2.jpg", "c_100x75.png"]
        for job, name in zip(jobs, archive.namelist(), strict=True):
            assert archive.read(name) == client.get(job["links"]["result"]).data
            assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED


def test_a_zip_is_whole_or_refused(
    client: Reader, worker: threading.Event, photo: bytes, drawing: bytes
) -> None:
    """Before its first byte."""
    job = done(client, submitted(client, photo))
    worker.set()
    waiting = submitted(client, drawing)

    def asked(*ids: str) -> Any:
        return client.get(ARCHIVE, query_string={"job": list(ids)})

    problem(asked(job["id"], waiting["id"]), 409, "job-not-ready")
    problem(asked(job["id"], "x"), 404, "job-missing")
    problem(asked(), 422, "invalid-option")
    assert len(zipfile.ZipFile(io.BytesIO(asked(job["id"], job["id"]).data)).namelist()) == 1


def test_when_to_send_one_again(
    client: Reader, monkeypatch: pytest.MonkeyPatch, photo: bytes, drawing: bytes
) -> None:
    """Is told of each that was refused for now, and of no other."""
    calls: list[int] = []

    def charge() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise RateLimited("requests", limit=2, retry_after_s=7)

    monkeypatch.setattr(batches, "charge_request", charge)
    pictures = {"a.jpg": photo, "b.pdf": b"%PDF-1.7", "c.png": drawing}
    first, second, third = sent(client, pictures).json["pictures"]
    assert first["error"] is None
    assert second["error"]["retry_after_s"] is None
    assert (third["error"]["code"], third["error"]["retry_after_s"]) == ("rate-limited", 7)


def test_a_batch_fits_into_a_minute() -> None:
    """With the settings that everybody has."""
    assert ServiceSettings().requests_per_minute >= batches.BATCH_PICTURES
