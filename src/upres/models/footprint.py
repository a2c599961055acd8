"""Estimates from its ONNX graph how much memory a network needs for each pixel of its input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from upres.errors import ModelRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIDE_PX = 64
_FLOAT_BYTES = 4
_ALIVE = 2
"""An engine holds other layers' values (skips, its own copies) beside those of the busiest one."""
_COLOUR_PLANES = (1, 3)
_RANK = 4
_NAME = "the graph"


def graph_working_bytes_per_px(graph: bytes) -> int:
    """Return the bytes an engine needs for each input pixel of a tile, an estimate to plan with.

    It is twice the largest sum of one node's inputs and outputs, every element counted as a
    float32, at an input of 64 x 64. Weights are left out: they do not grow with the tile.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(graph)
        pixels = _fix_input(model.graph)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except (DecodeError, TypeError, ValueError, onnx.shape_inference.InferenceError) as error:
        raise ModelRefused(_NAME, "its shapes cannot be inferred") from error
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    sizes = {value.name: _elements(value) for value in values}
    busiest = 0
    for touched in _touched(inferred):
        if not all(sizes.get(name) for name in touched):
            raise ModelRefused(_NAME, "its shapes cannot be inferred")
        busiest = max(busiest, sum(sizes[name] for name in touched))
    return math.ceil(_ALIVE * _FLOAT_BYTES * busiest / pixels)


def _fix_input(graph: Any) -> int:
    """Give the input's open dimensions a size, forget all others; return the input's pixels."""
    stored = {array.name for array in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    dims = [dim for value in inputs for dim in value.type.tensor_type.shape.dim]
    if len(inputs) != 1 or len(dims) != _RANK:
        raise ModelRefused(_NAME, "it does not have one input of four dimensions")
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    channels = dims[1] if dims[1].dim_value in _COLOUR_PLANES else dims[3]
    if channels.dim_value not in _COLOUR_PLANES:
        raise ModelRefused(_NAME, "its input has neither one nor three planes")
    for index, dim in enumerate(dims):
        dim.dim_value = dim.dim_value or (_SIDE_PX if index else 1)
    return math.prod(dim.dim_value for dim in dims if dim is not channels)


def _elements(value: Any) -> int:
    """Return the number of elements, 0 where a dimension is not known."""
    return math.prod(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _touched(graph: Any) -> Iterable[list[str]]:
    """Yield the inputs and outputs of each node, without constants and values made of them."""
    constants = {array.name for array in graph.initializer} | {""}
    for node in graph.node:
        inputs = [name for name in node.input if name not in constants]
        if inputs:
            yield [*inputs, *filter(None, node.output)]
        else:
            constants.update(node.output)
