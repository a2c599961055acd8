"""Templates of this folder's tests: the real one, and those of children that attack or look."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from upres.sandbox.launcher import Launcher

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The sandbox is for Linux."""
    if sys.platform != "linux":
        for item in items:
            if "sandbox" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="the sandbox needs Linux"))


@pytest.fixture(scope="session")
def honest() -> Iterator[Launcher]:
    """Return a template of children that decode."""
    with Launcher() as launcher:
        launcher.start()
        yield launcher


@pytest.fixture(scope="session")
def attackers() -> Iterator[Launcher]:
    """Return a template of children that do what the picture's file names."""
    with Launcher("sandbox.children:attack") as launcher:
        launcher.start()
        yield launcher
