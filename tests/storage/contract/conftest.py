"""Every store there is, each with a clock that stands until it is moved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from upres.storage.disk import DiskBlobs

if TYPE_CHECKING:
    from pathlib import Path

    from upres.storage.blobs import Blobs


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@dataclass(frozen=True)
class Store:
    """A new, empty store."""

    blobs: Blobs
    clock: Clock

    def contents(self) -> dict[str, int]:
        """Return the length of every blob that is stored."""
        return {blob.key: blob.bytes for blob in self.blobs.oldest_first()}


STORES: dict[str, Callable[[Path, Clock], Blobs]] = {
    "disk": lambda folder, clock: DiskBlobs(folder / "blobs", clock=clock),
}
"""A store that is added here must pass every test of this folder."""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give each store in turn."""
    clock = Clock()
    return Store(STORES[request.param](tmp_path, clock), clock)
