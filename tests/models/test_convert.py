from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from graphdef_writer import Array, Writer, conv_bias, eight_bit_conv, make_spec, prelu, weights

from upres.models.convert import convert_graphdef
from upres.models.graphdef import MESSAGES

EDSR_MEAN = (103.1545782, 111.561547, 114.35629928)


def run(graph: bytes, picture: Array) -> Array:
    """Run ONNX bytes on an NHWC picture; return NCHW."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (result,) = session.run(
        ["output"], {"input": np.ascontiguousarray(picture.transpose(0, 3, 1, 2))}
    )
    array: Array = result
    return array


def operations(graph: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_model_from_string(graph).graph.node)


def bias_conv(w: Writer) -> str:
    return w.binary("Add", w.const(weights(1)), w.conv(w.x, w.const(weights(5, 1, 3, 3))))


def even_conv(w: Writer) -> str:
    return w.conv(w.x, w.const(weights(4, 2, 3, 3)))


def leaky_relu(w: Writer) -> str:
    x = w.conv(w.x, w.const(weights(1, 1, 3, 3)))
    negative = w.unary("Relu", w.binary("Mul", w.const(-1.0), x))
    return w.binary("Sub", w.unary("Relu", x), w.binary("Mul", w.const(0.2), negative))


def not_quite_prelu(w: Writer) -> str:
    x = w.conv(w.x, w.const(weights(1, 1, 3, 3)))
    negative = w.binary("Mul", w.const(weights(3)), w.binary("Sub", x, w.unary("Abs", x)))
    return w.binary("Add", w.binary("Mul", w.const(0.25), negative), w.unary("Relu", x))


def residual(w: Writer) -> str:
    scaled = w.binary("Mul", conv_bias(w), w.const(0.1))
    return w.binary("Add", w.x, scaled)


def reversed_difference(w: Writer) -> str:
    return w.unary("Tanh", w.binary("Sub", w.const(weights(3)), w.x))


def bias_add(w: Writer) -> str:
    return w.binary("BiasAdd", w.x, w.const(weights(3)))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (conv_bias, {"Conv": 1}),
        (bias_conv, {"Conv": 1}),
        (even_conv, {"Conv": 1}),
        (eight_bit_conv, {"DequantizeLinear": 1, "Conv": 1}),
        (prelu, {"Conv": 1, "PRelu": 1}),
        (leaky_relu, {"Conv": 1, "LeakyRelu": 1}),
        (not_quite_prelu, {"Conv": 1, "Abs": 1, "Sub": 1, "Mul": 2, "Relu": 1, "Add": 1}),
        (residual, {"Conv": 1, "Mul": 1, "Add": 1}),
        (reversed_difference, {"Sub": 1, "Tanh": 1}),
        (bias_add, {"Add": 1}),
    ],
)
def test_operations_compute_what_tensorflow_defines(
    build: Callable[[Writer], str], expected: dict[str, int]
) -> None:
    """Each construct becomes the expected ONNX nodes and gives a NumPy reference's numbers."""
    w = Writer()
    x = build(w)
    graph = convert_graphdef(w.finish(x), spec=make_spec())
    onnx.checker.check_model(onnx.load_model_from_string(graph), full_check=True)
    assert operations(graph) == expected
    np.testing.assert_allclose(run(graph, w.picture), w["NCHW_output"], rtol=0, atol=1e-5)


def enlarger(w: Writer, scale: int = 2) -> str:
    return w.shuffle(w.conv(w.x, w.const(weights(3, 3, 3, 3 * scale**2))), scale)


def test_pixel_shuffle_keeps_tensorflows_channel_order() -> None:
    """Channels of the last convolution are block-major, the colour varies fastest."""
    w = Writer()
    graph = convert_graphdef(w.finish(enlarger(w)), spec=make_spec(scale=2))
    np.testing.assert_allclose(run(graph, w.picture), w["NCHW_output"], rtol=0, atol=1e-5)


def test_graph_keeps_the_contract() -> None:
    """One input, one output, NCHW float32, free height and width, no transposition anywhere."""
    w = Writer()
    model = onnx.load_model_from_string(
        convert_graphdef(w.finish(enlarger(w, 3)), spec=make_spec(scale=3))
    )
    ends = [*model.graph.input, *model.graph.output]
    assert [end.name for end in ends] == ["input", "output"]
    for end in ends:
        assert end.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        dims = end.type.tensor_type.shape.dim
        assert [dim.dim_value for dim in dims] == [1, 3, 0, 0]
        assert all(dim.dim_param for dim in dims[2:])
    assert not any(node.op_type == "Transpose" for node in model.graph.node)


def test_mean_is_inside_the_graph() -> None:
    """The network sees the picture without the mean, also at the padded border."""
    w = Writer()
    w.picture *= 255
    w.values[w.x] = w.picture - np.array(EDSR_MEAN, np.float32)
    data = w.finish(enlarger(w))
    spec = make_spec(scale=2, value_max=255.0, mean=EDSR_MEAN)
    expected = w["NCHW_output"] + np.array(EDSR_MEAN, np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(
        run(convert_graphdef(data, spec=spec), w.picture), expected, rtol=0, atol=1e-3
    )


def test_eight_bit_weights_stay_eight_bit() -> None:
    """They are stored as uint8 with a zero point, not as floats."""
    w = Writer()
    graph = convert_graphdef(w.finish(eight_bit_conv(w)), spec=make_spec())
    stored = onnx.load_model_from_string(graph).graph.initializer
    kinds = {tuple(array.dims): array.data_type for array in stored}
    assert kinds[(3, 3, 3, 3)] == onnx.TensorProto.UINT8
    # -min / ((max - min) / 255) is 162.37: the zero point is a whole number.
    assert [onnx.numpy_helper.to_array(array) for array in stored if array.data_type == 2][1] == 162


def test_same_bytes_give_the_same_bytes() -> None:
    """A conversion can be repeated and compared by its hash; TensorFlow's names do not matter."""
    w = Writer()
    data = w.finish(enlarger(w))
    first = convert_graphdef(data, spec=make_spec(scale=2))
    assert convert_graphdef(data, spec=make_spec(scale=2)) == first
    renamed = MESSAGES["GraphDef"].FromString(data)
    for node in renamed.node:
        node.input[:] = [f"net/{key}" for key in node.input]
        node.name = node.name if node.name == "NCHW_output" else f"net/{node.name}"
    assert convert_graphdef(renamed.SerializeToString(), spec=make_spec(scale=2)) == first


@pytest.mark.parametrize(("scale", "convolutions"), [(2, 1), (4, 2)])
def test_of_several_outputs_the_scales_own_is_kept(scale: int, convolutions: int) -> None:
    """What only the larger output needs is left out of the smaller one's graph."""
    w = Writer()
    twice = enlarger(w)
    four_times = w.shuffle(w.conv(twice, w.const(weights(3, 3, 3, 12))), 2)
    w.finish(four_times)
    w.finish(four_times, name="NCHW_output_4x")
    data = w.finish(twice, name="NCHW_output_2x")
    graph = convert_graphdef(data, spec=make_spec(scale=scale))
    assert operations(graph) == {"Conv": convolutions, "DepthToSpace": convolutions}
    expected = w[f"NCHW_output_{scale}x"]
    np.testing.assert_allclose(run(graph, w.picture), expected, rtol=0, atol=1e-5)


def test_a_weight_used_twice_is_stored_once() -> None:
    """Repeating a constant does not grow the file."""
    w = Writer()
    kernel = w.const(weights(3, 3, 3, 3))
    x = w.conv(w.conv(w.x, kernel), kernel)
    graph = convert_graphdef(w.finish(x), spec=make_spec())
    assert len(onnx.load_model_from_string(graph).graph.initializer) == 1
    np.testing.assert_allclose(run(graph, w.picture), w["NCHW_output"], rtol=0, atol=1e-5)


def test_a_long_chain_is_no_problem() -> None:
    """The depth of a graph is not limited by Python's stack."""
    w = Writer()
    x = w.x
    for _ in range(3000):
        x = w.unary("Relu", x)
    assert operations(convert_graphdef(w.finish(x), spec=make_spec())) == {"Relu": 3000}
