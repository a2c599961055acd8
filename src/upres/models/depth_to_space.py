"""Rewrites ONNX graphs to the one order of DepthToSpace that OpenCV always computes rightly.

The first use of cv2.dnn_superres in a process replaces OpenCV's DepthToSpace for good by one that
knows the DCR order only: from then on graphs in CRD order (what PyTorch's pixel shuffle exports)
come out scrambled, without an error (OpenCV 5.0).
"""

from __future__ import annotations

from typing import Any

import numpy as np

_CRD_ATTRIBUTE = b'"\x03CRD'
"""How a protobuf holds the attribute's value."""


def uses_crd(graph: bytes) -> bool:
    """Tell whether a serialised ONNX graph may have a DepthToSpace in CRD order."""
    return _CRD_ATTRIBUTE in graph


def without_crd(graph: bytes) -> bytes:
    """Return a serialised ONNX graph that computes the same with DepthToSpace in DCR order only.

    Planes are brought into that order before each such node. Raises ValueError where the graph
    does not tell how many planes there are.
    """
    import onnx

    model = onnx.load_model_from_string(graph)
    inferred = onnx.shape_inference.infer_shapes(model).graph
    planes = {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in (*inferred.value_info, *inferred.input)
        if len(value.type.tensor_type.shape.dim) > 1
    }
    for index in reversed(range(len(model.graph.node))):
        node = model.graph.node[index]
        modes = [item for item in node.attribute if (item.name, item.s) == ("mode", b"CRD")]
        if node.op_type == "DepthToSpace" and modes:
            modes[0].s = b"DCR"
            order = _order(planes.get(node.input[0], 0), _side(node))
            _reorder(model.graph, index, order)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _side(node: Any) -> int:
    return next(int(item.i) for item in node.attribute if item.name == "blocksize")


def _order(planes: int, side: int) -> list[int]:
    """Return which plane in CRD order each plane in DCR order is."""
    if not planes:
        raise ValueError("a DepthToSpace node does not tell how many planes it takes")
    order: list[int] = np.arange(planes).reshape(-1, side * side).T.ravel().tolist()
    return order


def _reorder(graph: Any, index: int, order: list[int]) -> None:
    """Put a Gather of planes before the node at `index`."""
    from onnx import helper, numpy_helper

    node = graph.node[index]
    indices, planes = f"{node.output[0]}/order", f"{node.output[0]}/in_order"
    graph.initializer.append(numpy_helper.from_array(np.array(order, np.int64), indices))
    gather = helper.make_node("Gather", [node.input[0], indices], [planes], axis=1)
    node.input[0] = planes
    graph.node.insert(index, gather)
