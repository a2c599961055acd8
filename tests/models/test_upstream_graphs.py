from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
import pytest

from upres.models.convert import convert_graphdef
from upres.models.spec import Channels, ModelFile, ModelSpec

BUNDLED = Path(__file__).parents[2] / "src" / "upres" / "models" / "weights"

Array: TypeAlias = "np.ndarray[Any, Any]"
Engine: TypeAlias = Callable[[Array], Array]

BUNDLED_NAMES = [
    f"{family}_x{s}" for family in ("ESPCN", "FSRCNN", "FSRCNN-small") for s in (2, 3, 4)
]
NAMES = [*BUNDLED_NAMES, "LapSRN_x2", "LapSRN_x4", "LapSRN_x8"]


def make_spec(name: str) -> ModelSpec:
    family, _, scale = name.rpartition("_x")
    return ModelSpec(
        name=family.lower(),
        scale=int(scale),
        channels=Channels.LUMA,
        value_max=1.0,
        halo_px=8,
        working_bytes_per_px=0,
        licence="Apache-2.0",
        origin="upstream",
        file=ModelFile(name=f"{name}.pb", bytes=0, sha256=""),
    )


def graphdef(shared: Path, name: str) -> Path:
    path = shared / "weights" / f"{name}.pb"
    if not path.exists():
        pytest.skip(f"{path.name} is not in shared/weights")
    return path


def luma_pictures(shared: Path, scale: int) -> list[Array]:
    """Corners of benchmark pictures, of odd sizes, and noise; 8-bit luma."""
    folder = shared / "bench" / "Set5" / "LR_bicubic" / f"X{scale}"
    pictures: list[Array] = []
    for path in sorted(folder.glob("*.png"))[:2]:
        pixels: Any = cv2.imread(str(path))
        pictures.append(cv2.cvtColor(pixels[:33, :42], cv2.COLOR_BGR2YCrCb)[..., 0])
    return [*pictures, np.random.default_rng(5).integers(0, 256, (21, 27), np.uint8)]


def engines(graph: Path) -> dict[str, Engine]:
    """Every engine that must take a converted graph, as a function of one NCHW array."""

    def opencv(engine: int) -> Engine:
        # By path: OpenCV 5.0 does not pass the choice on when it reads from memory.
        net = cv2.dnn.readNetFromONNX(str(graph), engine)

        def run(x: Array) -> Array:
            net.setInput(x)
            return np.array(net.forward())

        return run

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(graph), "CPU", exact)
    return {
        "onnxruntime": lambda x: np.array(session.run(None, {"input": x})[0]),
        "openvino": lambda x: np.array(compiled(x)[0]),
        "opencv new": opencv(cv2.dnn.ENGINE_NEW),
        "opencv classic": opencv(cv2.dnn.ENGINE_CLASSIC),
    }


def superres() -> Any:
    module: Any = cv2.dnn_superres
    return module.DnnSuperResImpl_create()


def levels(values: Array) -> Array:
    clipped: Array = np.clip(np.rint(values * 255), 0, 255)
    return clipped


@pytest.mark.parametrize("name", NAMES)
def test_converted_graphs_equal_the_files_own_network(
    name: str, shared: Path, tmp_path: Path
) -> None:
    """Every engine stays within 0.05 of a level of what OpenCV makes of the .pb, on any pixel."""
    spec, source = make_spec(name), graphdef(shared, name)
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(convert_graphdef(source.read_bytes(), spec=spec))
    superres()  # registers the DepthToSpace that OpenCV 5.0 lacks for TensorFlow files
    reference = cv2.dnn.readNetFromTensorflow(str(source))
    output = f"NCHW_output_{spec.scale}x" if name in {"LapSRN_x4", "LapSRN_x8"} else "NCHW_output"
    runs = engines(graph)
    for picture in luma_pictures(shared, spec.scale):
        x = (picture.astype(np.float32) / 255)[np.newaxis, np.newaxis]
        reference.setInput(x)
        expected = np.array(reference.forward(output))
        for engine, run in runs.items():
            # OpenCV's classic engine, which runs the .pb, is itself up to 0.01 of a level away
            # from the same network in float64 (ESPCN_x4 on noise); the others 0.0002.
            difference = np.abs(run(x) - expected) * 255
            assert difference.shape == (1, 1, *(side * spec.scale for side in picture.shape))
            assert difference.max() <= 0.05, engine
            assert difference.mean() <= 0.001, engine


@pytest.mark.parametrize("name", NAMES)
def test_converted_graphs_equal_dnn_superres(name: str, shared: Path) -> None:
    """On grey pictures, whose luma is exact, 8-bit results differ by a rounding at most."""
    spec, source = make_spec(name), graphdef(shared, name)
    session = onnxruntime.InferenceSession(convert_graphdef(source.read_bytes(), spec=spec))
    seed = superres()
    seed.readModel(str(source))
    seed.setModel(spec.name.partition("-")[0], spec.scale)
    for picture in luma_pictures(shared, spec.scale):
        x = (picture.astype(np.float32) / 255)[np.newaxis, np.newaxis]
        ours = levels(session.run(None, {"input": x})[0][0, 0])
        theirs = seed.upsample(cv2.merge([picture] * 3))[..., 0]
        assert np.abs(ours - theirs).max() <= 1
        assert np.abs(ours - theirs).mean() <= 0.01


@pytest.mark.parametrize("name", BUNDLED_NAMES)
def test_bundled_graphs_are_what_the_converter_makes(name: str, shared: Path) -> None:
    """The files in the package come from the upstream files and from this converter."""
    made = convert_graphdef(graphdef(shared, name).read_bytes(), spec=make_spec(name))
    bundled = (BUNDLED / f"{name.lower()}.onnx").read_bytes()
    # Compared as graphs: another release of onnx may order the bytes differently.
    assert onnx.load_model_from_string(bundled) == onnx.load_model_from_string(made)
