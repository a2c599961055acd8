from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from upres.engines import engine
from upres.models.catalogue import Catalogue
from upres.models.reach import reach_px

WEIGHTS = Path(str(reach_px.__code__.co_filename)).parent / "weights"


def graph(path: Path, *nodes: tuple[str, dict[str, Any]], kernel: tuple[int, int]) -> Path:
    """Write a graph of nodes in a row; convolutions share their weights."""
    made, last = [], "input"
    for number, (op, attributes) in enumerate(nodes):
        name = "output" if number == len(nodes) - 1 else f"v{number}"
        inputs = [last, "w"] if op == "Conv" else [last]
        made.append(helper.make_node(op, inputs, [name], **attributes))
        last = name
    weights = numpy_helper.from_array(np.zeros((4, 4, *kernel), np.float32), "w")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None])
        for name in ("input", "output")
    ]
    path.write_bytes(
        helper.make_model(
            helper.make_graph(made, "g", ends[:1], ends[1:], [weights])
        ).SerializeToString()
    )
    return path


CONV = ("Conv", {"pads": [1, 1, 1, 1]})
SHUFFLE = ("DepthToSpace", {"blocksize": 2})


def test_kernels_add_up(tmp_path: Path) -> None:
    """With what they skip; a shuffle and an activation add nothing."""
    path = tmp_path / "g.onnx"
    assert reach_px(graph(path, CONV, ("Relu", {}), CONV, SHUFFLE, kernel=(3, 3))) == 2
    wide = ("Conv", {"pads": [4, 4, 4, 4], "dilations": [2, 2]})
    assert reach_px(graph(path, wide, kernel=(5, 5))) == 4
    largest = ("MaxPool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})
    assert reach_px(graph(path, ("Neg", {}), largest, CONV, largest, kernel=(3, 3))) == 3


@pytest.mark.parametrize(
    "nodes",
    [
        [SHUFFLE, CONV],
        [SHUFFLE, SHUFFLE],
        [CONV, ("GlobalAveragePool", {})],
        [("Conv", {"pads": [0, 0, 0, 0]})],
        [("Conv", {"pads": [1, 1, 1, 1], "strides": [2, 2]})],
        [("Conv", {"auto_pad": "SAME_UPPER"})],
        [("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]})],
        [("MaxPool", {"kernel_shape": [3], "pads": [1, 1]})],
        [("Softmax", {"axis": 2})],
    ],
)
def test_what_is_not_understood_is_not_known(
    tmp_path: Path, nodes: list[tuple[str, dict[str, Any]]]
) -> None:
    """Nothing is guessed."""
    assert reach_px(graph(tmp_path / "g.onnx", *nodes, kernel=(3, 3))) is None


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.onnx")), ids=lambda path: path.stem)
def test_nothing_further_away_matters_to_a_bundled_network(path: Path) -> None:
    """Changed noise beside a line changes no result further from it than the reach, by any bit.

    And what is that far away matters in theory alone: the measured halo is less.
    """
    reach = reach_px(path)
    assert reach is not None
    name, scale = path.stem.rsplit("_x", 1)
    spec = Catalogue.load().nearest(name, float(scale))
    assert spec.scale == int(scale)
    noise = np.random.default_rng(4).random((1, spec.channels.count, 64, 128), np.float32)
    noise *= np.float32(spec.value_max)
    other = noise.copy()
    other[..., :64] = noise[..., 63::-1]
    with engine("onnxruntime").open(path, spec, precision="fp32", threads=1) as session:
        differ = session.run(noise) != session.run(other)
    assert differ.any()
    last = int(np.flatnonzero(differ.any(axis=(0, 1, 2)))[-1])
    assert last < (64 + reach) * spec.scale
