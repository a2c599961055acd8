"""What the benchmarks count and how they talk to other programs; they themselves run by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

arithmetic = pytest.importorskip(
    "benchmarks.arithmetic", reason="the benchmarks are not in this folder"
)
peers = pytest.importorskip("benchmarks.peers", reason="the benchmarks are not in this folder")


def test_operations_are_counted_where_they_happen(tmp_path: Path) -> None:
    """3 to 4 planes by 3x3, then 4 to 6 by 1x1 in two groups, then 6 to 2 doubled by 2x2."""
    weights = {"a": (4, 3, 3, 3), "b": (6, 2, 1, 1), "c": (6, 2, 2, 2)}
    nodes = [
        helper.make_node("Conv", ["input", "a"], ["one"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["one", "b"], ["two"], group=2),
        helper.make_node("ConvTranspose", ["two", "c"], ["output"], strides=[2, 2]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, planes, side + "h", side + "w"])
        for name, planes, side in (("input", 3, ""), ("output", 2, "large_"))
    ]
    stored = [
        numpy_helper.from_array(np.zeros(shape, np.float32), name)
        for name, shape in weights.items()
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], stored)
    path = tmp_path / "small.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    multiplications = 4 * 3 * 9 + 6 * 2 + 6 * 2 * 4
    assert arithmetic.operations_per_px(path) == 2 * multiplications


_PEER = """
import json, sys
for line in sys.stdin:
    source, height, width, target = json.loads(line)
    data = open(source, "rb").read()
    if height == 1:
        answer = {"error": "too low"}
    else:
        open(target, "wb").write(data * 4)
        answer = {"height": 2 * height, "width": 2 * width, "seconds": 0.25}
    print(json.dumps(answer), flush=True)
    if width == 9:
        break
"""


def test_a_peer_answers_with_a_picture_and_its_own_seconds(tmp_path: Path) -> None:
    """A peer that refuses, or ends, is an error with a reason, never a result."""
    child = peers._Child([sys.executable, "-c", _PEER], folder=tmp_path)
    try:
        result, seconds = child(np.full((2, 9, 3), 7, np.uint8))
        assert result.shape == (4, 18, 3)
        assert (result == 7).all()
        assert seconds == 0.25
        with pytest.raises((RuntimeError, BrokenPipeError)):
            child(np.zeros((2, 2, 3), np.uint8))
    finally:
        child.close()


def test_a_peer_that_refuses_says_why(tmp_path: Path) -> None:
    child = peers._Child([sys.executable, "-c", _PEER], folder=tmp_path)
    try:
        with pytest.raises(RuntimeError, match="too low"):
            child(np.zeros((1, 2, 3), np.uint8))
    finally:
        child.close()


def test_what_cannot_be_installed_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers.shutil, "which", lambda _: None)
    assert peers._node_peers() == "node and npm are not installed"
