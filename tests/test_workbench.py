"""From a model's name to a network that runs: what is opened, kept, pulled and closed."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tomli_w
from builders import Case, described, repeated
from model_server import ModelServer

from upres import workbench as workbench_module
from upres.config import Settings
from upres.engines import engine as real_engine
from upres.engines.choose import current_conditions
from upres.engines.measurements import Measurement, save
from upres.errors import (
    DownloadFailed,
    InvalidOption,
    ModelDamaged,
    ModelMissing,
    ModelRefused,
    UnknownModel,
)
from upres.models.spec import Channels
from upres.upscale.resample import BICUBIC, LANCZOS
from upres.upscale.upscaler import Interpolation, Network
from upres.workbench import OPEN_NETWORKS, Runtime, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upres.engines.base import Engine, Precision, Session
    from upres.models.spec import ModelSpec

RUNTIME = Runtime(engine="onnxruntime", threads=1)


def tiny(name: str, *, scale: int = 2) -> Case:
    """Return a network of that name that repeats pixels."""
    model = repeated(scale=scale).model
    return described(model, name=name, scale=scale, channels=Channels.RGB)


def enter(case: Case, settings: Settings, *, folder: Path | None = None) -> ModelSpec:
    """Enter a network in the user's catalogue, its file in the model folder or in another."""
    spec = case.spec
    entry = {
        "name": spec.name,
        "scale": spec.scale,
        "channels": spec.channels.value,
        "value_max": spec.value_max,
        "halo_px": spec.halo_px,
        "working_bytes_per_px": spec.working_bytes_per_px,
        "licence": spec.licence,
        "origin": spec.origin,
        "file": {"name": spec.file.name, "bytes": spec.file.bytes, "sha256": spec.file.sha256},
    }
    added = settings.added_models_folder
    added.mkdir(parents=True, exist_ok=True)
    added.joinpath(f"{spec.id}.toml").write_text(tomli_w.dumps({"model": [entry]}), "utf-8")
    place = folder or settings.store.folder
    place.mkdir(exist_ok=True)
    case.save(place)
    return spec


@pytest.fixture
def settings() -> Settings:
    """Return settings whose folders are this test's own."""
    return Settings.from_environment()


class CountedEngine:
    """An engine that notes what it opens."""

    def __init__(self, engine: Engine, seen: list[tuple[str, str, int]]) -> None:
        self._engine = engine
        self._seen = seen

    def wanted_format(self, spec: ModelSpec) -> str:
        """Ask the engine."""
        return self._engine.wanted_format(spec)

    def open(self, path: Path, spec: ModelSpec, *, precision: Precision, threads: int) -> Session:
        """Note, then open."""
        self._seen.append((spec.id, precision, threads))
        return self._engine.open(path, spec, precision=precision, threads=threads)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Collect (model, precision, threads) of every network that is opened."""
    seen: list[tuple[str, str, int]] = []
    monkeypatch.setattr(
        workbench_module, "engine_named", lambda name: CountedEngine(real_engine(name), seen)
    )
    return seen


def network(
    bench: Workbench, name: str, *, factor: float = 2, runtime: Runtime = RUNTIME
) -> Network:
    """Return the network for a factor."""
    method = bench.method(name, factor=factor, runtime=runtime)
    assert isinstance(method, Network)
    return method


def test_baselines_need_no_file(settings: Settings) -> None:
    """They are kernels, for any factor and any runtime."""
    bench = Workbench(settings)
    for name, kernel in (("bicubic", BICUBIC), ("lanczos", LANCZOS)):
        method = bench.method(name, factor=7.3, runtime=Runtime(engine="nonesuch"))
        assert method == Interpolation(kernel=kernel)


@pytest.mark.parametrize(("factor", "scale"), [(1, 2), (2, 2), (3, 3), (16, 4)])
def test_auto_is_a_model_that_ships(settings: Settings, factor: float, scale: int) -> None:
    """It runs on a machine that never saw the network."""
    method = network(Workbench(settings), "auto", factor=factor)
    assert method.spec.id == f"lite-x{scale}"
    result = method.session.run(np.ones((1, 3, 8, 8), np.float32))
    assert result.shape == (1, 3, 8 * scale, 8 * scale)


@pytest.mark.parametrize(
    ("factor", "scale"), [(1, 2), (2, 2), (2.01, 3), (3, 3), (3.5, 4), (4, 4), (16, 4)]
)
def test_nearest_network_for_a_factor(settings: Settings, factor: float, scale: int) -> None:
    """At or above the factor, else the largest."""
    assert network(Workbench(settings), "fsrcnn-small", factor=factor).spec.scale == scale


def test_a_network_is_opened_once(settings: Settings, opened: list[tuple[str, str, int]]) -> None:
    """Whatever the factor that leads to it."""
    bench = Workbench(settings)
    sessions = {id(network(bench, "lite", factor=factor).session) for factor in (2.1, 2.5, 3)}
    assert len(sessions) == 1
    assert opened == [("lite-x3", "fp32", 1)]


def test_another_runtime_is_another_network(
    settings: Settings, opened: list[tuple[str, str, int]]
) -> None:
    """Threads and engine belong to a session."""
    bench = Workbench(settings)
    for runtime in (
        RUNTIME,
        Runtime(engine="onnxruntime", threads=2),
        Runtime(engine="openvino", threads=1),
    ):
        network(bench, "fsrcnn-small", runtime=runtime)
    assert opened == [("fsrcnn-small-x2", "fp32", threads) for threads in (1, 2, 1)]


def test_threads_of_call_then_settings_then_machine(
    monkeypatch: pytest.MonkeyPatch, opened: list[tuple[str, str, int]]
) -> None:
    """The nearest word counts."""
    monkeypatch.setattr(workbench_module, "usable_cpus", lambda: 3)
    network(Workbench(Settings.from_environment()), "fsrcnn-small", runtime=Runtime())
    monkeypatch.setenv("UPRES_THREADS", "2")
    bench = Workbench(Settings.from_environment())
    network(bench, "fsrcnn-small", runtime=Runtime())
    network(bench, "fsrcnn-small", runtime=Runtime(threads=1))
    assert [threads for _, _, threads in opened] == [3, 2, 1]


@pytest.mark.parametrize("threads", [0, -1])
def test_senseless_threads_are_refused(settings: Settings, threads: int) -> None:
    """None, not 0, is what stands for every CPU."""
    with pytest.raises(InvalidOption, match=f"threads is {threads}"):
        network(Workbench(settings), "fsrcnn-small", runtime=Runtime(threads=threads))


def test_unknown_engine_is_refused(settings: Settings) -> None:
    """The error lists those there are."""
    with pytest.raises(InvalidOption, match=r"engine is 'cuda'.*openvino, onnxruntime, opencv"):
        network(Workbench(settings), "lite", runtime=Runtime(engine="cuda"))


def test_measured_engine_is_taken(settings: Settings) -> None:
    """`auto` follows what `upres tune` kept in the cache folder."""
    bench = Workbench(settings)
    spec = bench.catalogue.get("fsrcnn-small", 2)
    conditions = current_conditions(spec, threads=1)
    measurements = [
        Measurement(engine="openvino", precision="fp32", seconds=(2.0,)),
        Measurement(engine="opencv", precision="fp32", seconds=(1.0,)),
    ]
    save(measurements, conditions=conditions, folder=settings.cache_folder)
    chosen = network(bench, "fsrcnn-small", runtime=Runtime(threads=1))
    assert chosen is network(bench, "fsrcnn-small", runtime=Runtime(engine="opencv", threads=1))


def test_only_the_last_few_stay_open(
    settings: Settings, opened: list[tuple[str, str, int]]
) -> None:
    """The one unused for longest goes first; using one keeps it."""
    names = [f"tiny{number}" for number in range(OPEN_NETWORKS + 1)]
    for name in names:
        enter(tiny(name), settings)
    bench = Workbench(settings)
    for name in (*names[:OPEN_NETWORKS], names[0], names[OPEN_NETWORKS]):
        network(bench, name)
    assert [model for model, _, _ in opened] == [f"{name}-x2" for name in names]
    network(bench, names[0])
    assert len(opened) == OPEN_NETWORKS + 1
    network(bench, names[1])
    assert opened[-1][0] == f"{names[1]}-x2"
    assert len(opened) == OPEN_NETWORKS + 2


def test_a_network_in_use_outlives_its_place(settings: Settings) -> None:
    """Whoever holds one can go on with it when others have taken its place."""
    names = [f"tiny{number}" for number in range(OPEN_NETWORKS + 2)]
    for name in names:
        enter(tiny(name), settings)
    bench = Workbench(settings)
    first = network(bench, names[0])
    for name in names[1:]:
        network(bench, name)
    planes = np.random.default_rng(1).random((1, 3, 5, 7), np.float32)
    expected = planes.repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_allclose(first.session.run(planes), expected, atol=1e-6)
    assert network(bench, names[0]) is not first


def test_threads_that_ask_at_once_get_one_network(
    settings: Settings, opened: list[tuple[str, str, int]]
) -> None:
    """It is opened by the first; the others wait."""
    bench = Workbench(settings)
    barrier = Barrier(4)

    def ask(_: int) -> Network:
        barrier.wait(10)
        return network(bench, "espcn")

    with ThreadPoolExecutor(4) as pool:
        networks = list(pool.map(ask, range(4)))
    assert len({id(each) for each in networks}) == 1
    assert len(opened) == 1


class TestPull:
    """A missing model comes only when it was asked for."""

    @pytest.mark.parametrize("name", ["edsr", "lapsrn"])
    def test_nothing_is_pulled_unasked(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """The error says what to run; no server is asked, no folder made."""
        with ModelServer() as server:
            monkeypatch.setenv("UPRES_MODEL_MIRROR", server.url)
            settings = Settings.from_environment()
            with pytest.raises(ModelMissing, match=f"upres models pull {name}-x2"):
                network(Workbench(settings), name)
            assert server.paths == []
        assert not settings.store.folder.exists()

    def test_told_first_then_pulled_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The notice names the model and may return what watches the bytes arrive."""
        mirror = tmp_path / "mirror"
        monkeypatch.setenv("UPRES_MODEL_MIRROR", str(mirror))
        settings = Settings.from_environment()
        spec = enter(tiny("far"), settings, folder=mirror)
        bench = Workbench(settings)
        told: list[object] = []

        @contextmanager
        def notice(missing: ModelSpec) -> Iterator[Callable[[int, int], None]]:
            told.append(missing.id)
            assert not bench.store.installed(missing)
            yield lambda done, total: told.append((done, total))

        for _ in range(2):
            method = bench.method("far", factor=2, runtime=RUNTIME, pull=notice)
            assert isinstance(method, Network)
        assert told == [spec.id, (spec.file.bytes, spec.file.bytes)]
        shutil.rmtree(mirror)
        assert network(Workbench(settings), "far").spec == spec

    def test_notice_is_not_called_for_what_is_here(self, settings: Settings) -> None:
        """Nor for interpolation."""

        def never(spec: ModelSpec) -> nullcontext[None]:
            raise AssertionError(spec)

        bench = Workbench(settings)
        for name in ("auto", "espcn", "bicubic"):
            bench.method(name, factor=2, runtime=RUNTIME, pull=never)

    def test_failing_pull_is_told(self, settings: Settings) -> None:
        """An added model whose file is gone has no source."""
        enter(tiny("gone"), settings)
        settings.store.folder.joinpath("gone-x2.onnx").unlink()
        with pytest.raises(DownloadFailed, match=r"gone-x2.onnx.*no source"):
            Workbench(settings).method(
                "gone", factor=2, runtime=RUNTIME, pull=lambda _: nullcontext()
            )


@pytest.mark.parametrize("name", ["nonesuch", "", "lite-x9"])
def test_unknown_model(settings: Settings, name: str) -> None:
    """The error lists the known names."""
    with pytest.raises(UnknownModel, match=r"known: auto, fast, lite, .*bicubic, lanczos"):
        network(Workbench(settings), name)


def test_damaged_file_is_not_opened(settings: Settings) -> None:
    """Trust is in hashes alone."""
    spec = enter(tiny("bad"), settings)
    path = settings.store.folder / spec.file.name
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(ModelDamaged, match=r"bad-x2.onnx is damaged"):
        network(Workbench(settings), "bad")


def test_a_broken_addition_stops_nothing_else(settings: Settings) -> None:
    """Only a name that may be the broken one's is answered with what is wrong."""
    settings.added_models_folder.mkdir(parents=True)
    settings.added_models_folder.joinpath("own.toml").write_text("[[model")
    bench = Workbench(settings)
    assert bench.spec("lite", factor=3) is not None
    with pytest.raises(ModelRefused, match=r"own\.toml"):
        bench.spec("own", factor=3)


def test_making_one_touches_nothing(settings: Settings) -> None:
    """Neither folders nor the network."""
    Workbench(settings)
    assert not settings.store.folder.exists()
    assert not settings.cache_folder.exists()


@pytest.mark.parametrize(
    ("runtime", "spared"),
    [
        (Runtime(), True),
        (Runtime(exact=True), False),
        (Runtime(precision="fp32"), False),
        (Runtime(precision="int8"), False),
    ],
)
def test_flat_parts_are_spared_where_auto_decides(
    settings: Settings, opened: list[tuple[str, str, int]], runtime: Runtime, *, spared: bool
) -> None:
    """And only with models that say what is flat: `fast` is as cheap as interpolation."""
    bench = Workbench(settings)
    lite = bench.network(bench.catalogue.get("lite", 3), runtime=runtime)
    assert lite.spares_flat is spared
    assert not bench.network(bench.catalogue.get("fast", 3), runtime=runtime).spares_flat
    assert len(opened) == 2
