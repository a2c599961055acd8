"""The store among other processes: at the same time, killed, without rights, without room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import store_child
from model_server import (
    ModelServer,
    body,
    model_file,
    model_spec,
    stalled,
)
from store_cases import (
    DATA,
    GRAPH,
    ONNX,
    mirror_in,
    names,
)

from upres.errors import (
    DiskFull,
    InputNotReadable,
    ModelMissing,
)
from upres.models.store import ModelStore, StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.models.spec import ModelSpec

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions and signals")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Hold both model files as a mirror folder would."""
    return mirror_in(tmp_path)


class TestProcesses:
    """Other processes: at the same time, killed, without rights."""

    def test_two_at_once(self, tmp_path: Path) -> None:
        """Two processes that pull at once bring the file once, and both have it."""
        with ModelServer({f"/{ONNX.file.name}": body(DATA)}) as server:
            children = [
                store_child.start(ONNX, folder=tmp_path, mirror=server.url) for _ in range(2)
            ]
            outcomes = [store_child.outcome(child) for child in children]
            assert len(server.paths) == 1
        assert outcomes == [{"path": str(tmp_path / ONNX.file.name)}] * 2
        assert names(tmp_path) == {ONNX.file.name}

    def test_second_waits_for_the_first(self, tmp_path: Path) -> None:
        """A process that comes in mid-download waits for it, and gets its file."""
        go_on = threading.Event()

        def slow(request: Any) -> None:
            request.head(200, {"Content-Length": str(len(DATA))})
            request.send_pieces(DATA[:50_000])
            go_on.wait(30)
            request.send_pieces(DATA[50_000:])

        with ModelServer({f"/{ONNX.file.name}": slow}) as server:
            first = store_child.start(ONNX, folder=tmp_path, mirror=server.url)
            wait_for_part(tmp_path)
            store = ModelStore(StoreSettings(folder=tmp_path, mirror=server.url))
            with ThreadPoolExecutor() as pool:
                second = pool.submit(store.pull, ONNX)
                time.sleep(0.2)
                assert not second.done()
                assert list(tmp_path.glob("*.part"))  # sweeping leaves a live writer alone
                go_on.set()
                assert second.result() == tmp_path / ONNX.file.name
            assert "path" in store_child.outcome(first)
            assert len(server.paths) == 1

    @posix_only
    def test_killed_in_mid_download(self, tmp_path: Path) -> None:
        """A kill leaves a hidden part at most; the next pull of any model sweeps it away."""
        route = f"/{ONNX.file.name}"
        with ModelServer({route: stalled(DATA, after_bytes=100_000)}) as server:
            child = store_child.start(ONNX, folder=tmp_path, mirror=server.url)
            wait_for_part(tmp_path)
            child.kill()
            child.communicate()
            assert all(name.startswith(".") for name in names(tmp_path))
            assert any(name.endswith(".part") for name in names(tmp_path))
            store = ModelStore(StoreSettings(folder=tmp_path, mirror=server.url))
            with pytest.raises(ModelMissing):
                store.find(ONNX)
            server.routes["/other.onnx"] = server.routes[route] = body(DATA)
            store.pull(model_spec(model_file(DATA, name="other.onnx")))
            assert names(tmp_path) == {"other.onnx"}
            store.pull(ONNX)
        assert names(tmp_path) == {"other.onnx", ONNX.file.name}

    @posix_only
    def test_folder_of_another_user(self, open_folder: Path) -> None:
        """In a read-only folder a model is found, but not pulled nor its graph made anew."""
        folder = open_folder / "data"
        mirror = open_folder / "mirror"
        for place in (folder, mirror):
            place.mkdir()
            (place / GRAPH.file.name).write_bytes(DATA)
        (mirror / ONNX.file.name).write_bytes(DATA)
        store = ModelStore(StoreSettings(folder=folder), convert=store_child._fake_convert)
        graph = store.find(GRAPH)
        folder.chmod(0o555)
        place_options = {"folder": folder, "mirror": mirror}
        assert as_nobody(GRAPH, action="find", **place_options) == {"path": str(graph)}
        assert as_nobody(GRAPH, action="pull", **place_options) == {"path": str(graph)}
        other = model_spec(model_file(DATA, name="other.onnx"))
        refused = as_nobody(other, action="pull", **place_options)
        assert refused["error"] == "ModelFolderNotWritable"
        assert "Permission denied" in refused["text"]
        assert str(folder) in refused["text"]
        folder.chmod(0o755)
        graph.unlink()
        folder.chmod(0o555)
        refused = as_nobody(GRAPH, action="find", **place_options)
        assert refused["error"] == "ModelFolderNotWritable"
        assert "upres models pull tiny-x3" in refused["text"]
        assert "\n" not in refused["text"]

    @posix_only
    def test_file_that_may_not_be_read(self, open_folder: Path) -> None:
        """A model file without read permission is told as such."""
        path = open_folder / ONNX.file.name
        path.write_bytes(DATA)
        path.chmod(0)
        told = as_nobody(ONNX, action="find", folder=open_folder, mirror=open_folder)
        assert told["error"] == InputNotReadable.__name__

    @pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can mount a disk"
    )
    def test_full_disk(self, small_disk: Path, mirror: Path) -> None:
        """On a disk that is really full the error says so, and the space is free again."""
        settings = StoreSettings(folder=small_disk, mirror=str(mirror))
        store = ModelStore(settings)
        free = shutil.disk_usage(small_disk).free
        with pytest.raises(DiskFull, match="no space left"):
            store.pull(ONNX)
        assert names(small_disk) == set()
        assert shutil.disk_usage(small_disk).free == free


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every account may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="upres-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk in memory that is too small for the model."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let root mount a disk in memory")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def as_nobody(spec: ModelSpec, *, action: str, folder: Path, mirror: Path) -> dict[str, str]:
    """Find or pull as a user without rights."""
    child = store_child.start(
        spec, folder=folder, mirror=str(mirror), action=action, unprivileged=True
    )
    return store_child.outcome(child)


def wait_for_part(folder: Path) -> None:
    """Wait until a download is on its way."""
    end_s = time.monotonic() + 30
    while not any(path.stat().st_size for path in folder.glob(".*.part")):
        assert time.monotonic() < end_s, "no download began"
        time.sleep(0.01)
