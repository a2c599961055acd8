"""What only the OpenCV engine has: a process-wide setting, two engines inside, and .pb files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from builders import case
from engines.conftest import present
from engines.numpy_reference import evaluate
from graphdef_writer import Writer

from upres.errors import EngineFailed, EngineMissing
from upres.models.spec import Channels, ModelFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from upres.engines.base import Engine
    from upres.models.spec import ModelSpec


@pytest.fixture
def opencv() -> Engine:
    return present("opencv")


def pb_spec(*, value_max: float = 255.0) -> ModelSpec:
    file = ModelFile(name="repeated_x2.pb", bytes=0, sha256="")
    spec = replace(case("repeated").spec, channels=Channels.BGR, value_max=value_max)
    return replace(spec, file=file)


def repeating_pb(folder: Path) -> Path:
    """A GraphDef that repeats every pixel twice each way."""
    writer = Writer()
    kernel = np.tile(np.eye(3, dtype=np.float32), 4)[np.newaxis, np.newaxis]
    spread = writer.conv(writer.x, writer.const(kernel))
    path = folder / "repeated_x2.pb"
    path.write_bytes(writer.finish(writer.shuffle(spread, 2)))
    return path


def watch(monkeypatch: pytest.MonkeyPatch, *, refuse_classic: bool = False) -> list[int]:
    """Return a list that tells which of OpenCV's engines were tried from now on."""
    import cv2

    read = cv2.dnn.readNetFromONNX
    tried: list[int] = []

    def watched(path: str, *, engine: int) -> Any:
        tried.append(engine)
        if refuse_classic and engine == cv2.dnn.ENGINE_CLASSIC:
            raise cv2.error
        return read(path, engine=engine)

    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", watched)
    return tried


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(4).uniform(-30, 290, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "channels", "wanted"),
    [
        ("EDSR_x3.pb", Channels.BGR, "pb"),
        ("FSRCNN_x3.pb", Channels.LUMA, "onnx"),
        ("lite_x3.onnx", Channels.RGB, "onnx"),
        ("other.onnx", Channels.BGR, "onnx"),
    ],
)
def test_original_files_of_colour_models_are_wanted(
    name: str, channels: Channels, wanted: str, opencv: Engine
) -> None:
    """dnn_superres enlarges chroma its own way for luma models, so those run as ONNX."""
    file = ModelFile(name=name, bytes=0, sha256="")
    spec = replace(case("repeated").spec, file=file, channels=channels)
    assert opencv.wanted_format(spec) == wanted


@pytest.mark.parametrize("value_max", [255.0, 1.0])
def test_a_pb_file_runs_in_whole_levels(value_max: float, opencv: Engine, tmp_path: Path) -> None:
    """Planes are rounded and clipped to 8 bits before dnn_superres, and stay in their order."""
    spec = pb_spec(value_max=value_max)
    levels = noise(1, 3, 20, 31)
    with opencv.open(repeating_pb(tmp_path), spec, threads=2) as session:
        result = session.run(levels * np.float32(value_max / 255))
    expected = np.clip(np.rint(levels), 0, 255).repeat(2, axis=2).repeat(2, axis=3)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected * (value_max / 255), rtol=1e-6)


@pytest.mark.parametrize("name", ["sub-pixel-crd", "sub-pixel-dcr", "attention", "repeated"])
@pytest.mark.parametrize("classic", [True, False])
def test_a_pb_file_spoils_no_other_network(
    name: str, opencv: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, classic: bool
) -> None:
    """dnn_superres replaces OpenCV's DepthToSpace, which then scrambles PyTorch's pixel shuffle."""
    watch(monkeypatch, refuse_classic=not classic)
    opencv.open(repeating_pb(tmp_path), pb_spec(), threads=2).close()
    made = case(name)
    tile = np.random.default_rng(4).uniform(0, 1, (1, 3, 32, 40)).astype(np.float32)
    with opencv.open(made.save(tmp_path), made.spec, threads=2) as session:
        np.testing.assert_allclose(session.run(tile), evaluate(made.model, tile), atol=2e-5)
    with opencv.open(repeating_pb(tmp_path), pb_spec(), threads=2) as session:
        session.run(tile)


def test_a_bad_pb_file_fails(opencv: Engine, tmp_path: Path) -> None:
    """As any other bad file does."""
    path = tmp_path / "bad.pb"
    path.write_bytes(b"no model")
    with pytest.raises(EngineFailed, match="engine opencv failed on model repeated-x2: "):
        opencv.open(path, pb_spec(), threads=1)


def test_without_the_contrib_modules_the_package_is_named(
    opencv: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain opencv-python has no dnn_superres."""
    import cv2

    monkeypatch.delattr(cv2, "dnn_superres")
    with pytest.raises(EngineMissing, match="contrib"):
        opencv.open(repeating_pb(tmp_path), pb_spec(), threads=1)


@pytest.mark.parametrize("threads", [1, 3])
def test_opencvs_own_settings_are_left_alone(threads: int, opencv: Engine, tmp_path: Path) -> None:
    """Number of threads and log level belong to the whole process, so to the program around us."""
    import cv2

    made = case("residual")
    found = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        level = cv2.utils.logging.getLogLevel()
        with opencv.open(made.save(tmp_path), made.spec, threads=threads) as session:
            session.run(np.zeros((1, 3, 32, 32), np.float32))
        assert cv2.getNumThreads() == 2
        assert cv2.utils.logging.getLogLevel() == level
    finally:
        cv2.setNumThreads(found)


@pytest.mark.parametrize(("name", "classic"), [("residual", True), ("computed-size", False)])
def test_what_the_classic_engine_refuses_runs_in_the_new_one(
    name: str, opencv: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, classic: bool
) -> None:
    """The classic engine is faster but knows less; nothing is said of its refusal."""
    import cv2

    tried = watch(monkeypatch)
    made = case(name)
    opencv.open(made.save(tmp_path), made.spec, threads=1).close()
    both = [cv2.dnn.ENGINE_CLASSIC, cv2.dnn.ENGINE_NEW]
    assert tried == both[: 1 if classic else 2]


def test_a_single_row_is_refused(opencv: Engine, tmp_path: Path) -> None:
    """The classic engine computes depthwise convolutions wrongly there; tiles are never so thin."""
    made = case("attention")
    with opencv.open(made.save(tmp_path), made.spec, threads=1) as session:
        session.run(np.zeros((1, 3, 2, 2), np.float32))
        for sides in ((1, 32), (32, 1)):
            with pytest.raises(EngineFailed, match="2 pixels"):
                session.run(np.zeros((1, 3, *sides), np.float32))
