"""Tells from its ONNX graph how far around a pixel a network looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_POINTWISE = {
    "Add", "Sub", "Mul", "Div", "Max", "Min", "Neg", "Relu", "PRelu", "LeakyRelu", "Clip", "Tanh",
    "Sigmoid", "Concat", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear",
}  # fmt: skip
"""Operations on one place at a time."""
_SHUFFLE = "DepthToSpace"
_AXES = 2
"""Height and width."""


def reach_px(path: Path) -> int | None:
    """Return how many input pixels away something can matter to a result; None: not known.

    It is the bound that follows from the kernels; `halo_px`, measured to within a level, is less.
    Understood are plain convolutions and largest values of windows at the input's size, and a pixel
    shuffle behind them.
    """
    import onnx

    graph = onnx.load(str(path)).graph
    weights = {array.name: tuple(array.dims) for array in graph.initializer}
    reach = {graph.input[0].name: 0}
    enlarged: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
        given = [name for name in node.input if name in reach]
        if not given:
            continue
        further = _further(node, weights)
        behind = not enlarged.isdisjoint(given)
        if further is None or (behind and (further or node.op_type == _SHUFFLE)):
            return None
        for name in node.output:
            reach[name] = max(reach[value] for value in given) + further
            if behind or node.op_type == _SHUFFLE:
                enlarged.add(name)
    return reach.get(graph.output[0].name)


def _further(node: Any, weights: dict[str, tuple[int, ...]]) -> int | None:
    """Return how much further a node looks than what it is given; None where it is not known."""
    if node.op_type == _SHUFFLE:
        return 0
    attributes = _attributes(node)
    if node.op_type in _POINTWISE:
        return 0 if attributes.get("axis", 1) == 1 else None
    if node.op_type == "MaxPool":
        kernel = tuple(attributes["kernel_shape"])
    elif node.op_type == "Conv":
        kernel = weights.get(node.input[1], ())[2:]
    else:
        return None
    if len(kernel) != _AXES:
        return None
    dilations = attributes.get("dilations", [1] * _AXES)
    spread = [(side - 1) * apart for side, apart in zip(kernel, dilations, strict=True)]
    pads = attributes.get("pads", [0] * 2 * _AXES)
    same_size = [pads[axis] + pads[axis + _AXES] for axis in range(_AXES)] == spread
    plain = "auto_pad" not in attributes and set(attributes.get("strides", [1])) == {1}
    return max(pads) if plain and same_size else None


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
