"""Submitting, looking, cancelling, fetching: each with what it answers when that cannot be."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from endpoint_cases import JOBS, QUICK, damaged, done, form, problem, submitted
from picture_files import opened

if TYPE_CHECKING:
    from endpoint_cases import Reader

    from upres.service.parts import Service


def test_a_picture_as_the_body_becomes_a_job(client: Reader, photo: bytes) -> None:
    """Whatever its type is said to be: 202, where it is, how it stands."""
    answer = client.post(JOBS, data=photo, query_string=QUICK, content_type="text/plain")
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == job["links"]["job"] == f"{JOBS}/{job['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert job["state"] == "queued"
    assert job["position"] == 1
    assert job["progress"] == 0
    assert job["name"] == "picture"
    assert job["options"]["scale"] == 3
    assert job["options"]["format"] == "jpeg"
    assert job["result"] is None
    assert (job["ran"], job["from_cache"]) == (None, False)
    assert client.get(job["links"]["job"]).json == job


def test_a_form_carries_picture_and_options(client: Reader, photo: bytes) -> None:
    """Fields and query are the same options; empty fields are not given."""
    fields = {"scale": "2.5", "format": "png", "tta": "true", "width": ""}
    job = client.post(JOBS, **form(photo, **fields), query_string=QUICK).json
    assert job["name"] == "photo.jpg"
    assert (job["options"]["scale"], job["options"]["format"]) == (2.5, "png")
    assert job["options"]["tta"] is True
    assert job["options"]["model"] == "bicubic"


@pytest.mark.usefixtures("worker")
def test_the_result_is_fetched(client: Reader, drawing: bytes) -> None:
    """Its ETag is its hash, it never changes, and it is called after the picture."""
    first = client.post(JOBS, **form(drawing, name="ein Bild é.png"), query_string=QUICK).json
    job = done(client, first)
    assert job["state"] == "done"
    assert job["progress"] == 1
    answer = client.get(job["links"]["result"])
    assert answer.status_code == 200
    assert answer.mimetype == "image/png"
    assert opened(answer.data).size == (120, 90)
    assert job["result"] == {
        "format": "png",
        "width": 120,
        "height": 90,
        "bytes": len(answer.data),
        "sha256": hashlib.sha256(answer.data).hexdigest(),
        "reduced": False,
    }
    assert (job["ran"]["model"], job["from_cache"]) == ("bicubic", False)
    again = client.post(JOBS, **form(drawing), query_string=QUICK).json
    assert (again["ran"], again["from_cache"]) == (job["ran"], True)
    assert answer.headers["ETag"] == f'"{job["result"]["sha256"]}"'
    assert {"private", "immutable"} <= set(answer.headers["Cache-Control"].split(", "))
    assert "filename*=UTF-8''ein%20Bild%20%C3%A9_x3.png" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    source = client.get(job["links"]["source"])
    assert source.data == drawing
    assert source.mimetype == "image/png"


@pytest.mark.usefixtures("worker")
def test_parts_and_what_one_has_already(client: Reader, drawing: bytes) -> None:
    """206 and 304, and 416 as a problem."""
    address = done(client, submitted(client, drawing))["links"]["result"]
    whole = client.get(address)
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.data == whole.data[10:20]
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.data)}"
    known = client.get(address, headers={"If-None-Match": whole.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")
    resumed = client.get(address, headers={"Range": "bytes=10-", "If-Range": whole.headers["ETag"]})
    assert resumed.data == whole.data[10:]
    beyond = client.get(address, headers={"Range": f"bytes={len(whole.data)}-"})
    problem(beyond, 416, "requested-range-not-satisfiable")


@pytest.mark.usefixtures("worker")
def test_a_result_in_json(client: Reader, drawing: bytes) -> None:
    """Where JSON is preferred, and not where anything will do."""
    address = done(client, submitted(client, drawing))["links"]["result"]
    picture = client.get(address, headers={"Accept": "image/*, application/json;q=0.5"})
    assert picture.mimetype == "image/png"
    assert client.get(address, headers={"Accept": "*/*"}).mimetype == "image/png"
    answer = client.get(address, headers={"Accept": "application/json"})
    assert answer.mimetype == "application/json"
    assert answer.content_length == len(answer.data)
    assert answer.json["media_type"] == "image/png"
    assert base64.b64decode(answer.json["data"], validate=True) == picture.data
    assert "Accept" in answer.headers["Vary"]
    etag = answer.headers["ETag"]
    assert etag != picture.headers["ETag"]
    again = client.get(address, headers={"Accept": "application/json", "If-None-Match": etag})
    assert again.status_code == 304


def test_no_result_yet(client: Reader, photo: bytes) -> None:
    """409 says what the job does instead."""
    job = submitted(client, photo)
    body = problem(client.get(job["links"]["result"]), 409, "job-not-ready")
    assert "queued" in body["detail"]


def test_cancelling(client: Reader, photo: bytes) -> None:
    """It stays to be looked at, and can be cancelled again."""
    job = submitted(client, photo)
    for _ in range(2):
        answer = client.delete(job["links"]["job"])
        assert answer.status_code == 200
        assert answer.json["state"] == "cancelled"
    problem(client.get(job["links"]["result"]), 409, "job-not-ready")


@pytest.mark.parametrize("id_", ["nothing", "A" * 22, "a b", "%00", "ä", "A" * 5000])
@pytest.mark.parametrize("part", ["", "/result", "/source", "/events"])
def test_a_job_that_is_not_there(client: Reader, id_: str, part: str) -> None:
    """404 for every part of it."""
    answer = client.get(f"{JOBS}/{id_}{part}")
    assert answer.status_code == 404
    assert answer.json["code"] in {"job-missing", "not-found"}


@pytest.mark.usefixtures("worker")
def test_what_is_kept_no_longer(client: Reader, service: Service, drawing: bytes) -> None:
    """410 for a result that was evicted, and the job says so from then on."""
    job = done(client, submitted(client, drawing))
    service.blobs.delete(job["result"]["sha256"])
    problem(client.get(job["links"]["result"]), 410, "job-gone")
    assert client.get(job["links"]["job"]).json["state"] == "expired"
    problem(client.get(job["links"]["result"]), 410, "job-gone")
    problem(client.get(job["links"]["source"]), 410, "job-gone")


def test_a_source_that_is_kept_no_longer(client: Reader, service: Service, photo: bytes) -> None:
    """410, while the job is still there."""
    job = submitted(client, photo)
    service.blobs.delete(hashlib.sha256(photo).hexdigest())
    problem(client.get(job["links"]["source"]), 410, "job-gone")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scale": "17"}, "scale"),
        ({"scale": "0.5"}, "scale"),
        ({"scale": "nan"}, "scale"),
        ({"scale": "1_0"}, "scale"),
        ({"width": "12.5"}, "width"),
        ({"width": "0"}, "width"),
        ({"width": "9", "height": "9"}, "size"),
        ({"width": "10"}, "size"),
        ({"model": "nothing"}, "nothing"),
        ({"model": ""}, "model"),
        ({"tta": "yes"}, "tta"),
        ({"soften": "2"}, "soften"),
        ({"clean": "2"}, "clean"),
        ({"format": "bmp"}, "format"),
        ({"quality": "0"}, "quality"),
        ({"priority": "now"}, "priority"),
        ({"scael": "2"}, "scael"),
        ({"scale": ["2", "3"]}, "scale"),
    ],
)
def test_options_that_make_no_sense(
    client: Reader, photo: bytes, options: dict[str, Any], told: str
) -> None:
    """422 that names the option."""
    answer = client.post(JOBS, data=photo, query_string=options)
    code = "unknown-model" if told == "nothing" else "invalid-option"
    assert told in problem(answer, 422, code)["detail"]


def test_every_wrong_option_is_told_at_once(client: Reader, photo: bytes) -> None:
    """Not one after the other."""
    answer = client.post(JOBS, data=photo, query_string={"scale": "99", "quality": "no"})
    detail = problem(answer, 422, "invalid-option")["detail"]
    assert "scale" in detail
    assert "quality" in detail


def test_an_option_in_query_and_form(client: Reader, photo: bytes) -> None:
    """Which one is meant is not guessed."""
    answer = client.post(JOBS, **form(photo, scale="2"), query_string={"scale": "3"})
    problem(answer, 422, "invalid-option")


def test_no_picture(client: Reader, photo: bytes) -> None:
    """400, in a form and without one."""
    problem(client.post(JOBS), 400, "no-file")
    problem(client.post(JOBS, **form(b"", name="")), 400, "no-file")
    problem(client.post(JOBS, data={"file": (io.BytesIO(photo), "a.jpg")}), 400, "no-file")


def test_what_is_no_picture(client: Reader, photo: bytes) -> None:
    """415 for another kind of file, 422 for a damaged one."""
    pdf = client.post(JOBS, data=b"%PDF-1.7 and so on", query_string=QUICK)
    assert "PDF" in problem(pdf, 415, "unsupported-picture")["detail"]
    problem(client.post(JOBS, data=photo[:20], query_string=QUICK), 422, "bad-picture")


def test_the_name_is_made_harmless(client: Reader, photo: bytes) -> None:
    """No folders, no marks that turn the direction, no control characters."""
    names = {
        "../../etc/passwd": "passwd",
        "C:\\pictures\\a.jpg": "a.jpg",
        "a\u202egpj.exe": "agpj.exe",
        "..": "picture",
    }
    for given, shown in names.items():
        assert submitted(client, photo, name=given)["name"] == shown


def test_an_idempotency_key_names_a_request(client: Reader, photo: bytes) -> None:
    """The same once more is the same job; something else under it is refused."""
    headers = {"Idempotency-Key": "abc"}

    def send(**options: Any) -> Any:
        return client.post(JOBS, data=photo, query_string=QUICK | options, headers=headers)

    first = send().json
    assert send().json["id"] == first["id"]
    problem(send(scale=2), 422, "idempotency-conflict")
    assert submitted(client, photo)["id"] != first["id"]
    bad = client.post(JOBS, data=photo, headers={"Idempotency-Key": "x" * 300})
    problem(bad, 422, "invalid-option")


def test_a_result_that_is_there_is_there_at_once(
    client: Reader, worker: threading.Event, photo: bytes
) -> None:
    """The same picture with the same options is not enlarged again."""
    first = done(client, submitted(client, photo))
    worker.set()
    second = submitted(client, photo)
    assert second["state"] == "done"
    assert second["id"] != first["id"]
    assert second["result"] == first["result"]


def test_batch_jobs_let_others_go_first(client: Reader, photo: bytes, drawing: bytes) -> None:
    """By the option `priority`."""
    batch = submitted(client, photo, priority="batch")
    urgent = submitted(client, drawing)
    assert client.get(urgent["links"]["job"]).json["position"] == 1
    assert client.get(batch["links"]["job"]).json["position"] == 2


@pytest.mark.usefixtures("worker")
def test_a_failed_job_says_why(client: Reader, drawing: bytes) -> None:
    """Its picture was found damaged only when it was decoded."""
    job = done(client, submitted(client, damaged(drawing)))
    assert job["state"] == "failed"
    assert job["error"]["code"] == "bad-picture"
    problem(client.get(job["links"]["result"]), 409, "job-not-ready")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("range_", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=10-", 206, 10, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=0-1,5-6", 200, 0, None),
        ("bytes=9-3", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("bytes=a-b", 200, 0, None),
        ("bytes", 200, 0, None),
        ("pages=1-2", 200, 0, None),
        ("bytes=0-9;x", 200, 0, None),
    ],
)
def test_ranges_that_are_none_are_none(
    client: Reader, drawing: bytes, range_: str, status: int, start: int, end: int | None
) -> None:
    """RFC 9110: what is not understood is not asked for."""
    job = done(client, submitted(client, drawing))
    whole = client.get(job["links"]["result"]).data
    answer = client.get(job["links"]["result"], headers={"Range": range_})
    assert (answer.status_code, answer.data) == (status, whole[start:end])
    beyond = client.get(job["links"]["result"], headers={"Range": f"bytes={len(whole)}-"})
    problem(beyond, 416, "requested-range-not-satisfiable")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("part", ["result", "source"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_another_file_than_was_meant(
    client: Reader, drawing: bytes, part: str, accept: str
) -> None:
    """412 without it."""
    address = done(client, submitted(client, drawing))["links"][part]
    headers = {"Accept": accept}
    same = client.get(address, headers=headers).headers["ETag"]
    assert client.get(address, headers=headers | {"If-Match": same}).status_code == 200
    answer = client.get(address, headers=headers | {"If-Match": '"other"'})
    problem(answer, 412, "precondition-failed")


@pytest.mark.usefixtures("worker")
def test_a_long_name_can_be_saved(client: Reader, drawing: bytes) -> None:
    """With its mark and its ending, in 255 bytes."""
    job = done(client, submitted(client, drawing, name="ä" * 126 + ".png"))
    disposition = client.get(job["links"]["result"]).headers["Content-Disposition"]
    name = unquote(disposition.partition("UTF-8''")[2])
    assert name.endswith("ä_x3.png")
    assert 250 < len(name.encode()) <= 255
