"""Turns a TensorFlow GraphDef of a known family into the ONNX graph that every engine runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from upres.errors import ModelRefused
from upres.models.fusion import CONV_BIAS, PRELU, fuse
from upres.models.graphdef import Node, constant, parse_graphdef
from upres.models.onnx_graph import INPUT, OnnxGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from upres.models.spec import ModelSpec

_NHWC_TO_NCHW = (0, 3, 1, 2)
_TOP_LEVEL = 255
_FILTER_RANK = 4
_UNARY = {"Abs", "Relu", "Tanh"}
_BINARY = {"Add": "Add", "BiasAdd": "Add", "Mul": "Mul", "Sub": "Sub"}


def convert_graphdef(graph: bytes, *, spec: ModelSpec) -> bytes:
    """Return serialised ONNX for serialised GraphDef bytes; anything unexpected is refused.

    The result takes `input`, float32 (1, channels, H, W) with values in 0..`spec.value_max`, and
    gives `output`, the same `spec.scale` times larger; `spec.mean` is inside. Weights stored in
    8 bits stay so. The same bytes and onnx release give the same result.
    """
    name = spec.file.name
    nodes = fuse(parse_graphdef(graph, name=name), name=name)
    translation = _Translation(spec)
    for node in _in_order(nodes, _last_node(nodes, spec), name=name):
        translation.add(node)
    return translation.finish()


def _last_node(nodes: Mapping[str, Node], spec: ModelSpec) -> str:
    """Return the name of the node whose value is the picture of the wanted scale, still NHWC."""
    # A network that enlarges in steps (LapSRN) has one output for each step; the others have one.
    for output in (f"NCHW_output_{spec.scale}x", "NCHW_output"):
        if output in nodes:
            break
    else:
        raise ModelRefused(spec.file.name, "it has no node called NCHW_output")
    match nodes[output]:
        case Node(op="Transpose", inputs=(value, order)) if order in nodes:
            axes = constant(nodes[order], name=spec.file.name)
            if tuple(axes.flat) == _NHWC_TO_NCHW:
                return value
    raise ModelRefused(spec.file.name, f"{output} is not a transpose to NCHW")


def _in_order(nodes: Mapping[str, Node], last: str, *, name: str) -> list[Node]:
    """Return the nodes that `last` needs, each after its inputs."""
    # Without recursion: a hostile chain of nodes may be longer than Python's stack.
    done: dict[str, Node] = {}
    opened: set[str] = set()
    stack = [last]
    while stack:
        key = stack[-1]
        if key not in nodes:
            raise ModelRefused(name, f"it has no node called {key[:99]!r}")
        waiting = [child for child in nodes[key].inputs if child not in done]
        if not waiting:
            done[stack.pop()] = nodes[key]
        elif key in opened:
            raise ModelRefused(name, f"node {key!r} needs itself")
        else:
            opened.add(key)
            stack.extend(reversed(waiting))
    return list(done.values())


@dataclass(frozen=True)
class _Planes:
    """A picture-shaped value of the ONNX graph."""

    value: str
    channels: int
    scale: int


@dataclass(frozen=True)
class _Constant:
    """An array of the GraphDef; 8-bit ones mean (array - zero_point) * step."""

    index: int
    array: NDArray[Any]
    step: NDArray[Any] | None = None
    zero_point: NDArray[Any] | None = None

    @property
    def is_float(self) -> bool:
        return self.array.dtype == np.dtype("<f4")


_Value: TypeAlias = "_Planes | _Constant"


class _Translation:
    """Makes the ONNX graph while the GraphDef's nodes are added in order."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._onnx = OnnxGraph()
        self._values: dict[str, _Value] = {}
        self._last: _Value | None = None
        self._has_input = False
        self._makers: dict[str, Callable[[Node], _Value]] = {
            "Const": self._constant,
            "Placeholder": self._input,
            "Dequantize": self._dequantize,
            "Conv2D": self._convolution,
            CONV_BIAS: self._convolution,
            PRELU: self._prelu,
            "DepthToSpace": self._depth_to_space,
            **dict.fromkeys(_UNARY, self._unary),
            **dict.fromkeys(_BINARY, self._binary),
        }

    def add(self, node: Node) -> None:
        """Translate a node whose inputs were added before."""
        if node.op not in self._makers:
            self._refuse(node, f"is of the unknown kind {node.op!r}")
        if node.text("data_format", default="NHWC") != "NHWC":
            self._refuse(node, "is not in the order NHWC")
        self._last = self._values[node.name] = self._makers[node.op](node)

    def finish(self) -> bytes:
        """Return the ONNX bytes; the node added last must be the enlarged picture."""
        result, spec = self._last, self._spec
        wanted = (spec.channels.count, spec.scale)
        if not isinstance(result, _Planes) or (result.channels, result.scale) != wanted:
            raise ModelRefused(spec.file.name, f"its output is not {wanted[0]} planes x{wanted[1]}")
        last = self._onnx.node("Add", result.value, self._mean()) if spec.mean else result.value
        if last == INPUT:
            raise ModelRefused(spec.file.name, "it does nothing")
        return self._onnx.serialise(last, channels=wanted[0])

    def _refuse(self, node: Node, reason: str) -> NoReturn:
        raise ModelRefused(self._spec.file.name, f"node {node.name!r} {reason}")

    def _operands(self, node: Node, count: int) -> list[_Value]:
        if len(node.inputs) != count:
            self._refuse(node, f"has {len(node.inputs)} inputs, not {count}")
        return [self._values[key] for key in node.inputs]

    def _stored(self, role: str, constant: _Constant, array: NDArray[Any]) -> str:
        """Return the ONNX name of an array, which is stored once however often it is used."""
        return self._onnx.constant(array, name=f"{role}_{constant.index}")

    def _mean(self) -> str:
        array = np.array(self._spec.mean, "<f4").reshape(1, -1, 1, 1)
        return self._onnx.constant(array, name="mean")

    def _constant(self, node: Node) -> _Constant:
        return _Constant(len(self._values), constant(node, name=self._spec.file.name))

    def _input(self, node: Node) -> _Planes:
        if self._has_input:
            self._refuse(node, "is a second input")
        self._has_input = True
        value = self._onnx.node("Sub", INPUT, self._mean()) if self._spec.mean else INPUT
        return _Planes(value, self._spec.channels.count, 1)

    def _dequantize(self, node: Node) -> _Constant:
        stored, low, high = self._operands(node, 3)
        if not isinstance(stored, _Constant) or stored.array.dtype != np.dtype("u1"):
            self._refuse(node, "has no 8-bit constant")
        if node.text("mode") != "MIN_FIRST":
            self._refuse(node, "is not of the kind MIN_FIRST")
        lowest, highest = (
            float(self._floats(node, limit, sizes=(1,)).array.item()) for limit in (low, high)
        )
        step = np.float32((highest - lowest) / _TOP_LEVEL)
        # TensorFlow moves the range until a stored value means exactly zero; so must we.
        zero_point = round(-lowest / float(step)) if step > 0 else -1
        if not 0 <= zero_point <= _TOP_LEVEL:
            self._refuse(node, "has a range without zero")
        return replace(stored, step=np.array(step), zero_point=np.array(zero_point, "u1"))

    def _floats(self, node: Node, value: _Value, *, sizes: tuple[int, ...]) -> _Constant:
        """Return the constant if it is one of floats, along at most one axis, of a right size."""
        if isinstance(value, _Planes) or not value.is_float:
            self._refuse(node, "needs a constant of floats")
        if value.array.ndim > 1 or value.array.size not in sizes:
            self._refuse(node, f"has a constant of {value.array.size} values, not {sizes[-1]}")
        return value

    def _filter(self, node: Node, value: _Value, *, channels: int) -> tuple[str, tuple[int, ...]]:
        """Return the ONNX name and the shape (out, in, height, width) of convolution weights."""
        if isinstance(value, _Planes) or not (value.is_float or value.step is not None):
            self._refuse(node, "has no constant filter")
        if value.array.ndim != _FILTER_RANK or value.array.shape[2] != channels:
            self._refuse(node, f"has no filter for {channels} planes")
        array = np.ascontiguousarray(value.array.transpose(3, 2, 0, 1))
        name = self._stored("filter", value, array)
        if value.step is not None and value.zero_point is not None:
            step = self._stored("step", value, value.step)
            zero_point = self._stored("zero_point", value, value.zero_point)
            name = self._onnx.node("DequantizeLinear", name, step, zero_point)
        return name, array.shape

    def _convolution(self, node: Node) -> _Planes:
        x, weights, *biases = self._operands(node, 3 if node.op == CONV_BIAS else 2)
        planes = self._planes(node, x)
        ones = (1, 1, 1, 1)
        steps = {node.integers(attr, default=ones) for attr in ("strides", "dilations")}
        if steps != {ones} or node.text("padding") != "SAME":
            self._refuse(node, "is not a convolution that keeps the size")
        name, (out, _, *kernel) = self._filter(node, weights, channels=planes.channels)
        inputs = [planes.value, name]
        for value in biases:
            bias = self._floats(node, value, sizes=(1, out))
            full = np.broadcast_to(bias.array.reshape(-1), (out,))
            inputs.append(self._stored(f"bias{out}", bias, full))
        # TensorFlow pads an even kernel by one more at the end than at the start.
        pads = [(size - 1) // 2 for size in kernel] + [size // 2 for size in kernel]
        conv = self._onnx.node("Conv", *inputs, kernel_shape=kernel, pads=pads)
        return _Planes(conv, out, planes.scale)

    def _planes(self, node: Node, value: _Value) -> _Planes:
        if not isinstance(value, _Planes):
            self._refuse(node, "works on a constant where a picture should be")
        return value

    def _unary(self, node: Node) -> _Planes:
        planes = self._planes(node, *self._operands(node, 1))
        return replace(planes, value=self._onnx.node(node.op, planes.value))

    def _binary(self, node: Node) -> _Planes:
        left, right = self._operands(node, 2)
        planes = self._planes(node, left if isinstance(left, _Planes) else right)
        names = [self._operand(node, value, planes) for value in (left, right)]
        return replace(planes, value=self._onnx.node(_BINARY[node.op], *names))

    def _operand(self, node: Node, value: _Value, planes: _Planes) -> str:
        if isinstance(value, _Planes):
            if replace(value, value="") != replace(planes, value=""):
                self._refuse(node, "joins pictures of two sizes")
            return value.value
        numbers = self._floats(node, value, sizes=(1, planes.channels))
        return self._stored("factor", numbers, numbers.array.reshape(1, -1, 1, 1))

    def _prelu(self, node: Node) -> _Planes:
        x, value = self._operands(node, 2)
        planes = self._planes(node, x)
        slope = self._floats(node, value, sizes=(1, planes.channels))
        if slope.array.size == 1:
            alpha = float(slope.array.item())
            return replace(planes, value=self._onnx.node("LeakyRelu", planes.value, alpha=alpha))
        name = self._stored("slope", slope, slope.array.reshape(-1, 1, 1))
        return replace(planes, value=self._onnx.node("PRelu", planes.value, name))

    def _depth_to_space(self, node: Node) -> _Planes:
        planes = self._planes(node, *self._operands(node, 1))
        block = node.integer("block_size")
        if block < 1 or planes.channels % block**2:
            self._refuse(node, f"cannot spread {planes.channels} planes over blocks of {block}")
        value = self._onnx.node("DepthToSpace", planes.value, blocksize=block, mode="DCR")
        return _Planes(value, planes.channels // block**2, planes.scale * block)
