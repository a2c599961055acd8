"""Ranges for int8 twins: which convolutions keep float inputs, and what that is good for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from training import calibrate as calibrating
from training.calibrate import left_float, measured_ranges, write_table
from training.export import build_model
from training.networks import Network, NetworkSpec
from upres.models.calibration import Calibration
from upres.models.quantize import quantized_graph

if TYPE_CHECKING:
    from pathlib import Path


def graph_of(spec: NetworkSpec) -> bytes:
    """Return the exported graph of a network with large random weights."""
    torch.manual_seed(4)
    network = Network(spec).eval()
    with torch.no_grad():
        network.tail.weight.normal_()
    data: bytes = build_model(network).SerializeToString()
    return data


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (NetworkSpec(scale=3, features=8, blocks=2, block="plain"), [4, 5, 6]),
        (NetworkSpec(scale=1, features=8, blocks=2, block="plain"), []),
        (NetworkSpec(scale=2, features=16, blocks=16), [0, 34, 35, 36, 37]),
    ],
)
def test_what_repeats_planes_stays_float(spec: NetworkSpec, expected: list[int]) -> None:
    """Always; the first and the last of the others where they are little work beside the rest."""
    assert sorted(left_float(graph_of(spec))) == expected


def test_one_colour_stays_in_8_bits() -> None:
    """Bounds are not quantized: a twin is as exact there as its graph."""
    graph = graph_of(NetworkSpec(scale=2, features=8, blocks=2, block="plain"))
    noise = np.random.default_rng(1).random((1, 3, 12, 12), np.float32)
    inputs: list[tuple[float, float] | None] = [
        (low, high) for low, high in measured_ranges(graph, [noise])
    ]
    for place in left_float(graph):
        inputs[place] = None
    twin = quantized_graph(graph, Calibration(model="it", sha256="", inputs=tuple(inputs)))
    assert "QuantizeLinear" in {
        node.op_type for node in onnx.load_model_from_string(twin).graph.node
    }
    colour = np.array([12, 130, 201], np.float32).reshape(1, 3, 1, 1) / 255
    plain = np.tile(colour, (1, 1, 6, 7))
    session = onnxruntime.InferenceSession(twin, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"input": plain})
    assert np.array_equal(result, np.tile(colour, (1, 1, 12, 14)))


@pytest.mark.parametrize(("loss_db", "kept"), [(0.04, ["new"]), (0.06, []), (-0.06, [])])
def test_a_twin_that_is_too_far_off_has_no_table(
    loss_db: float, kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the table of the file before must not stay either: it is of other weights."""
    table = {"model": "fast-x2", "sha256": "new", "inputs": [None]}
    monkeypatch.setattr(calibrating, "calibrate", lambda *_: table)
    monkeypatch.setattr(calibrating, "twin_loss_db", lambda *_: loss_db)
    (tmp_path / "fast-x2.json").write_text('{"sha256": "old"}', "utf-8")
    assert f"{loss_db:.3f} dB" in write_table("fast-x2", tables=tmp_path)
    tables = [json.loads(path.read_text("utf-8")) for path in tmp_path.iterdir()]
    assert [each["sha256"] for each in tables] == kept
