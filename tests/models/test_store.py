"""The store gives out verified files only, and survives whatever interrupts or damages it."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from model_server import (
    ModelServer,
    body,
    model_file,
    model_spec,
)
from store_cases import (
    DATA,
    ONNX,
    flip,
    mirror_in,
    names,
    store_in,
)

from upres.errors import (
    DownloadFailed,
    InvalidOption,
    ModelDamaged,
    ModelFolderNotWritable,
    ModelMissing,
)
from upres.models.landing import locked
from upres.models.spec import ModelFile, Source
from upres.models.store import ModelStore, StoreSettings

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Hold both model files as a mirror folder would."""
    return mirror_in(tmp_path)


class TestFind:
    """`find` verifies and never fetches."""

    def test_bundled_before_pulled(self, tmp_path: Path) -> None:
        """A file is looked for in the bundled folder, then in the data folder."""
        store = store_in(tmp_path)
        for folder in ("data", "bundled"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / ONNX.file.name).write_bytes(DATA)
            assert store.find(ONNX) == tmp_path / folder / ONNX.file.name

    def test_missing(self, tmp_path: Path) -> None:
        """The error names the model, its file, hash, sources and folder; no network, no folder."""
        with ModelServer({"/m/tiny_x3.onnx": body(DATA)}) as server:
            spec = model_spec(model_file(DATA, Source(url=f"{server.url}/direct")))
            with pytest.raises(ModelMissing) as caught:
                store_in(tmp_path, mirror=f"{server.url}/m").find(spec)
            assert server.paths == []
            told = ("tiny-x3", ONNX.file.name, ONNX.file.sha256, f"mirror {server.url}/m", "direct")
        assert all(word in str(caught.value) for word in (*told, str(tmp_path / "data")))
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("content", [b"", DATA[:-1], DATA + b"\0", DATA[::-1]])
    def test_damaged(self, content: bytes, tmp_path: Path) -> None:
        """A file of the wrong size or content is named, not used and not removed."""
        path = tmp_path / "data" / ONNX.file.name
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(ModelDamaged, match="pull it again") as caught:
            store_in(tmp_path).find(ONNX)
        assert str(path) in str(caught.value)
        assert path.read_bytes() == content

    def test_every_single_bit_counts(self, tmp_path: Path, mirror: Path) -> None:
        """A bit that flips after the first use is noticed, its time stamp notwithstanding."""
        store = store_in(tmp_path, mirror=mirror)
        path = store.pull(ONNX)
        os.utime(path, (1e9, 1e9))
        assert store.find(ONNX) == path
        flip(path)
        with pytest.raises(ModelDamaged):
            store.find(ONNX)

    def test_hashed_once_per_process(
        self, tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that has not changed for a while is hashed once; `verify` hashes it again."""
        store = store_in(tmp_path, mirror=mirror)
        os.utime(store.pull(ONNX), (1e9, 1e9))
        count = 0
        digest = hashlib.file_digest

        def counted(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            return digest(*arguments)

        monkeypatch.setattr(hashlib, "file_digest", counted)
        for _ in range(3):
            store.find(ONNX)
        assert count == 1
        store.verify(ONNX)
        assert count == 2

    def test_good_copy_behind_a_damaged_one(self, tmp_path: Path) -> None:
        """A damaged bundled file is passed over for a good one in the data folder."""
        for folder, content in (("bundled", DATA[::-1]), ("data", DATA)):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / ONNX.file.name).write_bytes(content)
        assert store_in(tmp_path).find(ONNX) == tmp_path / "data" / ONNX.file.name

    def test_links_are_followed(self, tmp_path: Path, mirror: Path) -> None:
        """A link in the data folder is as good as a file."""
        (tmp_path / "data").mkdir()
        link = tmp_path / "data" / ONNX.file.name
        try:
            link.symlink_to(mirror / ONNX.file.name)
        except OSError:
            pytest.skip("this account may not make links")
        assert store_in(tmp_path).find(ONNX) == link

    @posix_only
    def test_what_is_not_a_file(self, tmp_path: Path) -> None:
        """A pipe or a folder in a model's place is damage, and does not hang."""
        path = tmp_path / "data" / ONNX.file.name
        path.mkdir(parents=True)
        with pytest.raises(ModelDamaged):
            store_in(tmp_path).find(ONNX)
        path.rmdir()
        os.mkfifo(path)
        with pytest.raises(ModelDamaged):
            store_in(tmp_path).find(ONNX)

    @pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "C:a", "\0"])
    def test_only_plain_names(self, name: str, tmp_path: Path) -> None:
        """A file name that could lead out of the folder is refused."""
        spec = model_spec(ModelFile(name=name, bytes=1, sha256="0"))
        with pytest.raises(ValueError, match="plain file name"):
            store_in(tmp_path).installed(spec)

    def test_no_graph_to_give(self, tmp_path: Path) -> None:
        """A model that comes as ONNX has no TensorFlow form."""
        with pytest.raises(InvalidOption, match="no TensorFlow graph"):
            store_in(tmp_path).find(ONNX, format="pb")


class TestPull:
    """`pull` brings what is not here, once."""

    def test_pulls_and_keeps(self, tmp_path: Path, mirror: Path) -> None:
        """The file is brought once, into a folder that is made for it."""
        store = store_in(tmp_path, mirror=mirror)
        assert not store.installed(ONNX)
        path = store.pull(ONNX)
        assert path == tmp_path / "data" / ONNX.file.name
        assert store.installed(ONNX)
        shutil.rmtree(mirror)
        assert store.pull(ONNX) == store.find(ONNX) == store.verify(ONNX) == path
        assert names(path.parent) == {path.name}

    def test_nothing_to_pull_from(self, tmp_path: Path) -> None:
        """A model without sources, such as the user's own, says so when its file is gone."""
        with pytest.raises(DownloadFailed, match="no source"):
            store_in(tmp_path).pull(ONNX)

    @pytest.mark.parametrize("content", [DATA[:-1], DATA + b"\0", DATA[::-1]])
    def test_replaces_a_damaged_file(self, content: bytes, tmp_path: Path, mirror: Path) -> None:
        """A damaged file, or a link to one, is replaced."""
        path = tmp_path / "data" / ONNX.file.name
        path.parent.mkdir()
        path.write_bytes(content)
        assert store_in(tmp_path, mirror=mirror).pull(ONNX) == path
        assert path.read_bytes() == DATA

    def test_failed_pull_keeps_the_damaged_file(self, tmp_path: Path) -> None:
        """Where no source delivers, what was there stays."""
        path = tmp_path / "data" / ONNX.file.name
        path.parent.mkdir()
        path.write_bytes(DATA[::-1])
        with pytest.raises(DownloadFailed):
            store_in(tmp_path, mirror=tmp_path).pull(ONNX)
        assert path.read_bytes() == DATA[::-1]

    def test_folder_that_is_a_file(self, tmp_path: Path, mirror: Path) -> None:
        """A file in the data folder's place is told as a folder that cannot be written."""
        (tmp_path / "data").write_text("in the way")
        with pytest.raises(ModelFolderNotWritable, match="UPRES_MODEL_DIR"):
            store_in(tmp_path, mirror=mirror).pull(ONNX)

    def test_locked_for_too_long(self, tmp_path: Path, mirror: Path) -> None:
        """A lock that is never freed ends the wait with words, not a hang."""
        target = tmp_path / "data" / ONNX.file.name
        target.parent.mkdir()
        settings = StoreSettings(folder=target.parent, mirror=str(mirror), lock_timeout_s=0.2)
        store = ModelStore(settings, bundled=tmp_path / "bundled")
        with (
            locked(target, timeout_s=0),
            ThreadPoolExecutor() as pool,
            pytest.raises(ModelFolderNotWritable, match="locked"),
        ):
            pool.submit(store.pull, ONNX).result()

    def test_many_threads(self, tmp_path: Path) -> None:
        """Threads that pull at once bring the file once."""
        with ModelServer({f"/{ONNX.file.name}": body(DATA)}) as server:
            store = store_in(tmp_path, mirror=server.url)
            with ThreadPoolExecutor(4) as pool:
                paths = set(pool.map(store.pull, [ONNX] * 8))
            assert len(server.paths) == len(paths) == 1
