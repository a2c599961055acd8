from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from upres.compare.pictures import Letter, Side, read
from upres.config import Settings

MakeSide = Callable[..., Side]


@pytest.fixture
def side(tmp_path: Path) -> MakeSide:
    """Return a function that writes an array as a file and reads it as a side of a comparison.

    `side(array, name="a.png", letter="A", **options)`: options are Pillow's for saving.
    """

    def make(
        samples: NDArray[np.uint8], name: str = "a.png", letter: Letter = "A", **options: object
    ) -> Side:
        path = tmp_path / name
        kind = {".jpg": "jpeg", ".tif": "tiff"}.get(path.suffix, path.suffix[1:])
        file = io.BytesIO()
        Image.fromarray(samples).save(file, format=kind, **options)
        path.write_bytes(file.getvalue())
        return read(path, letter=letter, limits=Settings.from_environment().limits)

    return make


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A small colour picture, 20 wide and 12 high."""
    return np.random.default_rng(3).integers(0, 256, (12, 20, 3), np.uint8)
