"""The OpenAPI document says what the application does: schemathesis tries to show otherwise."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events as engine_events
from schemathesis.engine import from_schema
from werkzeug.wsgi import ClosingIterator

from upres.web import enlarge, events, upload

if TYPE_CHECKING:
    from apiflask import APIFlask
    from endpoint_cases import Reader

    from upres.service.parts import Service

EXAMPLES = 6
BINARY = (
    *("image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff", "image/gif"),
    *("image/bmp", "application/octet-stream"),
)
CONFIG: dict[str, Any] = {
    "seed": 1,
    "generation": {"max-examples": EXAMPLES},
    # the document cannot list the models: one's own may be among them
    "parameters": {"model": "bicubic"},
    "checks": {
        "positive_data_acceptance": {
            # nor can it say which bytes are a picture, or that one size at most may be given
            "expected-statuses": ["2xx", "401", "404", "409", "410", "415", "422"]
        },
        # DELETE cancels: the job is still there to say so
        "use_after_free": {"enabled": False},
    },
}


@pytest.fixture
def document(
    app: APIFlask, service: Service, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> schemathesis.BaseSchema:
    """Return the document of an application at this machine, none of whose answers takes long."""
    monkeypatch.setattr(events, "LOOK_S", 0.02)
    monkeypatch.setattr(upload, "WAIT_S", 1)
    monkeypatch.setattr(enlarge, "LONGEST_WAIT_S", 1)
    monkeypatch.setattr(service.workbench.store, "pull", lambda *_, **__: None)
    object.__setattr__(service.settings, "sse_seconds", 0.2)
    object.__setattr__(service.settings, "metrics", True)
    service.table.worker_seen("worker")
    pictures = st.sampled_from([photo, photo[:99], b"%PDF-1.7"]) | st.binary(
        min_size=1, max_size=40
    )
    schemathesis.openapi.format("binary", pictures)
    for kind in BINARY:
        schemathesis.openapi.media_type(kind, pictures)
    inner = app.wsgi_app

    def at_this_machine(environ: dict[str, Any], start: Any) -> list[bytes]:
        answer = ClosingIterator(inner({**environ, "REMOTE_ADDR": "127.0.0.1"}, start))
        with closing(answer):
            return list(answer)

    monkeypatch.setattr(app, "wsgi_app", at_this_machine)
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)


@pytest.mark.usefixtures("worker")
def test_schemathesis_finds_nothing(document: schemathesis.BaseSchema) -> None:
    """In no answer to right and wrong requests, one by one and in sequence."""
    wrong: list[str] = []
    answers: Counter[int] = Counter()
    for event in from_schema(document).execute():
        if isinstance(event, engine_events.NonFatalError | engine_events.FatalError):
            wrong.append(str(event))
        if not isinstance(event, engine_events.ScenarioFinished):
            continue
        for interaction in event.recorder.interactions.values():
            if interaction.response is not None:
                answers[interaction.response.status_code] += 1
        for checks in event.recorder.checks.values():
            wrong += [
                f"{event.recorder.label}: {one.failure_info.failure} {one.failure_info.code_sample}"
                for one in checks
                if one.failure_info is not None
            ]
    assert wrong == []
    assert answers.total() > 300
    assert answers.keys() >= {200, 202, 400, 404, 405, 415, 422}
    assert not [status for status in answers if status >= 500]


def test_every_operation_has_a_name_and_its_errors(client: Reader) -> None:
    """And no two the same."""
    document = client.get("/openapi.json").json
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if path.startswith("/api/") or path == "/upload"
    ]
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names) >= 12
    for _, operation in operations:
        assert operation["summary"]
        for status in ("401", "403", "500", "503"):
            assert "application/problem+json" in operation["responses"][status]["content"]
