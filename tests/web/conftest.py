"""An application on SQLite in a temporary folder, clients of it, its log."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from job_cases import unsynced
from service_cases import service_in

from upres.service import log
from upres.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from apiflask import APIFlask
    from flask.testing import FlaskClient

    from upres.service.parts import Service


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., APIFlask]]:
    """Return a function that makes an application with settings of one's own."""
    opened: list[Service] = []

    def make(**settings: Any) -> APIFlask:
        service = service_in(tmp_path, **settings)
        unsynced(service.table)
        opened.append(service)
        return create_app(service)

    yield make
    for service in opened:
        service.close()


@pytest.fixture
def app(make_app: Callable[..., APIFlask]) -> APIFlask:
    """Return an application with the settings that everybody has."""
    return make_app()


@pytest.fixture
def http(app: APIFlask) -> FlaskClient:
    """Return a client of it."""
    return app.test_client()


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that gives the lines that were logged so far."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    log.set_up(format="json", level="debug", to=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    log.clear()
