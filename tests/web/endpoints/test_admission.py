"""Who is let in, how often, and how much: the same for every endpoint."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from endpoint_cases import JOBS, QUICK, form, problem, submitted
from service_cases import service_in
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from upres.web.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    from apiflask import APIFlask
    from endpoint_cases import Reader

    from upres.service.parts import Service


def test_where_keys_are_demanded_every_endpoint_does(
    app: APIFlask, client: Reader, service: Service
) -> None:
    """Of those that do or tell something about pictures, jobs and models."""
    object.__setattr__(service.settings, "api_keys_required", True)
    asked = 0
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(("/api/", "/upload")):
            continue
        address = re.sub("<[^>]*>", "A" * 22, rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
            answer = client.open(address, method=method, environ_overrides=elsewhere)
            problem(answer, 401, "unauthorized")
            assert "Bearer" in answer.headers["WWW-Authenticate"]
            asked += 1
    assert asked >= 13


@pytest.mark.parametrize("address", [JOBS, "/api/v1/enlarge", "/upload"])
def test_so_many_pictures_a_minute(tmp_path: Path, photo: bytes, address: str) -> None:
    """Then 429, with the time after which there is room; nothing of it is stored."""
    service = service_in(tmp_path, requests_per_minute=1)
    client = create_app(service).test_client()
    headers = {"Prefer": "wait=0"}
    first = form(photo, **({} if address == "/upload" else QUICK))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("upres.web.upload.WAIT_S", 0)
        assert client.post(address, headers=headers, **first).status_code in {202, 503}
    answer = client.post(address, headers=headers, **form(photo))
    problem(answer, 429, "rate-limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 120
    assert len(list(service.blobs.oldest_first())) == 1
    service.close()


def test_so_many_pixels_a_minute(tmp_path: Path, drawing: bytes) -> None:
    """Of results that are really computed."""
    service = service_in(tmp_path, output_pixels=1_000_000, output_megapixels_per_minute=1)
    client = create_app(service).test_client()
    answers = [
        client.post(JOBS, data=drawing, query_string={**QUICK, "width": 640, "soften": part / 10})
        for part in range(4)
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    problem(answers[-1], 429, "rate-limited")
    service.close()


def test_so_much_may_wait(client: Reader, service: Service, photo: bytes, drawing: bytes) -> None:
    """Of one client 429, of all 503."""
    submitted(client, photo)
    object.__setattr__(service.settings, "queued_pixels_per_client", 1)
    answer = client.post(JOBS, data=drawing, query_string=QUICK)
    problem(answer, 429, "client-queue-full")
    assert int(answer.headers["Retry-After"]) > 0
    object.__setattr__(service.settings, "queued_pixels", 1)
    answer = client.post(JOBS, data=drawing, query_string=QUICK)
    problem(answer, 503, "queue-full")
    assert int(answer.headers["Retry-After"]) > 0


def test_more_than_any_upload_may_have(tmp_path: Path) -> None:
    """413 before it is read, raw or in a form."""
    service = service_in(tmp_path, upload_bytes=1000)
    client = create_app(service).test_client()
    much = bytes(3_000_000)
    problem(client.post(JOBS, data=much), 413, "request-too-large")
    boundary, body = encode_multipart({"image": FileStorage(io.BytesIO(much), "a.png")})
    kind = f'multipart/form-data; boundary="{boundary}"'
    for address in (JOBS, "/upload"):
        problem(client.post(address, data=body, content_type=kind), 413, "request-too-large")
    problem(client.post(JOBS, data=bytes(1001)), 413, "picture-too-large")
    service.close()
