"""Writes an ONNX graph node by node, with counted names so that the same calls give same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 17
IR_VERSION = 8

INPUT, OUTPUT = "input", "output"
"""Names of the only input and the only output of every graph that upres runs."""


class OnnxGraph:
    """An ONNX graph under construction."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}

    def node(self, op: str, *inputs: str, **attrs: object) -> str:
        """Add an operation and return the name of its value."""
        value = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [value], name=value, **attrs))
        return value

    def constant(self, array: NDArray[Any], *, name: str) -> str:
        """Store an array under a name, once, and return the name."""
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def serialise(self, last: str, *, channels: int) -> bytes:
        """Return the graph from `input` to the value `last`, which becomes `output`, as bytes."""
        for node in self._nodes:
            node.output[0] = OUTPUT if node.output[0] == last else node.output[0]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *size])
            for name, size in (
                (INPUT, ("height", "width")),
                (OUTPUT, ("output_height", "output_width")),
            )
        ]
        graph = helper.make_graph(
            self._nodes, "upres", ends[:1], ends[1:], list(self._initializers.values())
        )
        model = helper.make_model(
            graph,
            producer_name="upres",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised
