"""What a network computes, in plain numpy and float64: the truth that engines are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx
    from numpy.typing import NDArray

    Array = NDArray[Any]


def evaluate(model: onnx.ModelProto, planes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the graph's one output for its one input (1, C, h, w)."""
    values: dict[str, Array] = {
        weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer
    }
    values["input"] = planes.astype(np.float64)
    for node in model.graph.node:
        inputs = [values[name] for name in node.input if name]
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        values[node.output[0]] = OPERATIONS[node.op_type](*inputs, **attributes)
    return np.asarray(values["output"], np.float64)


def conv(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    pads: list[int] | None = None,
    group: int = 1,
) -> Array:
    """Convolve with stride 1."""
    top, left, bottom, right = pads or [0] * 4
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    size = weights.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))
    parts = [
        np.einsum("nchwyx,ocyx->nohw", part, filters.astype(np.float64), optimize=True)
        for part, filters in zip(
            np.split(windows, group, axis=1), np.split(weights, group), strict=True
        )
    ]
    result = np.concatenate(parts, axis=1)
    return result if bias is None else result + bias.reshape(1, -1, 1, 1)


def conv_transpose(
    x: Array, weights: Array, *, strides: list[int], pads: list[int], output_padding: list[int]
) -> Array:
    """Spread every pixel over the output by its filter."""
    _, _, height, width = x.shape
    _, given, rows, columns = weights.shape
    down, across = strides
    full = np.zeros(
        (
            1,
            given,
            (height - 1) * down + rows + output_padding[0],
            (width - 1) * across + columns + output_padding[1],
        )
    )
    for y in range(rows):
        for z in range(columns):
            spread = np.einsum("nchw,co->nohw", x, weights[:, :, y, z].astype(np.float64))
            stop = (y + (height - 1) * down + 1, z + (width - 1) * across + 1)
            full[:, :, y : stop[0] : down, z : stop[1] : across] += spread
    top, left, bottom, right = pads
    return full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]


def depth_to_space(x: Array, *, blocksize: int, mode: bytes = b"DCR") -> Array:
    """Spread planes over blocks of pixels."""
    _, planes, height, width = x.shape
    side, kept = blocksize, planes // blocksize**2
    if mode == b"DCR":
        blocks = x.reshape(side, side, kept, height, width).transpose(2, 3, 0, 4, 1)
    else:
        blocks = x.reshape(kept, side, side, height, width).transpose(0, 3, 1, 4, 2)
    return blocks.reshape(1, kept, height * side, width * side)


def resize(x: Array, to: Array, **_: Any) -> Array:
    """Repeat pixels: nearest, asymmetric, rounding down, by whole factors or to such a size."""
    factors = to if to.dtype == np.float32 else to // x.shape
    return x.repeat(int(factors[2]), axis=2).repeat(int(factors[3]), axis=3)


def leaky_relu(x: Array, *, alpha: float) -> Array:
    """Scale what is negative."""
    return np.where(x < 0, x * alpha, x)


def dequantize(x: Array, step: Array, zero: Array) -> Array:
    """Turn stored whole numbers into weights."""
    return (x.astype(np.float64) - float(zero)) * float(step)


def sigmoid(x: Array) -> Array:
    """Squash to 0..1."""
    squashed: Array = 1 / (1 + np.exp(-x))
    return squashed


OPERATIONS: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Concat": lambda *x, axis: np.concatenate(x, axis=axis),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DepthToSpace": depth_to_space,
    "DequantizeLinear": dequantize,
    "GlobalAveragePool": lambda x: x.mean(axis=(2, 3), keepdims=True),
    "Identity": lambda x: x,
    "LeakyRelu": leaky_relu,
    "Mul": np.multiply,
    "PRelu": lambda x, slope: np.where(x < 0, x * slope, x),
    "Relu": lambda x: np.maximum(x, 0),
    "Resize": resize,
    "Shape": lambda x: np.array(x.shape),
    "Sigmoid": sigmoid,
    "Slice": lambda x, starts, ends, _: x[int(starts[0]) : int(ends[0])],
    "Sub": np.subtract,
}
