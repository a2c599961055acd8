"""Makes the int8 twin of an ONNX graph: convolutions between QuantizeLinear and DequantizeLinear.

Weights become int8 with a step for each output channel, the convolutions' inputs 8 bits within
ranges that were measured before (`Calibration`); everything else, sums and biases too, stays
float32. An engine with int8 kernels recognises the pattern; any other computes what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import ModelRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.models.calibration import Calibration

_TOP_WEIGHT = 127
_LEVELS = 255


def quantized_graph(graph: bytes, calibration: Calibration) -> bytes:
    """Return the int8 twin of a serialised ONNX graph; the same bytes give the same result.

    Raises ModelRefused where the calibration is of another graph.
    """
    import onnx

    model = onnx.load_model_from_string(graph)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    if len(convolutions) != len(calibration.inputs):
        reason = f"it has {len(convolutions)} convolutions, not {len(calibration.inputs)}"
        raise ModelRefused(calibration.model, reason)
    rewriting = _Rewriting(model.graph)
    for node, limits in zip(convolutions, calibration.inputs, strict=True):
        if limits is not None:
            rewriting.quantize(node, limits)
    rewriting.finish()
    data: bytes = model.SerializeToString(deterministic=True)
    return data


class _Rewriting:
    """An ONNX graph while its convolutions are quantized one by one."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._stored = {array.name: array for array in graph.initializer}
        self._makers = {value: node for node in graph.node for value in node.output}
        self._before: dict[str, list[Any]] = {}
        """Name of a convolution's output -> the nodes to put before it."""
        self._pairs: dict[str, str] = {}
        """Value -> the same after 8 bits."""

    def quantize(self, node: Any, limits: tuple[float, float]) -> None:
        """Give a convolution 8-bit weights and an 8-bit input."""
        added = self._before.setdefault(node.output[0], [])
        weights, step = self._weights(node.input[1])
        levels, steps = quantized_weights(weights, step)
        name = f"{node.output[0]}/weight"
        self._store(name, levels)
        self._store(f"{name}/step", steps)
        self._store(f"{name}/zero", np.zeros(len(steps), np.int8))
        stored = [name, f"{name}/step", f"{name}/zero"]
        added.append(_node("DequantizeLinear", stored, f"{name}/float", axis=0))
        node.input[1] = f"{name}/float"
        node.input[0] = self._in_8_bits(node.input[0], limits, added)

    def _weights(self, name: str) -> tuple[NDArray[np.float32], float | None]:
        """Return a convolution's weights, and the step they were stored with in 8 bits."""
        from onnx import numpy_helper

        if name in self._stored:
            return numpy_helper.to_array(self._stored[name]), None
        maker = self._makers.get(name)
        if maker is None or maker.op_type != "DequantizeLinear":
            raise ModelRefused(self._graph.name, f"{name} is no constant")
        levels, step, zero = (numpy_helper.to_array(self._stored[part]) for part in maker.input)
        return (levels.astype(np.float32) - zero) * step, float(step)

    def _in_8_bits(self, value: str, limits: tuple[float, float], added: list[Any]) -> str:
        if value not in self._pairs:
            step, zero = activation_step(limits)
            names = [f"{value}/step", f"{value}/zero"]
            self._store(names[0], step)
            self._store(names[1], zero)
            added.append(_node("QuantizeLinear", [value, *names], f"{value}/levels"))
            added.append(_node("DequantizeLinear", [f"{value}/levels", *names], f"{value}/near"))
            self._pairs[value] = f"{value}/near"
        return self._pairs[value]

    def _store(self, name: str, array: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))

    def finish(self) -> None:
        """Put the new nodes in their places and drop what nothing needs any more."""
        ordered = []
        for node in self._graph.node:
            ordered += [*self._before.get(node.output[0], ()), node]
        needed = {value for node in ordered for value in node.input}
        results = {value.name for value in self._graph.output}
        kept = [node for node in ordered if {*node.output} & (needed | results)]
        needed = {value for node in kept for value in node.input}
        arrays = [array for array in self._graph.initializer if array.name in needed]
        for field, items in ((self._graph.node, kept), (self._graph.initializer, arrays)):
            copies = [type(item).FromString(item.SerializeToString()) for item in items]
            del field[:]
            field.extend(copies)


def _node(op: str, inputs: list[str], output: str, **attributes: int) -> Any:
    from onnx import helper

    return helper.make_node(op, inputs, [output], name=output, **attributes)


def quantized_weights(
    weights: NDArray[np.float32], stored_step: float | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 levels (out, in, height, width) and a step for each output channel.

    Weights that were stored in 8 bits keep their step, and so their exact values, wherever their
    channel fits around zero.
    """
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    steps = np.where(largest > 0, largest / _TOP_WEIGHT, 1).astype(np.float32)
    if stored_step is not None:
        fits = largest <= np.float32(stored_step) * (_TOP_WEIGHT + 0.5)
        steps[fits] = stored_step
    levels = np.rint(weights / steps[:, np.newaxis, np.newaxis, np.newaxis])
    return np.clip(levels, -_TOP_WEIGHT, _TOP_WEIGHT).astype(np.int8), steps


def activation_step(limits: tuple[float, float]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the step and the zero point of uint8 levels that hold a range and exactly zero.

    A range on both sides of zero is rarely even: signed levels would waste up to half of them.
    """
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    step = (high - low) / _LEVELS or 1.0
    return np.array(step, np.float32), np.array(round(-low / step), np.uint8)
