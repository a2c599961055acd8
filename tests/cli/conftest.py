from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from upres.cli import run as run_command
from upres.image.decode import Decoder
from upres.image.encode import encode
from upres.image.picture import Picture


@pytest.fixture
def run() -> Callable[..., int]:
    """Return a function that runs the command in this process and returns its exit code."""
    return lambda *words: run_command([str(word) for word in words])


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A small colour picture, 20 wide and 12 high."""
    return np.random.default_rng(3).integers(0, 256, (12, 20, 3), np.uint8)


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Return a function that writes an array as a picture file, by its extension."""

    def write(path: Path, pixels: NDArray[np.uint8]) -> Path:
        kind = {"jpg": "jpeg"}.get(path.suffix[1:], path.suffix[1:])
        with path.open("wb") as file:
            encode(Picture(pixels=pixels), file, format=kind)  # type: ignore[arg-type]
        return path

    return write


@pytest.fixture
def size_of() -> Callable[[Path], tuple[int, int]]:
    """Return a function that reads a picture file's (width, height)."""

    def read(path: Path) -> tuple[int, int]:
        header = Decoder(path.read_bytes(), name=path.name).header
        return header.width, header.height

    return read
