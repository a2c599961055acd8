"""Strengths between `lite` and `photo`: weights that are mixed, by name, option and key."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import strengths
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from picture_files import noise, saved
from PIL import Image
from service_cases import accepted, claimed, result_of, service_in

from upres.cli import upres
from upres.condition import choice
from upres.config import Settings
from upres.engines import ENGINE_NAMES
from upres.errors import InvalidOption, ModelRefused, UnknownModel
from upres.jobs.job import JobOptions
from upres.library import Upscaler, enlarge
from upres.models.blend import Blend, between, blended_graph
from upres.models.calibration import Calibration
from upres.models.catalogue import Catalogue
from upres.models.probe import sample
from upres.service.run import Ending, run_job
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Options
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from builders import Case
    from numpy.typing import NDArray

RUNTIME = Runtime(engine="onnxruntime", threads=1)
PIXELS = noise(20, 24, 3)


RULE = """lite = "a"
photo = "b"
causes.quality = { start = 95, full = 50 }
causes.blocks = { start = 0.2, full = 0.8 }
"""


@pytest.fixture(autouse=True)
def rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these ramps decide: the shipped ones are fitted anew with every network."""
    monkeypatch.setattr(choice, "shipped_rule", lambda: choice.parse_rule(RULE))


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> dict[str, Case]:
    """Let the small family be the models that ship."""
    return strengths.ship(strengths.family(), Settings.from_environment(), monkeypatch)


@pytest.fixture
def bench(shipped: dict[str, Case]) -> Workbench:
    """Return a workbench with the small family."""
    assert shipped
    return Workbench(Settings.from_environment())


def enlarged(
    bench: Workbench,
    clean: float | None,
    *,
    model: str = "auto",
    factor: float = 2,
    runtime: Runtime = RUNTIME,
) -> NDArray[np.uint8]:
    """Enlarge the fixed picture."""
    upscaler = Upscaler(
        workbench=bench,
        model=model,
        clean=clean,
        size=SizeRequest(factor=factor),
        options=Options(),
        runtime=runtime,
    )
    return upscaler(PIXELS)


class TestWeights:
    """The blend itself."""

    @pytest.mark.parametrize("share", [0.25, 0.5, 1 / 3])
    def test_every_weight_lies_between(self, tmp_path: Path, share: float) -> None:
        """In its place; the graph is otherwise the same."""
        first, second = (strengths.network("n", scale=2, seed=seed) for seed in (1, 2))
        paths = {}
        for case in (first, second):
            folder = tmp_path / case.spec.file.sha256
            folder.mkdir()
            paths[case.spec.file.sha256] = case.save(folder)
        blend = between(first.spec, second.spec, share)
        assert isinstance(blend, Blend)
        graph = onnx.load_model_from_string(
            blended_graph(blend, lambda spec: paths[spec.file.sha256])
        )
        onnx.checker.check_model(graph, full_check=True)
        assert list(graph.graph.node) == list(first.model.graph.node)
        mixed = [onnx.numpy_helper.to_array(weight) for weight in graph.graph.initializer]
        for ours, theirs, got in zip(
            strengths.weights(first), strengths.weights(second), mixed, strict=True
        ):
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, (1 - share) * ours + share * theirs, atol=1e-6)

    def test_the_ends_are_the_networks_themselves(self) -> None:
        """No blend, no other hash: what was computed with them stays right."""
        first, second = (strengths.network("n", scale=2, seed=seed).spec for seed in (1, 2))
        assert between(first, second, 0) is first
        assert between(first, second, 1) is second

    @pytest.mark.parametrize(
        ("share", "limit"), [(0, 9), (0.1, 9), (0.25, 9), (0.26, 0), (0.5, 0), (1, 0)]
    )
    def test_weak_strengths_spare_flat_parts_as_the_first_does(
        self, share: float, limit: float
    ) -> None:
        """Strong ones take noise out of them."""
        first, second = (strengths.network("n", scale=2, seed=seed).spec for seed in (1, 2))
        assert between(replace(first, flat_below=9.0), second, share).flat_below == limit

    @pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
    def test_the_same_from_every_side_if_both_are(self, *, first: bool, second: bool) -> None:
        """A mean of such weights is one again."""
        spec = strengths.network("n", scale=2, seed=1).spec
        one, other = (replace(spec, symmetric=symmetric) for symmetric in (first, second))
        assert between(one, other, 0.5).symmetric is (first and second)

    @given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.sampled_from([1, 2, 3]))
    def test_each_share_of_each_pair_has_its_own_hash(self, share: float, seed: int) -> None:
        """Results' keys follow from it; equal requests have equal ones."""
        first, second, third = (strengths.network("n", scale=2, seed=s).spec for s in (1, 2, 3))
        blend = between(first, second, share)
        assert blend.file.sha256 == between(first, second, share).file.sha256
        others = [
            between(second, first, share),
            between(first, third, share),
            between(first, second, share / 2),
            first,
            second,
        ]
        assert blend.file.sha256 not in {other.file.sha256 for other in others}
        assert seed

    def test_other_shapes_are_refused(self, tmp_path: Path) -> None:
        """With the word that says why, before anything runs."""
        small, large = (
            strengths.network(name, scale=2, seed=1, features=features)
            for name, features in (("small", 8), ("large", 12))
        )
        for case in (small, large):
            case.save(tmp_path)
        blend = between(small.spec, large.spec, 0.5)
        assert isinstance(blend, Blend)
        with pytest.raises(ModelRefused, match="other names or shapes"):
            blended_graph(blend, lambda spec: tmp_path / spec.file.name)

    def test_other_operations_are_refused(self, tmp_path: Path) -> None:
        """The same weights in another network have no meaning between."""
        one, other = (strengths.network(name, scale=2, seed=1) for name in ("one", "other"))
        node = next(node for node in other.model.graph.node if node.op_type == "Relu")
        node.op_type = "Tanh"
        for case in (one, other):
            case.save(tmp_path)
        blend = between(one.spec, other.spec, 0.5)
        assert isinstance(blend, Blend)
        with pytest.raises(ModelRefused, match="another network"):
            blended_graph(blend, lambda spec: tmp_path / spec.file.name)

    def test_other_factors_are_refused(self) -> None:
        """At once."""
        twice, thrice = (strengths.network("n", scale=scale, seed=1).spec for scale in (2, 3))
        with pytest.raises(ModelRefused, match="its scale is not"):
            between(twice, thrice, 0.5)


class TestNames:
    """Which network a strength means."""

    @pytest.mark.parametrize("model", ["auto", "lite", "photo"])
    @pytest.mark.parametrize(
        ("clean", "factor", "found"),
        [
            (0, 2, "lite-x2"),
            (0, 3, "lite-x3"),
            (1, 2, "photo-x2"),
            (0.5, 2, "photo-x2@0.5"),
            (0.5, 3, "photo-x2@0.5"),
            (0.5, 1, "photo-x2@0.5"),
            (1, 1, "photo-x1"),  # which only photo has: all of it is photo itself
        ],
    )
    def test_nearest_scale_that_both_have(
        self, bench: Workbench, model: str, clean: float, factor: float, found: str
    ) -> None:
        """Whichever of the three names it is given with."""
        spec = bench.spec(model, factor=factor, clean=clean)
        assert spec is not None
        assert spec.id == found

    def test_photo_restores_at_its_own_size(self, bench: Workbench) -> None:
        """x1 is a network of its own; the result keeps the picture's size."""
        spec = bench.spec("photo", factor=1)
        assert spec is not None
        assert spec.id == "photo-x1"
        result = enlarged(bench, None, model="photo", factor=1)
        assert result.shape == PIXELS.shape
        assert (result != PIXELS).any()
        assert np.abs(result.astype(int) - PIXELS).max() < 80

    @pytest.mark.parametrize("model", ["other", "bicubic", "other-x2"])
    def test_other_models_have_no_strength(self, bench: Workbench, model: str) -> None:
        """Whatever the strength."""
        for clean in (0, 0.5, 1):
            with pytest.raises(InvalidOption, match="expected auto, lite or photo"):
                bench.spec(model, factor=2, clean=clean)

    @pytest.mark.parametrize("clean", [-0.1, 1.01, float("nan"), float("inf"), True, "0.5"])
    def test_a_strength_is_a_number_from_0_to_1(self, bench: Workbench, clean: float) -> None:
        """Anything else is told."""
        with pytest.raises(InvalidOption, match="clean is"):
            bench.spec("auto", factor=2, clean=clean)

    def test_without_photo_there_is_only_lite(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Strength 0 is lite; any other is refused and says what is missing."""
        strengths.ship(
            [strengths.network("lite", scale=2, seed=1)], Settings.from_environment(), monkeypatch
        )
        bench = Workbench(Settings.from_environment())
        spec = bench.spec("auto", factor=2, clean=0)
        assert spec is not None
        assert spec.id == "lite-x2"
        with pytest.raises(UnknownModel, match="photo"):
            bench.spec("auto", factor=2, clean=0.5)


class TestPictures:
    """What comes out."""

    def test_the_ends_are_the_models_results(self, bench: Workbench) -> None:
        """Byte for byte."""
        np.testing.assert_array_equal(enlarged(bench, 0), enlarged(bench, None, model="lite"))
        np.testing.assert_array_equal(enlarged(bench, 1), enlarged(bench, None, model="photo"))

    def test_the_result_changes_continuously(self, bench: Workbench) -> None:
        """Small steps of the strength are small steps of the picture, ends included."""
        steps = [0, 1e-4, 0.25, 0.2501, 0.5, 0.5001, 0.9999, 1]
        results = [enlarged(bench, clean).astype(int) for clean in steps]
        assert np.abs(results[0] - results[-1]).max() > 3
        for first, second in ((0, 1), (2, 3), (4, 5), (6, 7)):
            assert np.abs(results[first] - results[second]).max() <= 1
        assert (results[2] != results[4]).any()

    @pytest.mark.parametrize("engine", ENGINE_NAMES)
    def test_every_engine_runs_a_blend(self, bench: Workbench, engine: str) -> None:
        """And gives the same picture."""
        pytest.importorskip("cv2" if engine == "opencv" else engine)
        result = enlarged(bench, 0.5, runtime=Runtime(engine=engine, precision="fp32", threads=1))
        assert np.abs(result.astype(int) - enlarged(bench, 0.5)).max() <= 1

    def test_a_blend_is_not_run_in_int8(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only its two networks have tables: `auto` takes fp32, and int8 is refused."""
        tables = {
            spec.id: Calibration(model=spec.id, sha256="", inputs=()) for spec in bench.catalogue
        }
        for place in ("engines.choose", "models.store"):
            monkeypatch.setattr(f"upres.{place}.calibration_of", lambda spec: tables.get(spec.id))
        monkeypatch.setattr("upres.engines.choose.has_int8_dot_product", lambda: True)
        lite, blend = (bench.spec("auto", factor=2, clean=clean) for clean in (0, 0.5))
        assert lite is not None
        assert blend is not None
        runtime = Runtime(engine="openvino", threads=1)
        assert [bench.choice(one, runtime=runtime)[1] for one in (lite, blend)] == ["int8", "fp32"]
        assert bench.network(blend, runtime=runtime).precision == "fp32"
        with pytest.raises(InvalidOption, match="has no int8 twin"):
            bench.network(blend, runtime=replace(runtime, precision="int8"))

    def test_a_blend_leaves_no_file(
        self, bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither among the models nor in the folder for temporary files."""
        folder = bench.store.folder
        before = sorted(folder.iterdir())
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        enlarged(bench, 0.3)
        assert sorted(folder.iterdir()) == before
        assert not list(tmp_path.iterdir())

    def test_a_blend_is_opened_once(self, bench: Workbench) -> None:
        """Like any network."""
        spec = bench.spec("auto", factor=2, clean=0.5)
        assert spec is not None
        assert bench.network(spec, runtime=RUNTIME) is bench.network(spec, runtime=RUNTIME)


SMOOTH = np.asarray(Image.fromarray(sample("photo")).resize((96, 96), Image.Resampling.BICUBIC))
ROUGH = saved(SMOOTH, "jpeg", quality=20)


class TestAuto:
    """`auto` measures the picture."""

    def test_the_picture_decides_and_not_its_name(
        self, shipped: dict[str, Case], tmp_path: Path
    ) -> None:
        """A strongly compressed one gets `photo`, also as a PNG; a clean one gets `lite`."""
        assert shipped
        pixels = np.asarray(Image.open(io.BytesIO(ROUGH)))
        files = {
            "rough.jpg": ROUGH,
            "rough.png": saved(pixels, "png"),
            "clean.png": saved(SMOOTH, "png"),
            "clean.jpg": saved(SMOOTH, "jpeg", quality=98),
        }
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        words = ["enlarge", *(str(tmp_path / name) for name in files), "--scale", "2", "--json"]
        words += ["-o", f"{tmp_path}/out/"]
        run = CliRunner().invoke(upres, words, standalone_mode=False)
        assert run.exception is None
        told = {Path(one["input"]).name: one for one in map(json.loads, run.stdout.splitlines())}
        assert told["rough.jpg"]["clean"] >= 0.75
        assert "quality" in told["rough.jpg"]["reason"]
        assert told["rough.png"]["clean"] >= 0.5
        for name in ("clean.png", "clean.jpg"):
            assert told[name]["clean"] == 0
            assert told[name]["model"] == "lite-x2"
            assert "clean" in told[name]["reason"]

    def test_people_are_told_the_reason(self, shipped: dict[str, Case], tmp_path: Path) -> None:
        """On the line that names the result."""
        assert shipped
        source = tmp_path / "a.jpg"
        source.write_bytes(ROUGH)
        words = ["enlarge", str(source), "--scale", "2"]
        run = CliRunner().invoke(upres, words, standalone_mode=False)
        assert "quality" in run.stderr

    def test_the_library_measures_every_kind(
        self, shipped: dict[str, Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bytes and files by what they state, too; arrays by their pixels."""
        assert shipped
        monkeypatch.setattr("upres.library.default_workbench", lambda: bench)
        bench = Workbench(Settings.from_environment())
        pixels = np.asarray(Image.open(io.BytesIO(ROUGH)))
        source = tmp_path / "a.png"
        source.write_bytes(saved(pixels, "png"))
        result = enlarge(pixels, scale=2)
        chosen = bench.method("auto", factor=2, clean=0, runtime=Runtime())
        assert (result != enlarge(pixels, scale=2, clean=0)).any()
        assert (result != enlarge(SMOOTH, scale=2)).any()
        np.testing.assert_array_equal(np.asarray(Image.open(enlarge(source, scale=2))), result)
        np.testing.assert_array_equal(
            enlarge(SMOOTH, scale=2), enlarge(SMOOTH, scale=2, model="lite")
        )
        assert chosen is not None

    @pytest.mark.parametrize("options", [{"model": "lite"}, {"model": "bicubic"}, {"clean": 0}])
    def test_nothing_else_is_measured(
        self, bench: Workbench, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who says what to take need not wait for it."""
        monkeypatch.setattr("upres.library.measure", lambda *_: pytest.fail("measured"))
        upscaler = Upscaler(
            workbench=bench,
            size=SizeRequest(factor=2),
            options=Options(),
            runtime=RUNTIME,
            **({"model": "auto"} | options),
        )
        assert upscaler(PIXELS).shape == (40, 48, 3)

    def test_without_photo_nothing_is_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`auto` is `lite` then."""
        strengths.ship(
            [strengths.network("lite", scale=2, seed=1)], Settings.from_environment(), monkeypatch
        )
        monkeypatch.setattr("upres.library.measure", lambda *_: pytest.fail("measured"))
        assert enlarged(Workbench(Settings.from_environment()), None).shape == (40, 48, 3)

    def test_the_service_tells_the_choice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the job, also in one that gets the same result later; the key holds the rule."""
        settings = Settings.from_environment({"UPRES_MODEL_DIR": str(tmp_path / "models")})
        strengths.ship(strengths.family(), settings, monkeypatch)
        service = service_in(tmp_path)
        try:
            options = JobOptions(factor=2, format="png")
            job = accepted(service, ROUGH, options)
            assert job.choice is None
            assert run_job(service, claimed(service)) is Ending.DONE
            later = accepted(service, ROUGH, options)
            told = [service.table.get(one.id).choice for one in (job, later)]
            assert told[0] == told[1]
            chosen = json.loads(told[0] or "null")
            assert chosen["clean"] >= 0.75
            assert "quality" in chosen["reason"]
            by_hand = accepted(
                service, ROUGH, JobOptions(factor=2, format="png", clean=chosen["clean"])
            )
            run_job(service, claimed(service))
            assert result_of(service, by_hand.id) == result_of(service, job.id)
            assert service.table.get(by_hand.id).choice is None
            ran = [json.loads(service.table.get(one.id).ran or "null") for one in (job, by_hand)]
            assert [one["clean"] for one in ran] == [chosen["clean"]] * 2
            assert [one["model"] for one in ran] == ["photo"] * 2
            monkeypatch.setattr("upres.condition.choice.MEASURE_VERSION", 99)
            assert accepted(service, ROUGH, options).content_key != job.content_key
        finally:
            service.close()


class TestOuterSides:
    """Command and service."""

    def test_the_command_takes_it(self, shipped: dict[str, Case], tmp_path: Path) -> None:
        """And names the strength that was used."""
        assert shipped
        source = tmp_path / "a.png"
        source.write_bytes(saved(PIXELS, "png"))
        words = ["enlarge", str(source), "--scale", "2", "--clean", "0.25", "--json"]
        run = CliRunner().invoke(upres, words, standalone_mode=False)
        assert run.exception is None
        assert json.loads(run.stdout)["model"] == "photo-x2@0.25"

    def test_the_service_takes_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each strength has another key and another result."""
        settings = Settings.from_environment({"UPRES_MODEL_DIR": str(tmp_path / "models")})
        strengths.ship(strengths.family(), settings, monkeypatch)
        picture = saved(PIXELS, "png")
        service = service_in(tmp_path)
        try:
            jobs = [
                accepted(service, picture, JobOptions(factor=2, clean=clean))
                for clean in (0, 0.25, 0.5, 1)
            ]
            assert len({job.content_key for job in jobs}) == len(jobs)
            for _ in jobs:
                assert run_job(service, claimed(service)) is Ending.DONE
            results = [result_of(service, job.id) for job in jobs]
        finally:
            service.close()
        assert len(set(results)) == len(results)


def test_the_shipped_pair_can_be_mixed() -> None:
    """Wherever both ship at one scale, their weights have the same names and shapes."""
    bench = Workbench(Settings.from_environment())
    catalogue = Catalogue.load()
    if not catalogue.has_strengths():
        with pytest.raises(UnknownModel, match="photo"):
            bench.spec("auto", factor=3, clean=0.5)
        return
    for scale in {*catalogue.scales("lite")} & {*catalogue.scales("photo")}:
        blend = bench.spec("auto", factor=scale, clean=0.5)
        assert isinstance(blend, Blend)
        assert blended_graph(blend, bench.store.find)
