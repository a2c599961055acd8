"""For whoever runs the service: is it alive, is it ready, how busy is it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from apiflask import APIBlueprint
from flask import Response, abort, current_app, jsonify, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from upres import __version__
from upres.errors import NoWorker, SandboxUnavailable, UpresError
from upres.models.catalogue import AUTO_MODEL
from upres.sandbox.decoder import posture
from upres.service.log import logger
from upres.web.problems import problem
from upres.web.schemas import JOB_ID
from upres.web.serving import serving

if TYPE_CHECKING:
    from flask import Flask
    from prometheus_client import Metric

    from upres.jobs.figures import Figures
    from upres.service.parts import Service
    from upres.web.serving import Serving

_EXTENSION = "upres.metrics"
_CHECKED_FOR_S = 2.0
"""Readiness is not looked at anew more often: it writes to the disk."""
_BEGAN = "upres.began"
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked by programs every few seconds."""
_ID_CHARACTERS = 8
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_JSON = "application/json"
_TEXT: dict[str, Any] = {"type": "string"}
_STATUS: dict[str, Any] = {
    "type": "object",
    "required": ["status", "version"],
    "properties": {"status": {"type": "string", "enum": ["ok"]}, "version": _TEXT},
}
_CHECKS = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "description": "What was looked at: `ok`, or what is wrong.",
}
_READY = {
    "type": "object",
    "required": ["status", "version", "checks"],
    "properties": _STATUS["properties"] | {"checks": _CHECKS},
}


def _answers(description: str, media_type: str, schema: Mapping[str, Any]) -> Any:
    return {200: {"description": description, "content": {media_type: {"schema": dict(schema)}}}}


blueprint = APIBlueprint("operations", __name__, tag="Operations")


@blueprint.get("/livez")
@blueprint.doc(
    operation_id="getLive",
    responses=_answers("This process answers.", _JSON, _STATUS),
)
def livez() -> Response:
    """Tell that the process answers; where it does not, start it anew."""
    return jsonify(status="ok", version=__version__)


@blueprint.get("/readyz")
@blueprint.doc(
    operation_id="getReady",
    responses=_answers("Pictures are taken and enlarged.", _JSON, _READY),
)
def readyz() -> Response:
    """Tell whether pictures are taken and enlarged; where not, send requests elsewhere.

    The problem's member `checks` says what is wrong.
    """
    here = serving()
    checks = _metrics().readiness.checks(here)
    if here.draining.is_set():
        checks = checks | {"running": "server-stopping"}
    wrong = [f"{what}: {code}" for what, code in checks.items() if code != "ok"]
    if not wrong:
        return jsonify(status="ok", version=__version__, checks=checks)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="not-ready",
        detail=f"not ready ({', '.join(wrong)})",
        more={"checks": checks},
    )


@blueprint.get("/metrics")
@blueprint.doc(
    operation_id="getMetrics",
    responses=_answers("Figures as Prometheus reads them.", CONTENT_TYPE_LATEST, _TEXT),
)
def metrics() -> Response:
    """Give the figures of the queue and of this process, where the settings allow it."""
    if not serving().service.settings.metrics:
        abort(HTTPStatus.NOT_FOUND)
    return Response(generate_latest(_metrics().registry), content_type=CONTENT_TYPE_LATEST)


def install(app: Flask, here: Serving) -> None:
    """Let the requests of an application be counted, and its figures be asked for."""
    counted = _Metrics(here)
    app.extensions[_EXTENSION] = counted
    app.before_request(_begin)
    app.after_request(counted.count)


class _Metrics:
    """What is counted in this process, and what is read when it is asked for."""

    def __init__(self, here: Serving) -> None:
        self.registry = CollectorRegistry()
        self.readiness = _Readiness()
        self._requests = Counter(
            "upres_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "upres_http_request_seconds",
            "Seconds until an answer began.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        for name, text, slots in (
            ("streams", "Progress streams that are open.", here.streams),
            ("waiting", "Requests that wait for their job.", here.waiting),
        ):
            gauge = Gauge(f"upres_http_{name}", text, registry=self.registry)
            gauge.set_function(partial(getattr, slots, "used"))
        ProcessCollector(registry=self.registry)
        self.registry.register(_Queue(here.service))

    def count(self, answer: Response) -> Response:
        """Count the current request."""
        rule = request.url_rule
        route = rule.rule if rule is not None else "none"
        method = request.method if rule is not None else "any"
        self._requests.labels(method, route, str(answer.status_code)).inc()
        seconds = time.monotonic() - request.environ.get(_BEGAN, time.monotonic())
        self._seconds.labels(route).observe(seconds)
        _log(method, route, answer, seconds)
        return answer


class _Queue:
    """Figures of the job table: the same from every process that is asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Register without asking the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read the table."""
        found = self._service.table.figures()
        jobs = GaugeMetricFamily("upres_jobs", "Jobs in the table.", labels=["state"])
        for state, number in found.jobs.items():
            jobs.add_metric([state.value], number)
        yield jobs
        yield from _plain(found)
        pace = GaugeMetricFamily(
            "upres_pixels_per_second", "Measured output of one worker.", labels=["model"]
        )
        for model, px_per_s in found.px_per_s.items():
            pace.add_metric([model], px_per_s)
        yield pace


def _plain(found: Figures) -> Iterator[Metric]:
    gauges = (
        ("upres_queued_pixels", "Output pixels that wait.", found.queued_px),
        ("upres_oldest_queued_seconds", "How long the first job waits.", found.oldest_queued_s),
        ("upres_live_workers", "Workers that were heard of lately.", found.live_workers),
    )
    for name, text, value in gauges:
        yield GaugeMetricFamily(name, text, value)
    counters = (
        ("upres_lease_expiries", "Workers lost in the middle of a job.", found.lease_expiries),
        ("upres_poisoned_jobs", "Jobs given up for that.", found.poisoned),
    )
    for name, text, value in counters:
        yield CounterMetricFamily(name, text, value)


class _Readiness:
    """The last look at everything that must work, kept for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = -float("inf")
        self._found: dict[str, str] = {}

    def checks(self, here: Serving) -> dict[str, str]:
        """Return `ok` or an error's code for each thing, without words that name paths."""
        with self._lock:
            if time.monotonic() - self._looked > _CHECKED_FOR_S:
                self._found = {name: _code(check) for name, check in _checks(here).items()}
                self._looked = time.monotonic()
            return dict(self._found)


def _checks(here: Serving) -> dict[str, Callable[[], object]]:
    service = here.service
    return {
        "database": service.table.check,
        "disk": service.blobs.check,
        "models": partial(_check_models, service),
        "sandbox": partial(_check_sandbox, service),
        "worker": partial(_check_worker, service),
        "keys": here.keys.all,
    }


def _code(check: Callable[[], object]) -> str:
    try:
        check()
    except UpresError as error:
        return error.code
    return "ok"


def _check_models(service: Service) -> None:
    """Verify the default model and the one of `/upload`; hashes are kept while files stay same."""
    workbench = service.workbench
    names = {AUTO_MODEL, service.settings.upload_model or AUTO_MODEL}
    for spec in workbench.catalogue:
        if spec.name in names or workbench.store.installed(spec):
            workbench.store.find(spec)


def _check_sandbox(service: Service) -> None:
    if not any(posture(service.sandbox).values()):
        raise SandboxUnavailable("no child process can be confined")


def _check_worker(service: Service) -> None:
    if not service.table.live_workers(within_s=service.settings.lease_s):
        raise NoWorker


def _log(method: str, route: str, answer: Response, seconds: float) -> None:
    """Log a request by its route: an address may hold what is nobody's business."""
    about: dict[str, Any] = {"status": answer.status_code, "ms": round(1000 * seconds, 1)}
    job_id = (request.view_args or {}).get("job_id", "")
    if re.fullmatch(JOB_ID, job_id):  # which is a secret
        about["job_id"] = job_id[:_ID_CHARACTERS]
    log = logger("web")
    say = log.debug if route in _PROBES else log.info
    say("answered", method=method, route=route, **about)


def _begin() -> None:
    request.environ[_BEGAN] = time.monotonic()


def _metrics() -> _Metrics:
    return cast("_Metrics", current_app.extensions[_EXTENSION])
