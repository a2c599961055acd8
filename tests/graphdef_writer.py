"""Writes GraphDefs for tests, each node with the value that a NumPy reference gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from upres.models.graphdef import FLOAT32, INT32, MESSAGES, QUINT8
from upres.models.spec import Channels, ModelFile, ModelSpec

Array: TypeAlias = "np.ndarray[Any, Any]"
RNG = np.random.default_rng(7)


def make_spec(**changes: Any) -> ModelSpec:
    fields: dict[str, Any] = {
        "name": "made",
        "scale": 1,
        "channels": Channels.BGR,
        "value_max": 1.0,
        "halo_px": 4,
        "working_bytes_per_px": 0,
        "licence": "Apache-2.0",
        "origin": "a test",
        "file": ModelFile(name="made.pb", bytes=0, sha256=""),
    }
    return ModelSpec(**{**fields, **changes})


def weights(*shape: int) -> Array:
    return RNG.normal(0, 0.3, shape).astype(np.float32)


class Writer:
    """Writes a GraphDef; its methods return the new node's name and keep its NHWC value."""

    def __init__(self, channels: int = 3) -> None:
        self.graph = MESSAGES["GraphDef"]()
        self.picture = RNG.random((1, 7, 9, channels), np.float32)
        self.values: dict[str, Array] = {}
        self.x = self.node("Placeholder", value=self.picture)

    def node(self, op: str, *inputs: str, value: Array, name: str = "", **attrs: Any) -> str:
        """Add a node with its value and its attributes."""
        name = name or f"n{len(self.graph.node)}"
        node = self.graph.node.add(name=name, op=op, input=inputs)
        for key, attr in attrs.items():
            field = node.attr.add(key=key).value
            if isinstance(attr, list):
                field.list.i.extend(attr)
            elif isinstance(attr, str):
                field.s = attr.encode()
            else:
                field.i = attr
        self.values[name] = value
        return name

    def const(self, array: Any, dtype: int = FLOAT32) -> str:
        """Add a constant."""
        kinds = {FLOAT32: "<f4", INT32: "<i4", QUINT8: "u1"}
        array = np.asarray(array, kinds[dtype])
        name = self.node("Const", value=array)
        tensor = self.graph.node[-1].attr.add(key="value").value.tensor
        tensor.dtype, tensor.tensor_content = dtype, array.tobytes()
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        return name

    def conv(self, x: str, kernel: str, **attrs: Any) -> str:
        """Add a convolution as TensorFlow writes it."""
        attrs = {"padding": "SAME", "strides": [1, 1, 1, 1], "data_format": "NHWC", **attrs}
        return self.node("Conv2D", x, kernel, value=same_conv(self[x], self[kernel]), **attrs)

    def binary(self, op: str, left: str, right: str) -> str:
        """Add an operation of two operands."""
        function = {"Add": np.add, "BiasAdd": np.add, "Sub": np.subtract, "Mul": np.multiply}[op]
        return self.node(op, left, right, value=function(self[left], self[right]))

    def unary(self, op: str, x: str) -> str:
        """Add an operation of one operand."""
        function: dict[str, Callable[[Array], Array]] = {
            "Relu": lambda array: np.maximum(array, 0),
            "Abs": np.abs,
            "Tanh": np.tanh,
        }
        return self.node(op, x, value=function[op](self[x]))

    def shuffle(self, x: str, block: int) -> str:
        """Add a DepthToSpace."""
        _, height, width, channels = self[x].shape
        depth = channels // block**2
        split = self[x].reshape(1, height, width, block, block, depth).transpose(0, 1, 3, 2, 4, 5)
        value = split.reshape(1, height * block, width * block, depth)
        return self.node("DepthToSpace", x, value=value, block_size=block, data_format="NHWC")

    def finish(
        self, x: str, name: str = "NCHW_output", order: tuple[int, ...] = (0, 3, 1, 2)
    ) -> bytes:
        """Add the transposed output and return the graph's bytes."""
        perm = self.const(order, INT32)
        self.node("Transpose", x, perm, name=name, value=self[x].transpose(0, 3, 1, 2))
        data: bytes = self.graph.SerializeToString()
        return data

    def __getitem__(self, name: str) -> Array:
        return self.values[name]


def same_conv(x: Array, kernel: Array) -> Array:
    """TensorFlow's SAME convolution at stride 1: an even kernel reaches one further at the end."""
    height, width, _, out = kernel.shape
    before = ((height - 1) // 2, (width - 1) // 2)
    padded = np.pad(x, [(0, 0), (before[0], height // 2), (before[1], width // 2), (0, 0)])
    result = np.zeros((*x.shape[:3], out), np.float32)
    for row in range(height):
        for column in range(width):
            part = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
            result += part @ kernel[row, column]
    return result


def conv_bias(w: Writer) -> str:
    return w.binary("Add", w.conv(w.x, w.const(weights(3, 3, 3, 3))), w.const(weights(3)))


def eight_bit_conv(w: Writer) -> str:
    stored = RNG.integers(0, 256, (3, 3, 3, 3), np.uint8)
    low, high = np.float32(-0.731), np.float32(0.417)
    step = (high - low) / np.float32(255)
    value = (stored.astype(np.float32) - np.round(-low / step)) * step
    parts = [w.const(stored, QUINT8), w.const(low), w.const(high)]
    return w.conv(w.x, w.node("Dequantize", *parts, value=value, mode="MIN_FIRST"))


def prelu(w: Writer) -> str:
    x = w.conv(w.x, w.const(weights(1, 1, 3, 3)))
    negative = w.binary("Mul", w.const(weights(3)), w.binary("Sub", x, w.unary("Abs", x)))
    halved = w.binary("Mul", w.const(0.5), negative)
    return w.binary("Add", halved, w.unary("Relu", x))
