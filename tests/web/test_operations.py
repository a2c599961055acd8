from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from upres.service import log
from upres.web import operations
from upres.web.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from apiflask import APIFlask
    from flask.testing import FlaskClient


def ready(app: APIFlask) -> tuple[int, dict[str, str]]:
    """Return status and checks, looked at just now."""
    app.extensions["upres.metrics"].readiness._looked = -float("inf")
    answer = app.test_client().get("/readyz")
    if answer.status_code != 200:
        assert answer.get_json(force=True)["code"] == "not-ready"
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.status_code, answer.get_json(force=True)["checks"]


def with_worker(app: APIFlask) -> APIFlask:
    Serving.in_app(app).service.table.worker_seen("worker")
    return app


def test_alive_is_whoever_answers(http: FlaskClient) -> None:
    answer = http.get("/livez")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")


def test_ready_with_a_worker_and_not_without(app: APIFlask) -> None:
    status, checks = ready(app)
    assert (status, checks["worker"]) == (503, "no-worker")
    status, checks = ready(with_worker(app))
    assert (status, set(checks.values())) == (200, {"ok"})


def test_not_ready_while_draining(app: APIFlask) -> None:
    Serving.in_app(with_worker(app)).draining.set()
    status, checks = ready(app)
    assert (status, checks["running"]) == (503, "server-stopping")


def test_not_ready_without_room_on_the_disk(make_app: Callable[..., APIFlask]) -> None:
    status, checks = ready(with_worker(make_app(free_floor_bytes=2**60)))
    assert (status, checks["disk"]) == (503, "disk-full")


def test_not_ready_without_its_folder(app: APIFlask, tmp_path: Path) -> None:
    with_worker(app)
    shutil.rmtree(tmp_path)
    tmp_path.write_text("in the way")
    status, checks = ready(app)
    assert (status, checks["disk"]) == (503, "output-not-writable")
    tmp_path.unlink()
    tmp_path.mkdir()


def test_not_ready_without_its_model(make_app: Callable[..., APIFlask]) -> None:
    status, checks = ready(with_worker(make_app(upload_model="edsr")))
    assert (status, checks["models"]) == (503, "model-missing")


def test_not_ready_with_broken_keys(make_app: Callable[..., APIFlask], tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    app = with_worker(make_app(api_keys_file=file))
    file.write_text("[[")
    status, checks = ready(app)
    assert (status, checks["keys"]) == (503, "keys-unusable")
    assert str(tmp_path) not in app.test_client().get("/readyz").text


def test_the_disk_is_not_written_to_at_every_probe(
    app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    original = operations._checks

    def counted(here: Serving) -> Any:
        looks.append(1)
        return original(here)

    monkeypatch.setattr(operations, "_checks", counted)
    for _ in range(10):
        app.test_client().get("/readyz")
    assert len(looks) == 1


def test_metrics_are_told_only_where_wanted(http: FlaskClient) -> None:
    assert http.get("/metrics").status_code == 404


def figures(app: APIFlask) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_of_the_queue_and_of_this_process(make_app: Callable[..., APIFlask]) -> None:
    app = with_worker(make_app(metrics=True))
    http = app.test_client()
    http.get("/livez")
    http.get("/api/v1/jobs/some-secret")
    http.get("/wp-admin")
    http.get("/wp-login")
    with Serving.in_app(app).streams.taken():
        found = figures(app)
    assert found["upres_live_workers", ()] == 1
    assert found["upres_queued_pixels", ()] == 0
    assert found["upres_jobs", (("state", "queued"),)] == 0
    assert found["upres_lease_expiries_total", ()] == 0
    assert found["upres_http_streams", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 1e6

    def requests(method: str, route: str, status: str) -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return found["upres_http_requests_total", labels]

    assert requests("GET", "/livez", "200") == 1
    # one name for all addresses that there are not, however many are tried
    assert requests("any", "none", "404") == 2
    assert not any("some-secret" in str(name) for name in found)


def test_two_applications_count_apart(make_app: Callable[..., APIFlask]) -> None:
    first, second = make_app(metrics=True), make_app(metrics=True)
    first.test_client().get("/livez")
    assert not any("/livez" in str(name) for name in figures(second))


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.loaded += [given[name] for name in ("src",) if name in given]


def test_the_reference_page_shows_every_operation(http: FlaskClient) -> None:
    page = _Page(http.get("/docs").text)
    spec = http.get("/openapi.json").get_json()
    operations_ = [
        one["operationId"]
        for methods in spec["paths"].values()
        for one in methods.values()
        if isinstance(one, dict)
    ]
    assert len(set(operations_)) == len(operations_)
    assert {f"operation-{one}" for one in operations_} <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert not page.loaded


def test_a_problems_type_leads_to_its_line(http: FlaskClient) -> None:
    page = _Page(http.get("/docs").text)
    for path in ("/api/v1/jobs/abc", "/nothing"):
        kind = http.get(path).get_json(force=True)["type"]
        assert http.get(kind.partition("#")[0]).status_code == 200
        if "job-missing" in kind:
            assert kind.partition("#")[2] in page.ids


def test_the_document_says_what_every_error_looks_like(http: FlaskClient) -> None:
    spec = http.get("/openapi.json").get_json()
    assert re.match(r"3\.1\.", spec["openapi"])
    for path, methods in spec["paths"].items():
        for method, one in methods.items():
            assert "default" in one["responses"], f"{method} {path}"
            for status, answer in one["responses"].items():
                if status == "default" or int(status) >= 400:
                    assert "application/problem+json" in answer["content"], f"{method} {path}"
    assert {"bearer", "header"} == spec["components"]["securitySchemes"].keys()


def test_job_ids_are_logged_in_part(
    http: FlaskClient, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """Enough to find one, too little to open it; what is no id is not logged at all."""
    for id_ in ("jVTAw_7oYLJXlWIUzxNeUg", "a secret of somebody", "jVTAw_7oYLJXlWIUzxNeUgX"):
        http.get(f"/api/v1/jobs/{id_}")
    lines = [line for line in logged() if line["event"] == "answered"]
    assert [line.get("job_id") for line in lines] == ["jVTAw_7o", None, None]
    assert "secret" not in str(lines)


def test_workers_log_job_ids_in_part_too(logged: Callable[[], list[dict[str, Any]]]) -> None:
    """Whoever writes the line."""
    with log.bound(job_id="jVTAw_7oYLJXlWIUzxNeUg"):
        log.logger("worker").info("bound")
    log.logger("worker").info("given", job_id="jVTAw_7oYLJXlWIUzxNeUg")
    assert [line["job_id"] for line in logged()] == ["jVTAw_7o"] * 2
