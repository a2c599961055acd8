"""int8 twins of graphs: what they compute, and that the engines agree on it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from builders import Case, case
from engines.numpy_reference import evaluate
from PIL import Image

from upres.engines import engine, installed
from upres.errors import ModelRefused
from upres.models.calibration import CALIBRATIONS, Calibration, calibration_of
from upres.models.catalogue import Catalogue
from upres.models.quantize import activation_step, quantized_graph, quantized_weights
from upres.models.store import ModelStore, StoreSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_NAMES = ("residual", "sub-pixel-dcr", "quantized")
"""Plain, with sums, and with weights that are stored in 8 bits."""


def tile(made: Case) -> NDArray[np.float32]:
    shape = (1, made.spec.channels.count, 24, 31)
    values = np.random.default_rng(3).uniform(0, made.spec.value_max, shape)
    return values.astype(np.float32)


def calibration(made: Case) -> Calibration:
    """Return ranges that hold for `tile`: each convolution's input, evaluated."""
    ranges: list[tuple[float, float]] = []
    for node in made.model.graph.node:
        if node.op_type == "Conv":
            part = onnx.ModelProto.FromString(made.model.SerializeToString())
            for one in part.graph.node:  # the value of interest under the output's name
                one.output[0] = "spared" if one.output[0] == "output" else one.output[0]
            part.graph.node.append(onnx.helper.make_node("Identity", [node.input[0]], ["output"]))
            kept = [one for one in part.graph.node if one.output[0] != "spared"]
            del part.graph.node[:]
            part.graph.node.extend(kept)
            value = evaluate(part, tile(made))
            ranges.append((float(value.min()), float(value.max())))
    return Calibration(model=made.spec.id, sha256="", inputs=tuple(ranges))


def twin(made: Case) -> bytes:
    return quantized_graph(made.model.SerializeToString(), calibration(made))


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("library", ["openvino", "onnxruntime"])
def test_engines_run_a_twin_near_its_graph(name: str, library: str, tmp_path: Path) -> None:
    """Within a few hundredths of the range: 8 bits of random weights, not of a trained network."""
    if library not in installed():
        pytest.skip(f"engine {library} is not installed")
    made = case(name)
    path = tmp_path / "twin.onnx"
    path.write_bytes(twin(made))
    with engine(library).open(path, made.spec, precision="int8", threads=2) as session:
        result = session.run(tile(made))
    exact = evaluate(made.model, tile(made))
    error = np.abs(result - exact) / made.spec.value_max
    assert result.shape == exact.shape
    assert error.max() < 0.05
    assert 0 < error.mean() < 0.01


@pytest.mark.skipif("openvino" not in installed(), reason="engine openvino is not installed")
@pytest.mark.skipif("onnxruntime" not in installed(), reason="onnxruntime is not installed")
def test_engines_agree_on_the_default_model(tmp_path: Path) -> None:
    """On a photograph, as nearly as either keeps to fp32: rounding differs, then carries on."""
    spec = Catalogue.load().get("lite", 3)
    path = ModelStore(StoreSettings(folder=tmp_path)).find(spec, format="int8")
    with Image.open(str(resources.files("upres.samples") / "photo.png")) as image:
        small = np.asarray(image.convert("RGB").resize((56, 40)), np.float32)
    planes = np.ascontiguousarray(small.transpose(2, 0, 1)[np.newaxis]) / np.float32(255)
    results = []
    for library in ("openvino", "onnxruntime"):
        with engine(library).open(path, spec, precision="int8", threads=2) as session:
            results.append(np.clip(session.run(planes), 0, 1) * 255)
    apart = np.abs(results[0] - results[1])
    assert apart.max() < 4
    assert np.quantile(apart, 0.98) < 1.25
    assert apart.mean() < 0.5


def test_the_same_graph_gives_the_same_bytes() -> None:
    """They are hashed."""
    assert twin(case("residual")) == twin(case("residual"))


def test_what_has_no_range_stays_float() -> None:
    """As first and last convolutions do."""
    made = case("residual")
    ranges = calibration(made).inputs
    float_ends = (None, *ranges[1:-1], None)
    table = Calibration(model="a-x2", sha256="", inputs=float_ends)
    graph = onnx.load_model_from_string(quantized_graph(made.model.SerializeToString(), table))
    weights = [node.op_type for node in graph.graph.node].count("DequantizeLinear")
    count = sum(limits is not None for limits in float_ends)
    shared = len({node.input[0] for node in graph.graph.node if node.op_type == "QuantizeLinear"})
    assert weights == count + shared
    onnx.checker.check_model(graph, full_check=True)


def test_a_table_of_another_graph_is_refused() -> None:
    """Its convolutions are counted."""
    made = case("residual")
    table = Calibration(model="other-x2", sha256="", inputs=(None,))
    with pytest.raises(ModelRefused, match="convolutions, not 1"):
        quantized_graph(made.model.SerializeToString(), table)


def test_weights_keep_the_step_they_were_stored_with() -> None:
    """Then their values are exact; a channel that reaches too far has a step of its own."""
    step = 0.01
    stored = np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3))
    weights = (stored * step).astype(np.float32)
    weights[2, 0, 0, 0] = 200 * step
    levels, steps = quantized_weights(weights, step)
    assert steps == pytest.approx([step, step, 200 * step / 127, step])
    np.testing.assert_array_equal(levels[[0, 1, 3]], stored[[0, 1, 3]])
    assert np.abs(levels).max() <= 127


def test_a_channel_of_zeros_has_a_step() -> None:
    """Of any size, but not zero."""
    levels, steps = quantized_weights(np.zeros((2, 1, 3, 3), np.float32))
    assert not levels.any()
    assert steps.tolist() == [1, 1]


@pytest.mark.parametrize("limits", [(0, 2.5), (-1.5, 3), (-3, 0.5), (1, 2), (0, 0)])
def test_a_range_holds_exactly_zero(limits: tuple[float, float]) -> None:
    """Borders are padded with it; the ends of the range are at most a level off."""
    step, zero = activation_step(limits)
    assert 0 <= int(zero) <= 255
    assert step > 0
    for limit in limits:
        level = np.clip(np.rint(limit / step) + zero, 0, 255)
        assert (level - zero) * step == pytest.approx(limit, abs=1.01 * float(step))


@pytest.mark.parametrize("path", sorted(CALIBRATIONS.glob("*.json")), ids=lambda path: path.stem)
def test_tables_are_of_the_files_that_the_catalogue_pins(path: Path, tmp_path: Path) -> None:
    """A stale one leaves its model without int8: `python -m training.calibrate ID` renews it."""
    specs = {spec.id: spec for spec in Catalogue.load()}
    table = calibration_of(specs[path.stem])
    assert table is not None, f"python -m training.calibrate {path.stem}"
    assert table.model == path.stem
    store = ModelStore(StoreSettings(folder=tmp_path))
    if store.installed(specs[path.stem]):  # what ships
        onnx.checker.check_model(str(store.find(specs[path.stem], format="int8")))
