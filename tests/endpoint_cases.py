"""What tests of the HTTP interface share: sending a picture, reading a problem."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

from flask.testing import FlaskClient

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

PROBLEM = "application/problem+json"
JOBS = "/api/v1/jobs"
QUICK = {"model": "bicubic"}
"""Options of work that takes no time."""


class Reader(FlaskClient):
    """Who reads answers to their end and closes them, as servers do; `buffered=False` does not."""

    def open(self, *args: Any, buffered: bool = True, **options: Any) -> TestResponse:
        """Send a request."""
        return super().open(*args, buffered=buffered, **options)

    def get(self, *args: Any, **options: Any) -> Any:
        """Return an answer, whose JSON may hold anything."""
        return super().get(*args, **options)

    def post(self, *args: Any, **options: Any) -> Any:
        """Return an answer, whose JSON may hold anything."""
        return super().post(*args, **options)

    def delete(self, *args: Any, **options: Any) -> Any:
        """Return an answer, whose JSON may hold anything."""
        return super().delete(*args, **options)


def form(picture: bytes, *, name: str = "photo.jpg", **fields: Any) -> dict[str, Any]:
    """Return the arguments of a request with a form."""
    return {
        "data": {"image": (io.BytesIO(picture), name), **fields},
        "content_type": "multipart/form-data",
    }


def submitted(client: Reader, picture: bytes, **options: Any) -> dict[str, Any]:
    """Submit a picture as it is and return its job."""
    answer = client.post(JOBS, data=picture, query_string=QUICK | options)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json
    return job


def damaged(picture: bytes) -> bytes:
    """Return a picture with one byte of its pixels changed: its header is good."""
    middle = len(picture) // 2
    return picture[:middle] + bytes([picture[middle] ^ 255]) + picture[middle + 1 :]


def done(client: Reader, job: dict[str, Any]) -> dict[str, Any]:
    """Wait for a job's end and return it."""
    until = time.monotonic() + 30
    while job["state"] in {"queued", "running"}:
        assert time.monotonic() < until, "no end"
        time.sleep(0.01)
        job = client.get(job["links"]["job"]).json
    return job


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Return a problem answer that is what it must be."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == PROBLEM
    body: dict[str, Any] = answer.json
    assert body["code"] == code, body
    assert body["status"] == status
    assert body.keys() >= {"type", "title", "detail", "request_id"}
    assert "\n" not in body["detail"]
    return body
