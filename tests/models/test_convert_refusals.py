from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from graphdef_writer import Writer, eight_bit_conv, make_spec, prelu, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from upres.errors import ModelRefused
from upres.models.convert import convert_graphdef
from upres.models.graphdef import INT32, MESSAGES, QUINT8
from upres.models.spec import Channels


def same(w: Writer, op: str, *inputs: str, **attrs: Any) -> str:
    """A node whose value does not matter."""
    return w.node(op, *inputs, value=w.picture, **attrs)


REFUSED: dict[str, Callable[[Writer], str]] = {
    "is of the unknown kind 'FusedBatchNorm'": lambda w: same(w, "FusedBatchNorm", w.x),
    "has no node called 'elsewhere'": lambda w: same(w, "Relu", "elsewhere"),
    "needs itself": lambda w: same(w, "Relu", "a", name="b") and same(w, "Relu", "b", name="a"),
    "is a second input": lambda w: same(w, "Add", w.x, same(w, "Placeholder")),
    "has 2 inputs, not 1": lambda w: same(w, "Relu", w.x, w.x),
    "not in the order NHWC": lambda w: w.conv(
        w.x, w.const(weights(3, 3, 3, 3)), data_format="NCHW"
    ),
    "that keeps the size": lambda w: w.conv(
        w.x, w.const(weights(3, 3, 3, 3)), strides=[1, 2, 2, 1]
    ),
    "is not a convolution": lambda w: w.conv(w.x, w.const(weights(3, 3, 3, 3)), padding="VALID"),
    "no filter for 3 planes": lambda w: same(
        w, "Conv2D", w.x, w.const(weights(3, 3, 2, 3)), padding="SAME"
    ),
    "has no constant filter": lambda w: same(w, "Conv2D", w.x, w.x, padding="SAME"),
    "works on a constant": lambda w: same(w, "Add", w.const(1.0), w.const(2.0)),
    "constant of 2 values, not 3": lambda w: same(w, "Add", w.x, w.const([1.0, 2.0])),
    "needs a constant of floats": lambda w: same(w, "Mul", w.x, w.const(2, INT32)),
    "over blocks of 2": lambda w: same(w, "DepthToSpace", w.x, block_size=2),
    "over blocks of 0": lambda w: same(w, "DepthToSpace", w.x),
    "not 3 planes x1": lambda w: w.conv(w.x, w.const(weights(1, 1, 3, 4))),
    "does nothing": lambda w: w.x,
    "joins pictures of two sizes": lambda w: w.node(
        "Add",
        w.x,
        w.shuffle(w.conv(w.x, w.const(weights(1, 1, 3, 12))), 2),
        value=w.picture,
    ),
    "values that are not finite": lambda w: w.binary("Add", w.x, w.const(np.float32("nan"))),
}


def test_every_unsupported_construct_is_refused_by_name() -> None:
    """The error names the file and what is wrong, one line for people."""
    for words, build in REFUSED.items():
        w = Writer()
        with pytest.raises(ModelRefused, match=f"^made.pb cannot be used as a model: .*({words})"):
            convert_graphdef(w.finish(build(w)), spec=make_spec())


@pytest.mark.parametrize(
    ("words", "low", "high", "mode"),
    [
        ("range without zero", 0.5, 1.0, "MIN_FIRST"),
        ("range without zero", -2.0, -1.0, "MIN_FIRST"),
        ("range without zero", 1.0, -1.0, "MIN_FIRST"),
        ("range without zero", -1.0, -1.0, "MIN_FIRST"),
        ("not of the kind MIN_FIRST", -1.0, 1.0, "SCALED"),
    ],
)
def test_refuses_other_eight_bit_codes(words: str, low: float, high: float, mode: str) -> None:
    """Only ranges that hold zero can be written as uint8 with a zero point."""
    w = Writer()
    parts = [w.const(np.zeros((3, 3, 3, 3)), QUINT8), w.const(low), w.const(high)]
    kernel = w.node("Dequantize", *parts, value=weights(3, 3, 3, 3), mode=mode)
    with pytest.raises(ModelRefused, match=words):
        convert_graphdef(w.finish(w.conv(w.x, kernel)), spec=make_spec())


def test_refuses_a_graph_without_the_output() -> None:
    """The output is known by its name and must be a transposition to NCHW."""
    w = Writer()
    with pytest.raises(ModelRefused, match="no node called NCHW_output"):
        convert_graphdef(w.finish(w.x, name="other"), spec=make_spec())
    with pytest.raises(ModelRefused, match="not a transpose to NCHW"):
        convert_graphdef(w.finish(w.x, order=(0, 1, 2, 3)), spec=make_spec())


def whole_graph() -> bytes:
    """A graph of 1 plane, x2, with every kind of node."""
    w = Writer()
    x = w.unary("Tanh", prelu(w))
    x = w.binary("Add", x, eight_bit_conv(w))
    x = w.conv(x, w.const(weights(1, 1, 3, 4)))
    return w.finish(w.shuffle(x, 2))


WHOLE = whole_graph()
WHOLE_SPEC = make_spec(scale=2, channels=Channels.LUMA)


@settings(max_examples=300, deadline=None)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 9), st.binary(max_size=6)),
        min_size=1,
        max_size=4,
    )
)
def test_damaged_bytes_are_converted_or_refused(cuts: list[tuple[int, int, bytes]]) -> None:
    """Bytes cut out of and put into a graph raise nothing but ModelRefused."""
    data = WHOLE
    for start, length, inserted in cuts:
        data = data[:start] + inserted + data[start + length :]
    try:
        graph = convert_graphdef(data, spec=WHOLE_SPEC)
    except ModelRefused:
        return
    onnx.checker.check_model(onnx.load_model_from_string(graph))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_rewired_graphs_are_converted_or_refused(data: st.DataObject) -> None:
    """Sound messages with wrong contents raise nothing but ModelRefused."""
    graph = MESSAGES["GraphDef"].FromString(WHOLE)
    names = [node.name for node in graph.node]
    kinds = sorted({node.op for node in graph.node} | {"PRelu", "Conv2DBias", "Split"})
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.sampled_from(graph.node))
        match data.draw(st.sampled_from(["op", "input", "attr", "shape"])):
            case "op":
                node.op = data.draw(st.sampled_from(kinds))
            case "input":
                node.input[:] = data.draw(st.lists(st.sampled_from(names), max_size=4))
            case "attr":
                other = data.draw(st.sampled_from(graph.node))
                del node.attr[:]
                node.attr.extend(other.attr)
            case _:
                for attr in node.attr:
                    attr.value.i = data.draw(st.integers(-3, 2**40))
                    for dim in attr.value.tensor.tensor_shape.dim:
                        dim.size = data.draw(st.integers(-1, 5))
    try:
        convert_graphdef(graph.SerializeToString(), spec=WHOLE_SPEC)
    except ModelRefused:
        return
