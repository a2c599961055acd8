"""A web application on a service in a folder, and a thread that plays its worker."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest
from endpoint_cases import Reader
from job_cases import unsynced
from picture_files import saved, scene
from service_cases import service_in

from upres.service.run import run_job
from upres.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from apiflask import APIFlask

    from upres.service.parts import Service

PLENTY = 100_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Uploads are decoded in a sandbox, which is for Linux."""
    if sys.platform != "linux":
        for item in items:
            if "endpoints" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="the service needs Linux"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a service whose limits per minute no test reaches by the way."""
    opened = service_in(
        tmp_path, requests_per_minute=PLENTY, output_megapixels_per_minute=PLENTY, sse_streams=2
    )
    unsynced(opened.table)
    yield opened
    opened.close()


@pytest.fixture
def app(service: Service) -> APIFlask:
    """Return the application; nobody works yet."""
    return create_app(service)


@pytest.fixture
def client(app: APIFlask) -> Reader:
    """Return who asks it."""
    app.test_client_class = Reader
    made: Reader = app.test_client()  # type: ignore[assignment]
    return made


@pytest.fixture
def worker(service: Service) -> Iterator[threading.Event]:
    """Work on jobs from now on; while the event is set, the worker rests."""
    over, resting = threading.Event(), threading.Event()

    def work() -> None:
        while not over.wait(0.005):
            if not resting.is_set() and (claim := service.table.claim("worker", lease_s=30)):
                run_job(service, claim)

    thread = threading.Thread(target=work)
    thread.start()
    yield resting
    over.set()
    thread.join()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """Return a JPEG of 40x30 pixels."""
    return saved(scene(30, 40), "jpeg", quality=90)


@pytest.fixture(scope="session")
def drawing() -> bytes:
    """Return a PNG of 40x30 pixels."""
    return saved(scene(30, 40), "png")
