from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from upres.config import Settings
from upres.workbench import Workbench


@pytest.fixture
def workbench() -> Workbench:
    """Return a workbench with the bundled models only."""
    return Workbench(Settings.from_environment())


@pytest.fixture
def photo() -> Callable[..., NDArray[np.uint8]]:
    """Return what makes a smooth colour picture with a little noise: `photo(height, width)`."""

    def make(height: int, width: int, *, seed: int = 1) -> NDArray[np.uint8]:
        rows, columns = np.mgrid[0:height, 0:width]
        planes = [np.sin(rows / 7 + plane) + np.cos(columns / (5 + plane)) for plane in range(3)]
        noise = np.random.default_rng(seed).normal(0, 3, (height, width, 3))
        return np.clip(128 + 50 * np.stack(planes, axis=2) + noise, 0, 255).astype(np.uint8)

    return make


@pytest.fixture
def pictures(tmp_path: Path, photo: Callable[..., NDArray[np.uint8]]) -> Path:
    """Return a folder with two pictures, 37 x 50 and 48 x 48."""
    folder = tmp_path / "Mine"
    folder.mkdir()
    Image.fromarray(photo(37, 50)).save(folder / "a.png")
    Image.fromarray(photo(48, 48, seed=2)).save(folder / "b.png")
    return folder
