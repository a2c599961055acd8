"""Graphs made on this machine are used only while their stamps vouch for them."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store_cases import (
    DATA,
    GRAPH,
    Convert,
    flip,
    mirror_in,
    names,
    store_in,
)

from upres.errors import (
    ModelDamaged,
    ModelMissing,
)
from upres.models.store import ModelStore, StoreSettings

if TYPE_CHECKING:
    from upres.models.spec import ModelSpec


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Hold both model files as a mirror folder would."""
    return mirror_in(tmp_path)


class TestConverted:
    """TensorFlow models: the pinned file stays, its ONNX graph is made beside it."""

    def test_pull_converts(self, tmp_path: Path, mirror: Path) -> None:
        """`pull` leaves the file, the graph and its stamp; `find` gives out either."""
        convert = Convert()
        store = store_in(tmp_path, mirror=mirror, convert=convert, converter_version="7")
        graph = store.pull(GRAPH)
        assert names(graph.parent) == {"tiny_x3.pb", "tiny_x3.onnx", "tiny_x3.onnx.json"}
        assert graph == store.find(GRAPH)
        assert store.find(GRAPH, format="pb").read_bytes() == DATA
        stamp = json.loads((graph.parent / "tiny_x3.onnx.json").read_text())
        assert stamp == {
            "source_sha256": GRAPH.file.sha256,
            "converter_version": "7",
            "sha256": hashlib.sha256(graph.read_bytes()).hexdigest(),
            "bytes": graph.stat().st_size,
        }
        assert convert.calls == 1

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda graph: graph.unlink(),
            lambda graph: flip(graph, bit=9),
            lambda graph: graph.write_bytes(graph.read_bytes()[:-1]),
            lambda graph: graph.with_name("tiny_x3.onnx.json").unlink(),
            lambda graph: graph.with_name("tiny_x3.onnx.json").write_text("{}"),
            lambda graph: graph.with_name("tiny_x3.onnx.json").write_text("["),
            lambda graph: graph.with_name("tiny_x3.onnx.json").write_text("[1]"),
            lambda graph: graph.with_name("tiny_x3.onnx.json").write_bytes(b"\xff"),
        ],
    )
    def test_spoiled_graph_is_made_anew(self, spoil: Any, tmp_path: Path, mirror: Path) -> None:
        """A graph that its stamp does not vouch for is made again, without any network."""
        convert = Convert()
        store = store_in(tmp_path, mirror=mirror, convert=convert)
        graph = store.pull(GRAPH)
        whole = graph.read_bytes()
        shutil.rmtree(mirror)
        spoil(graph)
        assert store.find(GRAPH) == graph
        assert graph.read_bytes() == whole
        assert convert.calls == 2

    def test_other_converter(self, tmp_path: Path, mirror: Path) -> None:
        """A graph by another version of the converter is made again; `verify` finds no fault."""
        store_in(tmp_path, mirror=mirror).pull(GRAPH)
        convert = Convert()
        newer = store_in(tmp_path, convert=convert, converter_version="next")
        newer.verify(GRAPH)
        newer.find(GRAPH)
        newer.find(GRAPH)
        assert convert.calls == 1

    def test_verify_tells_a_damaged_graph(self, tmp_path: Path, mirror: Path) -> None:
        """`verify` reports a graph that changed, and repairs nothing."""
        store = store_in(tmp_path, mirror=mirror)
        graph = store.pull(GRAPH)
        assert store.verify(GRAPH) == graph.with_name("tiny_x3.pb")
        flip(graph, bit=9)
        with pytest.raises(ModelDamaged, match=r"tiny_x3\.onnx is damaged"):
            store.verify(GRAPH)

    def test_damaged_source(self, tmp_path: Path, mirror: Path) -> None:
        """A flipped bit in the file leaves a good graph usable; `pb`, `verify`, remaking do not."""
        store = store_in(tmp_path, mirror=mirror)
        graph = store.pull(GRAPH)
        source = graph.with_name("tiny_x3.pb")
        flip(source)
        assert store.find(GRAPH) == graph
        graph.unlink()
        for attempt in (partial(store.find, format="pb"), store.verify, store.find):
            with pytest.raises(ModelDamaged, match=r"tiny_x3\.pb is damaged"):
                attempt(GRAPH)
        assert store.pull(GRAPH) == graph
        assert source.read_bytes() == DATA

    def test_source_of_the_wrong_size(self, tmp_path: Path, mirror: Path) -> None:
        """A file of the wrong size is damage even beside a good graph; a missing one is missing."""
        store = store_in(tmp_path, mirror=mirror)
        source = store.pull(GRAPH).with_name("tiny_x3.pb")
        source.write_bytes(DATA[:-1])
        with pytest.raises(ModelDamaged):
            store.find(GRAPH)
        source.unlink()
        with pytest.raises(ModelMissing):
            store.find(GRAPH)

    def test_bundled_graph(self, tmp_path: Path) -> None:
        """A folder made by a store can be bundled: file, graph and stamp are used from there."""
        made = tmp_path / "made"
        made.mkdir()
        (made / GRAPH.file.name).write_bytes(DATA)
        maker = ModelStore(StoreSettings(folder=made), bundled=made, convert=Convert())
        maker.find(GRAPH)
        convert = Convert()
        settings = StoreSettings(folder=tmp_path / "data")
        store = ModelStore(settings, bundled=made, convert=convert)
        assert store.find(GRAPH) == made / "tiny_x3.onnx"
        assert convert.calls == 0
        assert not (tmp_path / "data").exists()

    def test_one_conversion_for_many_threads(self, tmp_path: Path, mirror: Path) -> None:
        """Threads that need the graph at once make it once."""
        convert = Convert()
        store = store_in(tmp_path, mirror=mirror, convert=convert)
        store.pull(GRAPH).unlink()
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(store.find, [GRAPH] * 8))) == 1
        assert convert.calls == 2

    def test_refused_graph(self, tmp_path: Path, mirror: Path) -> None:
        """What the converter raises reaches the caller, and no half-made graph stays."""

        def refuse(_: bytes, /, *, spec: ModelSpec) -> bytes:
            raise ArithmeticError(spec.id)

        with pytest.raises(ArithmeticError):
            store_in(tmp_path, mirror=mirror, convert=refuse).pull(GRAPH)
        assert names(tmp_path / "data") == {"tiny_x3.pb"}
