"""The models that there are, pulling one, and the limits."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import strengths
from endpoint_cases import JOBS, Reader, done, form, problem, submitted
from service_cases import service_in

from upres.errors import DownloadFailed
from upres.models.catalogue import Catalogue
from upres.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upres.models.spec import ModelSpec
    from upres.service.parts import Service

MODELS = "/api/v1/models"


def model(client: Reader, name: str) -> dict[str, Any]:
    """Return one model as it is listed."""
    found = {one["name"]: one for one in client.get(MODELS).json["models"]}
    listed: dict[str, Any] = found[name]
    return listed


def stay(event: threading.Event) -> None:
    """Wait for an event, not for ever."""
    event.wait(10)


def pulled(client: Reader, name: str) -> dict[str, Any]:
    """Wait for the end of a download and return the model."""
    until = time.monotonic() + 10
    while (there := model(client, name))["pull"]["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.01)
    return there


def test_a_strength_is_told_where_it_can_be_asked_for(tmp_path: Path, photo: bytes) -> None:
    """For the two models, and for `auto`; what is not told is refused, what is told is taken."""
    strengths.ship_beside_lite(tmp_path / "models")
    service = service_in(tmp_path)
    app = create_app(service)
    app.test_client_class = Reader
    client: Reader = app.test_client()  # type: ignore[assignment]
    takes = {one["name"]: one["clean"] for one in client.get(MODELS).json["models"]}
    assert {name for name, told in takes.items() if told} == {"auto", "lite", "photo"}
    assert "photo" in model(client, "auto")["description"]
    for name, told in takes.items():
        asked = {"model": name, "clean": "0.5"}
        answer = client.post(JOBS, data=photo, query_string=asked)
        assert (answer.status_code == 202) is told
    service.close()


def test_whose_results_are_the_same_from_every_side(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those have no use for `tta`: interpolations, and networks that say so; `auto` by its two."""
    shipped = list(Catalogue.load())
    alike = [replace(one, symmetric=one.name in {"lite", "photo"}) for one in shipped]
    monkeypatch.setattr(Catalogue, "__iter__", lambda _: iter(alike))
    takes = {one["name"]: one["tta"] for one in client.get(MODELS).json["models"]}
    assert takes["fast"]
    assert not any(takes[name] for name in ("auto", "lite", "photo", "bicubic"))
    uneven = [replace(one, symmetric=one.id == "lite-x3") for one in shipped]
    monkeypatch.setattr(Catalogue, "__iter__", lambda _: iter(uneven))
    assert model(client, "auto")["tta"]
    assert model(client, "lite")["tta"]


def test_without_photo_there_is_no_strength(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever names there are."""
    monkeypatch.setattr(Catalogue, "has_strengths", lambda _: False)
    assert not any(one["clean"] for one in client.get(MODELS).json["models"])


@pytest.mark.usefixtures("worker")
def test_speeds_are_those_of_the_jobs(client: Reader, photo: bytes) -> None:
    """Of each model its own; before the first job none is told."""
    assert model(client, "bicubic")["output_px_per_s"] is None
    done(client, submitted(client, photo))
    assert model(client, "bicubic")["output_px_per_s"] > 0
    assert model(client, "lanczos")["output_px_per_s"] is None


def test_every_name_is_listed(client: Reader) -> None:
    """Once, with what it is."""
    answer = client.get(MODELS).json
    names = [one["name"] for one in answer["models"]]
    assert sorted(names) == sorted(Catalogue.load().names)
    assert answer["upload_model"] == "auto"
    edsr = model(client, "edsr")
    assert edsr["kind"] == "network"
    assert not edsr["installed"]
    assert edsr["pull"] is None
    assert [one["scale"] for one in edsr["networks"]] == [2, 3, 4]
    assert edsr["networks"][1]["bytes"] == 38_524_784
    assert model(client, "espcn")["installed"]
    assert model(client, "bicubic") == {
        "name": "bicubic",
        "kind": "interpolation",
        "description": "interpolation, no network",
        "licence": None,
        "installed": True,
        "networks": [],
        "clean": False,
        "tta": False,
        "output_px_per_s": None,
        "pull": None,
    }


def test_a_model_that_is_not_installed(client: Reader, photo: bytes) -> None:
    """409: another would do."""
    answer = client.post("/api/v1/jobs", data=photo, query_string={"model": "edsr"})
    problem(answer, 409, "model-missing")


@pytest.fixture
def pull(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Return what a download of `edsr` does at each of its files, to be filled in."""
    steps: list[Callable[[], None]] = []

    def fetch(spec: ModelSpec, *, progress: Callable[[int, int], None]) -> None:
        progress(1000, spec.file.bytes)
        for step in steps:
            step()

    monkeypatch.setattr(service.workbench.store, "pull", fetch)
    return steps


def test_pulling_a_model(client: Reader, pull: list[Callable[[], None]]) -> None:
    """202 at once, then the listing tells how far it is; asked twice it is one download."""
    go_on, files = threading.Event(), []
    pull += [lambda: files.append(1), lambda: stay(go_on)]
    for _ in range(2):
        answer = client.post(f"{MODELS}/edsr/pull")
        assert answer.status_code == 202
        assert answer.headers["Location"] == MODELS
        assert answer.json["pull"]["state"] == "running"
    until = time.monotonic() + 10
    while model(client, "edsr")["pull"]["done_bytes"] != 1000 and time.monotonic() < until:
        time.sleep(0.01)
    running = model(client, "edsr")["pull"]
    sizes = [one["bytes"] for one in model(client, "edsr")["networks"]]
    assert (running["done_bytes"], running["total_bytes"]) == (1000, sum(sizes))
    go_on.set()
    ended = pulled(client, "edsr")["pull"]
    assert (ended["state"], ended["done_bytes"], ended["error"]) == ("done", sum(sizes), None)
    assert len(files) == 3


def test_a_download_that_fails(client: Reader, pull: list[Callable[[], None]]) -> None:
    """It is told without the server's paths, and can be tried again."""

    def fail() -> None:
        raise DownloadFailed("EDSR_x2.pb", sha256="ab", failures=[], folder="/srv/secret")

    pull.append(fail)
    for _ in range(2):
        client.post(f"{MODELS}/edsr/pull")
        ended = pulled(client, "edsr")["pull"]
        assert ended["state"] == "failed"
        assert ended["error"]["code"] == "download-failed"
        assert "secret" not in ended["error"]["detail"]


@pytest.mark.parametrize("name", ["nothing", "auto", "bicubic", "..", "a%00b"])
def test_what_cannot_be_pulled(client: Reader, name: str) -> None:
    """404."""
    assert client.post(f"{MODELS}/{name}/pull").status_code == 404


@pytest.mark.parametrize(
    ("environment", "headers"),
    [
        ({"REMOTE_ADDR": "203.0.113.7"}, {}),
        ({}, {"X-Forwarded-For": "127.0.0.1"}),
        ({}, {"Host": "upres.example"}),
    ],
)
def test_only_this_machine_may_pull_without_keys(
    client: Reader, environment: dict[str, str], headers: dict[str, str]
) -> None:
    """Directly, not through a proxy."""
    answer = client.post(f"{MODELS}/edsr/pull", environ_overrides=environment, headers=headers)
    assert answer.status_code in {401, 403, 421}
    assert model(client, "edsr")["pull"] is None


def test_upload_uses_edsr_once_it_is_there(
    client: Reader, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart."""
    monkeypatch.setattr(service.workbench.store, "installed", lambda _: True)
    assert client.get(MODELS).json["upload_model"] == "edsr"


def test_the_limits_are_those_of_the_settings(client: Reader, service: Service) -> None:
    """Under the same names."""
    answer = client.get("/api/v1/limits").json
    for name in ("upload_bytes", "input_pixels", "output_pixels", "frames", "queued_pixels"):
        assert answer[name] == getattr(service.settings, name)
    assert answer["output_formats"] == ["png", "jpeg", "webp", "avif", "tiff", "gif", "mp4"]


def test_limits_are_limits(client: Reader, service: Service, drawing: bytes) -> None:
    """413 for bytes and for pixels; the connection is good for the next request."""
    settings = service.settings
    object.__setattr__(settings, "output_pixels", 120 * 90 - 1)
    answer = client.post("/api/v1/jobs", data=drawing, query_string={"model": "bicubic"})
    problem(answer, 413, "picture-too-large")
    object.__setattr__(settings, "upload_bytes", len(drawing) - 1)
    problem(client.post("/api/v1/jobs", data=drawing), 413, "picture-too-large")
    problem(client.post("/upload", **form(drawing)), 413, "picture-too-large")
    object.__setattr__(settings, "upload_bytes", len(drawing))
    submitted(client, drawing, scale=1)
