from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from upres.errors import ModelRefused
from upres.models.footprint import graph_working_bytes_per_px


def model(shape: list[int | str], *, kernel: tuple[int, ...], transposed: bool = False) -> bytes:
    """A convolution with 8-bit weights, of NCHW, or of NHWC between two transpositions."""
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "step"], ["w"]),
        helper.make_node("Conv", ["x" if transposed else "input", "w"], ["y"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["y"], ["z" if transposed else "output"], blocksize=2),
    ]
    if transposed:
        nodes.insert(0, helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["z"], ["output"], perm=[0, 2, 3, 1]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.zeros(kernel, np.uint8), "q"),
            numpy_helper.from_array(np.array(0.1, np.float32), "step"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(graph, opset_imports=opset).SerializeToString()
    return data


@pytest.mark.parametrize(
    ("shape", "transposed"),
    [
        ([1, 3, "h", "w"], False),
        (["n", 3, "h", "w"], False),
        ([1, 3, 20, 40], False),
        ([1, "h", "w", 3], True),
    ],
)
def test_counts_the_busiest_node_twice(shape: list[int | str], *, transposed: bool) -> None:
    """12 planes in and 12 out of DepthToSpace, 4 bytes each, twice; the weights do not count."""
    graph = model(shape, kernel=(12, 3, 3, 3), transposed=transposed)
    assert graph_working_bytes_per_px(graph) == 2 * 4 * (12 + 12)


@pytest.mark.parametrize(
    "graph",
    [
        b"",
        b"not a graph",
        model([1, 2, "h", "w"], kernel=(12, 2, 3, 3)),
        model([1, 3, "h"], kernel=(12, 3, 3, 3)),
    ],
)
def test_refuses_graphs_whose_shapes_make_no_sense(graph: bytes) -> None:
    """Foreign bytes and graphs that cannot run are refused."""
    with pytest.raises(ModelRefused):
        graph_working_bytes_per_px(graph)
