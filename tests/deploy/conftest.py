"""nginx and gunicorn by the files in deploy/, started once for the tests that only ask."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proofs.deployment.stack import NGINX, Stack

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """Return a folder that others may go through: nginx's workers are not who made it."""
    with tempfile.TemporaryDirectory(prefix="upres-deploy-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def make_stack(open_folder: Path) -> Callable[..., Stack]:
    """Return a function that makes a stack in a folder of its own; skip without nginx."""
    if NGINX is None:
        pytest.skip("nginx is not on this machine")
    if not Path("/proc").is_dir():
        pytest.skip("the service needs Linux")

    def make(name: str, **settings: Any) -> Stack:
        folder = open_folder / name
        folder.mkdir()
        folder.chmod(0o755)
        home = {"UPRES_MODEL_DIR": folder / "models", "UPRES_CACHE_DIR": folder / "cache"}
        os.environ.update({key: str(value) for key, value in home.items()})
        return Stack(folder, **settings)

    return make


@pytest.fixture(scope="session")
def stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """Return a stack that runs, for all tests that leave it as it is."""
    with make_stack("shared", upload_bytes=1_000_000) as running:
        yield running
