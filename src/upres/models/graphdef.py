"""Reads TensorFlow GraphDef bytes with the few message types that a model file needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from upres.errors import ModelRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MAX_GRAPH_BYTES = 64 * 2**20
MAX_NODES = 10_000
MAX_NAME_CHARS = 200

_PACKAGE = "upres.graphdef"
_FIELD = descriptor_pb2.FieldDescriptorProto
_STRING, _BYTES = _FIELD.TYPE_STRING, _FIELD.TYPE_BYTES
_INT32, _INT64, _FLOAT = _FIELD.TYPE_INT32, _FIELD.TYPE_INT64, _FIELD.TYPE_FLOAT

_MESSAGES: dict[str, dict[str, tuple[int, int | str, bool]]] = {
    # message: {field: (number, scalar type or message name, repeated)}; TensorFlow's other fields
    # stay unknown and are skipped. A map is, on the wire, a repeated pair of key and value.
    "GraphDef": {"node": (1, "NodeDef", True)},
    "NodeDef": {
        "name": (1, _STRING, False),
        "op": (2, _STRING, False),
        "input": (3, _STRING, True),
        "attr": (5, "AttrEntry", True),
    },
    "AttrEntry": {"key": (1, _STRING, False), "value": (2, "AttrValue", False)},
    "AttrValue": {
        "list": (1, "ListValue", False),
        "s": (2, _BYTES, False),
        "i": (3, _INT64, False),
        "type": (6, _INT32, False),
        "tensor": (8, "TensorProto", False),
    },
    "ListValue": {"i": (3, _INT64, True)},
    "TensorProto": {
        "dtype": (1, _INT32, False),
        "tensor_shape": (2, "TensorShapeProto", False),
        "tensor_content": (4, _BYTES, False),
        "float_val": (5, _FLOAT, True),
        "int_val": (7, _INT32, True),
    },
    "TensorShapeProto": {"dim": (2, "Dim", True)},
    "Dim": {"size": (1, _INT64, False)},
}

FLOAT32, INT32, QUINT8 = 1, 3, 12
"""TensorFlow's numbers for the data types that model files use."""

_DTYPES: dict[int, tuple[np.dtype[Any], str]] = {
    FLOAT32: (np.dtype("<f4"), "float_val"),
    INT32: (np.dtype("<i4"), "int_val"),
    QUINT8: (np.dtype("u1"), "int_val"),
}


def _message_classes() -> dict[str, Any]:
    """Build the message classes in a pool of their own, beside any TensorFlow in the process."""
    file = descriptor_pb2.FileDescriptorProto(
        name="upres_graphdef.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind, repeated) in fields.items():
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            field = described.field.add(name=name, number=number, label=label)
            if isinstance(kind, str):
                field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


MESSAGES = _message_classes()
"""The message classes by TensorFlow's names (a map entry is called AttrEntry)."""


@dataclass(frozen=True)
class Node:
    """One operation of a GraphDef; `attrs` holds raw AttrValue messages."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attrs: Mapping[str, Any]

    def text(self, attr: str, *, default: str = "") -> str:
        """Return a string attribute."""
        value: bytes = self.attrs[attr].s if attr in self.attrs else default.encode()
        return value.decode("ascii", "replace")

    def integer(self, attr: str) -> int:
        """Return an integer attribute, 0 where it is absent."""
        return int(self.attrs[attr].i) if attr in self.attrs else 0

    def integers(self, attr: str, *, default: Sequence[int]) -> tuple[int, ...]:
        """Return a list-of-integers attribute."""
        return tuple(self.attrs[attr].list.i) if attr in self.attrs else tuple(default)


def parse_graphdef(graph: bytes, *, name: str) -> dict[str, Node]:
    """Return the nodes of serialised GraphDef bytes by name; `name` is for the error text."""
    if len(graph) > MAX_GRAPH_BYTES:
        raise ModelRefused(name, f"it has more than {MAX_GRAPH_BYTES} bytes")
    try:
        parsed = MESSAGES["GraphDef"].FromString(graph)
    except (DecodeError, TypeError, ValueError) as error:
        raise ModelRefused(name, "it is not a TensorFlow GraphDef") from error
    if not 0 < len(parsed.node) <= MAX_NODES:
        raise ModelRefused(name, f"it has {len(parsed.node)} nodes, not 1 to {MAX_NODES}")
    nodes: dict[str, Node] = {}
    for node in parsed.node:
        if max(len(node.name), len(node.op)) > MAX_NAME_CHARS:
            raise ModelRefused(name, f"a node's name has more than {MAX_NAME_CHARS} characters")
        if node.name in nodes:
            raise ModelRefused(name, f"two nodes are called {node.name!r}")
        attrs = {entry.key: entry.value for entry in node.attr}
        nodes[node.name] = Node(node.name, node.op, tuple(node.input), attrs)
    return nodes


def constant(node: Node, *, name: str) -> NDArray[Any]:
    """Return the array that a Const node holds; `name` is for the error text."""
    if node.op != "Const" or "value" not in node.attrs:
        raise ModelRefused(name, f"{node.name!r} is not a constant")
    tensor = node.attrs["value"].tensor
    if tensor.dtype not in _DTYPES:
        raise ModelRefused(name, f"constant {node.name!r} has data type {tensor.dtype}")
    dtype, field = _DTYPES[tensor.dtype]
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if any(size < 1 for size in shape):
        raise ModelRefused(name, f"constant {node.name!r} has an axis without a size")
    # The stored values are counted before an array of the claimed shape is made.
    expected = math.prod(shape)
    content: bytes = tensor.tensor_content
    # A list, since NumPy checks the range of Python's numbers but not of a message field's.
    values: list[float] = [] if content else list(getattr(tensor, field))
    stored = len(content) / dtype.itemsize if content else len(values)
    if stored != expected:
        raise ModelRefused(name, f"constant {node.name!r} holds {stored:g} of {expected} values")
    try:
        flat = np.frombuffer(content, dtype) if content else np.array(values, dtype)
        array: NDArray[Any] = flat.reshape(shape)
    except (OverflowError, ValueError) as error:
        raise ModelRefused(name, f"constant {node.name!r} does not fit its type") from error
    if not np.isfinite(array).all():
        raise ModelRefused(name, f"constant {node.name!r} has values that are not finite")
    return array
