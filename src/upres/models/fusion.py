"""Recognises operations that a GraphDef spells with several nodes and makes each one node."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from upres.models.graphdef import constant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upres.models.graphdef import Node

Pattern: TypeAlias = "str | tuple[Pattern, ...]"
"""A capture's name, or an operation's name followed by one pattern for each of its inputs."""

_PRELU: Pattern = ("Add", ("Relu", "x"), ("Mul", ("Mul", "slope", ("Sub", "x", ("Abs", "x"))), "k"))
_LEAKY_RELU: Pattern = ("Sub", ("Relu", "x"), ("Mul", "slope", ("Relu", ("Mul", "k", "x"))))
_CONV_BIAS: Pattern = ("Add", ("Conv2D", "x", "filter"), "bias")

PRELU, CONV_BIAS = "PRelu", "Conv2DBias"
"""Operations that only this file makes: inputs (x, slope) and (x, filter, bias)."""


def fuse(nodes: Mapping[str, Node], *, name: str) -> dict[str, Node]:
    """Return the nodes with every recognised last node rewritten; the rest become unreachable.

    An engine sees one PRelu where it would run five passes over memory, and a convolution with
    its bias where it might not find the pair itself.
    """
    return {key: _fused(node, nodes, name=name) for key, node in nodes.items()}


def _fused(node: Node, nodes: Mapping[str, Node], *, name: str) -> Node:
    """Return the node, or the operation that it ends."""
    for pattern, factor in ((_PRELU, 0.5), (_LEAKY_RELU, -1.0)):
        found = _match(pattern, node.name, nodes, {})
        if found and _is_scalar(nodes.get(found["k"]), factor, name=name):
            return replace(node, op=PRELU, inputs=(found["x"], found["slope"]))
    found = _match(_CONV_BIAS, node.name, nodes, {})
    if found and _is_constant(nodes.get(found["bias"])):
        (conv,) = (nodes[key] for key in node.inputs if nodes[key].op == "Conv2D")
        inputs = (found["x"], found["filter"], found["bias"])
        return replace(node, op=CONV_BIAS, inputs=inputs, attrs=conv.attrs)
    return node


def _is_constant(node: Node | None) -> bool:
    return node is not None and node.op == "Const"


def _is_scalar(node: Node | None, value: float, *, name: str) -> bool:
    if node is None or node.op != "Const":
        return False
    array = constant(node, name=name)
    return array.ndim == 0 and bool(array == value)


def _match(
    pattern: Pattern, key: str, nodes: Mapping[str, Node], captured: dict[str, str]
) -> dict[str, str] | None:
    """Return what the pattern captures at the node called `key`, or None where it does not fit."""
    if isinstance(pattern, str):
        same = captured.get(pattern, key) == key
        return {**captured, pattern: key} if same else None
    op, *arms = pattern
    node = nodes.get(key)
    if node is None or node.op != op or len(node.inputs) != len(arms):
        return None
    orders = [node.inputs]
    if op in {"Add", "Mul"}:
        orders.append(node.inputs[::-1])
    for inputs in orders:
        found: dict[str, str] | None = captured
        for arm, child in zip(arms, inputs, strict=True):
            found = None if found is None else _match(arm, child, nodes, found)
        if found is not None:
            return found
    return None
