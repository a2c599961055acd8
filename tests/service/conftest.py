"""A service in a folder of its own, and the sandbox it decodes in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from service_cases import service_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upres.service.parts import Service


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Uploads are decoded in a sandbox, which is for Linux."""
    if sys.platform != "linux":
        for item in items:
            if "service" in item.path.parts and item.path.name != "test_settings.py":
                item.add_marker(pytest.mark.skip(reason="the service needs Linux"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a service whose settings are the default ones."""
    opened = service_in(tmp_path)
    yield opened
    opened.close()
