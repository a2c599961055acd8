"""The folder's side of a download: full disks, interrupts, sweeping."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from model_server import (
    ModelServer,
    body,
    model_file,
)
from store_cases import (
    DATA,
    GRAPH,
    mirror_in,
    names,
    store_in,
)

from upres.errors import (
    DiskFull,
    ModelFolderNotWritable,
)
from upres.models.download import download
from upres.models.landing import Landing, locked, sweep
from upres.models.spec import Source


def fill_disk(monkeypatch: pytest.MonkeyPatch, *, after_bytes: int) -> None:
    """Let files that are made from now on take so many bytes and then report a full disk."""

    class Full(io.FileIO):
        def write(self, data: object) -> int:
            size = memoryview(data).nbytes  # type: ignore[arg-type]
            if self.tell() + size > after_bytes:
                raise OSError(28, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    monkeypatch.setattr("pathlib.Path.open", lambda path, mode: io.BufferedWriter(Full(path, mode)))


class TestWriting:
    """The folder's side of a download."""

    def test_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A write that finds no room raises DiskFull, tries no further source, leaves nothing."""
        fill_disk(monkeypatch, after_bytes=100_000)
        with ModelServer({"/m": body(DATA)}) as server:
            source = Source(url=f"{server.url}/m")
            file = model_file(DATA, source, source)
            with pytest.raises(DiskFull, match="no space left"):
                download(file, target=tmp_path / file.name)
            assert server.paths == ["/m"]
        assert list(tmp_path.iterdir()) == []

    def test_full_disk_at_the_last_moment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that is found full when the file is synced counts as full."""

        def sync(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("upres.models.landing.os.fsync", sync)
        (tmp_path / "data").mkdir()
        (tmp_path / "tiny_x3.onnx").write_bytes(DATA)
        file = model_file(DATA)
        with pytest.raises(DiskFull):
            download(file, target=tmp_path / "data" / file.name, mirror=str(tmp_path))
        assert list((tmp_path / "data").iterdir()) == []

    def test_folder_in_the_place_of_the_file(self, tmp_path: Path) -> None:
        """A folder under the file's name cannot be replaced, and the error says where."""
        target = tmp_path / "data" / "tiny_x3.onnx"
        target.mkdir(parents=True)
        (tmp_path / "tiny_x3.onnx").write_bytes(DATA)
        with pytest.raises(ModelFolderNotWritable, match="data"):
            download(model_file(DATA), target=target, mirror=str(tmp_path))
        assert list(target.parent.iterdir()) == [target]

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
    def test_interrupted(self, stop: type[BaseException], tmp_path: Path) -> None:
        """Ctrl-C, or an error in the caller's progress, leaves nothing behind."""

        def progress(done: int, _: int) -> None:
            if done > 50_000:
                raise stop

        with ModelServer({"/m": body(DATA)}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/m"))
            with pytest.raises(stop):
                download(file, target=tmp_path / file.name, progress=progress)
        assert list(tmp_path.iterdir()) == []


class TestSweep:
    """What killed processes left is removed; what is being written is not."""

    def test_live_writers_are_spared(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another thread may sweep at any moment of a pull: graph and stamp land all the same."""
        swept = 0
        commit = Landing.commit

        def commit_after_sweep(landing: Landing) -> None:
            nonlocal swept
            with ThreadPoolExecutor() as pool:
                pool.submit(sweep, tmp_path / "data").result()
            swept += 1
            commit(landing)

        monkeypatch.setattr(Landing, "commit", commit_after_sweep)
        store = store_in(tmp_path, mirror=mirror_in(tmp_path))
        store.pull(GRAPH)
        assert swept == 3
        assert names(tmp_path / "data") == {"tiny_x3.pb", "tiny_x3.onnx", "tiny_x3.onnx.json"}

    def test_only_parts_are_swept(self, tmp_path: Path) -> None:
        """Other files, hidden ones too, are none of the store's business."""
        part = ".tiny_x3.onnx.123.0123456789abcdef.part"
        others = {"notes.txt", ".hidden", "x.part", ".a.b.part", f"{part}.kept"}
        for name in {part, *others}:
            (tmp_path / name).touch()
        sweep(tmp_path)
        assert names(tmp_path) == others

    def test_no_folder(self, tmp_path: Path) -> None:
        """Nothing to sweep is no error, and makes no folder."""
        sweep(tmp_path / "none")
        assert not (tmp_path / "none").exists()

    def test_locks_stay(self, tmp_path: Path) -> None:
        """A lock held is waited for only as long as asked, and free again afterwards."""
        target = tmp_path / "tiny_x3.onnx"

        def take() -> bool:
            try:
                with locked(target, timeout_s=0):
                    return True
            except ModelFolderNotWritable:
                return False

        with ThreadPoolExecutor() as pool:
            with locked(target, timeout_s=0):
                assert not pool.submit(take).result()
            assert pool.submit(take).result()
