from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.errors import ModelRefused
from upres.models.graphdef import FLOAT32, INT32, MAX_NODES, MESSAGES, QUINT8, parse_graphdef
from upres.models.graphdef import constant as read_constant


def const_node(*, dtype: int = FLOAT32, shape: tuple[int, ...] = (2,), **values: Any) -> bytes:
    graph = MESSAGES["GraphDef"]()
    node = graph.node.add(name="c", op="Const")
    tensor = node.attr.add(key="value").value.tensor
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    for field, value in values.items():
        if isinstance(value, bytes):
            setattr(tensor, field, value)
        else:
            getattr(tensor, field).extend(value)
    data: bytes = graph.SerializeToString()
    return data


def read(graph: bytes) -> Any:
    return read_constant(parse_graphdef(graph, name="m.pb")["c"], name="m.pb")


def test_reads_nodes_with_their_attributes() -> None:
    """A node keeps its operation, inputs and attributes; absent attributes have defaults."""
    graph = MESSAGES["GraphDef"]()
    node = graph.node.add(name="conv", op="Conv2D", input=["x", "w"])
    node.attr.add(key="padding").value.s = b"SAME"
    node.attr.add(key="block_size").value.i = 3
    node.attr.add(key="strides").value.list.i.extend([1, 2, 2, 1])
    (read_node,) = parse_graphdef(graph.SerializeToString(), name="m.pb").values()
    assert (read_node.name, read_node.op, read_node.inputs) == ("conv", "Conv2D", ("x", "w"))
    assert read_node.text("padding") == "SAME"
    assert read_node.text("data_format", default="NHWC") == "NHWC"
    assert read_node.integer("block_size") == 3
    assert read_node.integer("absent") == 0
    assert read_node.integers("strides", default=()) == (1, 2, 2, 1)
    assert read_node.integers("dilations", default=(1,)) == (1,)


def test_reads_hand_written_wire_bytes() -> None:
    """Field numbers are TensorFlow's: checked with bytes that no descriptor of ours made."""
    tensor = b"\x08\x01\x12\x04\x12\x02\x08\x01*\x04\x00\x00\x00?"
    attr = b"\n\x05value\x12" + bytes([len(tensor) + 2]) + b"B" + bytes([len(tensor)]) + tensor
    node = b"\n\x01c\x12\x05Const*" + bytes([len(attr)]) + attr
    graph = b"\n" + bytes([len(node)]) + node + b"\x12\x00"
    array = read(graph)
    assert array.dtype == np.float32
    assert array.tolist() == [0.5]


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (FLOAT32, {"float_val": [1.5, -2.0]}, [1.5, -2.0]),
        (FLOAT32, {"tensor_content": np.array([1.5, -2.0], "<f4").tobytes()}, [1.5, -2.0]),
        (INT32, {"int_val": [3, -1]}, [3, -1]),
        (QUINT8, {"tensor_content": b"\x00\xff"}, [0, 255]),
        (QUINT8, {"int_val": [0, 255]}, [0, 255]),
    ],
)
def test_reads_constants(dtype: int, values: dict[str, Any], expected: list[float]) -> None:
    """Values are read from either of the places where TensorFlow stores them."""
    assert read(const_node(dtype=dtype, **values)).tolist() == expected


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("holds 1 of 2 values", {"float_val": [1.0]}),
        ("holds 1 of 1000000000000 values", {"shape": (10**6, 10**6), "float_val": [1.0]}),
        ("holds 1.75 of 2 values", {"tensor_content": b"1234567"}),
        ("an axis without a size", {"shape": (-1,), "float_val": [1.0]}),
        ("an axis without a size", {"shape": (0,)}),
        ("data type 99", {"dtype": 99, "float_val": [1.0, 2.0]}),
        ("not finite", {"float_val": [1.0, float("nan")]}),
        ("does not fit its type", {"dtype": QUINT8, "int_val": [1, 300]}),
        ("does not fit its type", {"shape": (1,) * 70, "float_val": [1.0]}),
    ],
)
def test_refuses_broken_constants(words: str, arguments: dict[str, Any]) -> None:
    """A constant whose claim and content differ is refused before memory is taken for it."""
    with pytest.raises(ModelRefused, match=words):
        read(const_node(**arguments))


def test_refuses_a_node_that_is_no_constant() -> None:
    """Only a Const node with a value is one."""
    graph = MESSAGES["GraphDef"]()
    graph.node.add(name="c", op="Relu")
    with pytest.raises(ModelRefused, match="'c' is not a constant"):
        read(graph.SerializeToString())


def graph_of(*names: str) -> bytes:
    graph = MESSAGES["GraphDef"]()
    for name in names:
        graph.node.add(name=name, op="Relu")
    data: bytes = graph.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("words", "graph"),
    [
        ("0 nodes", b""),
        ("not a TensorFlow GraphDef", b"\x89PNG\r\n\x1a\n"),
        ("not a TensorFlow GraphDef", b"\n\xff\xff\xff\xff\x0f"),
        ("not a TensorFlow GraphDef", b"\n\x04\n\x02\xff\xfe"),
        ("two nodes are called 'a'", graph_of("a", "a")),
        ("nodes, not 1 to", graph_of(*map(str, range(MAX_NODES + 1)))),
        ("more than 200 characters", graph_of("a" * 201)),
    ],
)
def test_refuses_what_is_no_graph(words: str, graph: bytes) -> None:
    """Foreign bytes and graphs beyond the limits are refused with their file's name."""
    with pytest.raises(ModelRefused, match=rf"^m\.pb cannot be used as a model: .*{words}"):
        parse_graphdef(graph, name="m.pb")


def test_refuses_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is checked before anything is parsed."""
    monkeypatch.setattr("upres.models.graphdef.MAX_GRAPH_BYTES", 3)
    with pytest.raises(ModelRefused, match="more than 3 bytes"):
        parse_graphdef(b"\n\x02\n\x00", name="m.pb")


@given(st.binary(max_size=200))
def test_any_bytes_are_nodes_or_refused(graph: bytes) -> None:
    """No bytes raise anything but ModelRefused."""
    try:
        nodes = parse_graphdef(graph, name="m.pb")
    except ModelRefused:
        return
    assert nodes
