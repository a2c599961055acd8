"""Counts the arithmetic of an ONNX network for each pixel of its input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import onnx

_SIDE_PX = 64


def operations_per_px(path: Path) -> float:
    """Return multiplications and additions of all convolutions, for one input pixel.

    A multiplication and its addition count as two. What convolutions have at the edges is counted
    as if every weight met a pixel. Everything that is not a convolution is left out.
    """
    model = onnx.load(path)
    graph = model.graph
    for index, dim in enumerate(graph.input[0].type.tensor_type.shape.dim):
        dim.dim_value = dim.dim_value or (_SIDE_PX if index else 1)
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    shapes = {value.name: _shape(value) for value in values}
    shapes |= {array.name: tuple(array.dims) for array in graph.initializer}
    total = sum(_operations(node, shapes) for node in inferred.node)
    return total / _SIDE_PX**2


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _operations(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Return twice the multiplications of one node, 0 unless it is a convolution."""
    if node.op_type not in ("Conv", "ConvTranspose"):
        return 0
    data, kernel = shapes[node.input[0]], shapes[node.input[1]]
    # Each output value of Conv meets, and each input value of ConvTranspose makes, one kernel.
    values = math.prod(shapes[node.output[0]] if node.op_type == "Conv" else data)
    return 2 * values * math.prod(kernel[1:])
