"""Writes a trained network as an ONNX file that ONNX Runtime, OpenVINO and OpenCV all run."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from training.card import card_path, write_card
from training.checkpoint import network_of, read
from training.evaluate import BENCHMARKS
from training.networks import (
    INPUT_MEAN,
    LEAKY_SLOPE,
    AttentionBlock,
    Network,
    PlainBlock,
    ResidualBlock,
    fold,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 17
IR_VERSION = 8


class GraphWriter:
    """Collects nodes and weights in order, so that the same network gives the same bytes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operation: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node and return the name of its one output."""
        self.nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[np.float32]) -> str:
        """Store a float32 weight and return its name."""
        array = np.ascontiguousarray(value, dtype=np.float32)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, name: str, conv: nn.Module, source: str) -> str:
        """Append a 3x3 convolution with zero padding."""
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        weight = self.constant(f"{name}.weight", conv.weight.detach().numpy())
        bias = self.constant(f"{name}.bias", conv.bias.detach().numpy())
        inputs = [source, weight, bias]
        return self.add("Conv", name, inputs, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def activation(self, name: str, module: nn.Module, source: str) -> str:
        """Append the trunk's activation."""
        if isinstance(module, nn.PReLU):
            slope = module.weight.detach().numpy()[:, None, None]
            return self.add("PRelu", name, [source, self.constant(f"{name}.slope", slope)])
        if isinstance(module, nn.LeakyReLU):
            return self.add("LeakyRelu", name, [source], alpha=LEAKY_SLOPE)
        if isinstance(module, nn.SiLU):
            gate = self.add("Sigmoid", f"{name}.gate", [source])
            return self.add("Mul", name, [source, gate])
        return self.add("Relu", name, [source])


def build_model(network: Network) -> onnx.ModelProto:
    """Return the ONNX model: `input` (1, 3, H, W) RGB 0..1 to `output`, enlarged, unclipped."""
    network = _with_depth_first_tail(fold(network))
    graph = GraphWriter()
    mean = graph.constant("mean", np.full((1, 3, 1, 1), INPUT_MEAN, np.float32))
    start = graph.conv("head", network.head, graph.add("Sub", "centred", ["input", mean]))
    plain = network.spec.block == "plain"
    source = graph.activation("head.activation", network.activation, start) if plain else start
    for index, block in enumerate(network.blocks):
        source = _write_block(graph, f"block{index:02d}", block, source)
    if not plain:
        source = graph.add("Add", "merged", [start, graph.conv("merge", network.merge, source)])
    residual = graph.conv("tail", network.tail, source)
    _write_shuffle(graph, network.spec.scale, residual)
    model = _wrap(graph, network.spec.scale)
    onnx.checker.check_model(model, full_check=True)
    return model


def _write_block(graph: GraphWriter, name: str, block: nn.Module, source: str) -> str:
    if isinstance(block, ResidualBlock):
        first = graph.conv(f"{name}.first", block.first, source)
        active = graph.activation(f"{name}.activation", block.activation, first)
        second = graph.conv(f"{name}.second", block.second, active)
        return graph.add("Add", f"{name}.sum", [source, second])
    if isinstance(block, PlainBlock):
        first = graph.conv(f"{name}.first", block.first, source)
        return graph.activation(f"{name}.activation", block.activation, first)
    assert isinstance(block, AttentionBlock)
    y = graph.conv(f"{name}.first", block.first, source)
    y = graph.activation(f"{name}.activation1", block.activation, y)
    y = graph.conv(f"{name}.second", block.second, y)
    y = graph.activation(f"{name}.activation2", block.activation, y)
    y = graph.conv(f"{name}.third", block.third, y)
    half = graph.constant(f"{name}.half", np.full((1, 1, 1, 1), 0.5, np.float32))
    gate = graph.add("Sub", f"{name}.gate", [graph.add("Sigmoid", f"{name}.sigmoid", [y]), half])
    gated = graph.add("Mul", f"{name}.gated", [graph.add("Add", f"{name}.sum", [source, y]), gate])
    return graph.add("Add", f"{name}.out", [source, gated])


def _write_shuffle(graph: GraphWriter, scale: int, residual: str) -> None:
    """Add the picture to every sub-pixel, keep it in bounds, spread channels over pixels."""
    planes = ["input", *_write_bounds(graph)]
    if scale > 1:
        planes = _repeated(graph, planes, scale**2)
    shortcut, least, most = planes
    total = graph.add("Add", "sum", [shortcut, residual])
    total = graph.add("Max", "not_less", [total, least])
    if scale == 1:
        graph.add("Min", "output", [total, most])
        return
    total = graph.add("Min", "subpixels", [total, most])
    graph.add("DepthToSpace", "output", [total], blocksize=scale, mode="DCR")


def _repeated(graph: GraphWriter, planes: list[str], times: int) -> list[str]:
    """Repeat three planes of each name for every sub-pixel."""
    # Convolutions with weights of 0 and 1, not concatenations, for which OpenVINO leaves its
    # channels-last layout: a fifth of the time of `fast`. Calibration leaves them in float.
    kernel = np.tile(np.eye(3, dtype=np.float32), (times, 1))[:, :, np.newaxis, np.newaxis]
    weight = graph.constant("repeat.weight", kernel)
    return [
        graph.add("Conv", f"{name}.subpixels", [name, weight], kernel_shape=[1, 1])
        for name in planes
    ]


def _write_bounds(graph: GraphWriter) -> tuple[str, str]:
    """Write `networks.bounds`; return the names of the least and the most."""
    around = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
    highest = graph.add("MaxPool", "highest", ["input"], **around)
    negative = graph.add(
        "MaxPool", "lowest.negative", [graph.add("Neg", "negative", ["input"])], **around
    )
    lowest = graph.add("Neg", "lowest", [negative])
    width = graph.add("Sub", "width", [highest, lowest])
    return (
        graph.add("Sub", "least", [lowest, width]),
        graph.add("Add", "most", [highest, width]),
    )


def _with_depth_first_tail(network: Network) -> Network:
    """Reorder the tail's channels from pixel_shuffle's (CRD) to DCR, which engines share."""
    subpixels = network.spec.scale**2
    order = torch.arange(3 * subpixels).reshape(3, subpixels).T.reshape(-1)
    assert network.tail.bias is not None
    with torch.no_grad():
        network.tail.weight.copy_(network.tail.weight[order].clone())
        network.tail.bias.copy_(network.tail.bias[order].clone())
    return network


def _wrap(graph: GraphWriter, scale: int) -> onnx.ModelProto:
    height, width = ("height", "width") if scale == 1 else ("out_height", "out_width")
    shape_in = [1, 3, "height", "width"]
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape_in)
    result = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, height, width])
    body = helper.make_graph(graph.nodes, "upres", [source], [result], graph.weights)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        body, opset_imports=[opset], ir_version=IR_VERSION, producer_name="upres"
    )


def export(network: Network, path: Path) -> str:
    """Write the network to `path` and return the file's sha256."""
    data: bytes = build_model(network).SerializeToString(deterministic=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def export_with_card(checkpoint: Path, onnx_path: Path, tests: Path) -> str:
    """Export a checkpoint's averaged weights with a model card beside; return the sha256.

    Weights that were not trained here come without a record of it, and get no card.
    """
    state = read(checkpoint)
    network = network_of(state)
    digest = export(network, onnx_path)
    if "update" in state:
        write_card(state, network, onnx_path, digest, tests)
    return digest


def main() -> None:
    """Export a checkpoint's averaged weights from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("--tests", type=Path, default=BENCHMARKS, help="for the card's scores")
    options = parser.parse_args()
    digest = export_with_card(options.checkpoint, options.onnx, options.tests)
    print(f"{options.onnx}: {options.onnx.stat().st_size} bytes, {digest}")
    if card_path(options.onnx).exists():
        print(f"its card: {card_path(options.onnx)}")


if __name__ == "__main__":
    main()
