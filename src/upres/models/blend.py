"""A strength between two networks of one shape: their weights, mixed by a share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import ModelRefused
from upres.models.spec import ModelFile, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLEND_VERSION = 1
"""Add 1 with every change of a blend's weights: results' keys depend on it."""

FLAT_UP_TO = 0.25
"""Share of the second up to which flat parts are spared as with the first alone: a weak strength
still makes noise there a little stronger, a strong one removes it."""


@dataclass(frozen=True, kw_only=True)
class Blend(ModelSpec):
    """A network whose weights lie between those of two others; it has no file of its own.

    `file` says what its weights follow from: the hash is derived from both files' and the share.
    """

    first: ModelSpec
    second: ModelSpec
    share: float
    """How much of `second`, between 0 and 1."""

    @property
    def id(self) -> str:
        """The second's id and the share, as `photo-x3@0.5`."""
        return f"{self.second.id}@{self.share!r}"

    @property
    def parts(self) -> tuple[ModelSpec, ...]:
        """Both networks."""
        return (self.first, self.second)


def between(first: ModelSpec, second: ModelSpec, share: float) -> ModelSpec:
    """Return the network that has `share` (0..1) of the second's weights.

    The ends are the two networks themselves. Raises ModelRefused where they take other planes,
    values or factors; whether their weights match is known when they are opened.
    """
    if share <= 0:
        return first
    if share >= 1:
        return second
    for what in ("scale", "channels", "value_max"):
        if getattr(first, what) != getattr(second, what):
            raise ModelRefused(second.id, f"its {what} is not that of {first.id}")
    text = f"blend {BLEND_VERSION} {first.file.sha256} {second.file.sha256} {share!r}"
    return Blend(
        name=second.name,
        scale=second.scale,
        channels=second.channels,
        value_max=second.value_max,
        halo_px=max(first.halo_px, second.halo_px),
        working_bytes_per_px=max(first.working_bytes_per_px, second.working_bytes_per_px),
        licence=second.licence,
        origin=second.origin,
        file=ModelFile(
            name=second.file.name,
            bytes=second.file.bytes,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
        ),
        symmetric=first.symmetric and second.symmetric,
        parameters=second.parameters,
        flat_below=first.flat_below if share <= FLAT_UP_TO else 0.0,
        summary=f"{second.summary}, at strength {share:g}",
        first=first,
        second=second,
        share=share,
    )


def blended_graph(blend: Blend, find: Callable[[ModelSpec], Path]) -> bytes:
    """Return a blend's ONNX graph; `find` gives the verified file of each of the two.

    Raises ModelRefused where the graphs are not the same network with other weights.
    """
    import onnx

    first, second = (onnx.load_model_from_string(find(part).read_bytes()) for part in blend.parts)
    ours, theirs = _weights(first), _weights(second)
    shapes = {name: array.shape for name, array in ours.items()}
    if shapes != {name: array.shape for name, array in theirs.items()}:
        reason = f"its weights have other names or shapes than those of {blend.first.id}"
        raise ModelRefused(blend.second.id, reason)
    if _nodes(first) != _nodes(second):
        raise ModelRefused(blend.second.id, f"it is another network than {blend.first.id}")
    share = np.float64(blend.share)
    for weight in first.graph.initializer:
        if weight.name not in ours:
            continue
        mixed = (1 - share) * ours[weight.name] + share * theirs[weight.name]
        weight.CopyFrom(onnx.numpy_helper.from_array(mixed.astype(np.float32), weight.name))
    graph: bytes = first.SerializeToString(deterministic=True)
    return graph


def _weights(model: Any) -> dict[str, Any]:
    from onnx import TensorProto, numpy_helper

    weights = model.graph.initializer
    return {
        weight.name: numpy_helper.to_array(weight)
        for weight in weights
        if weight.data_type == TensorProto.FLOAT
    }


def _nodes(model: Any) -> list[bytes]:
    """Return all that the graph does, and the weights that are no floating-point numbers."""
    from onnx import TensorProto

    others = [one for one in model.graph.initializer if one.data_type != TensorProto.FLOAT]
    return [
        part.SerializeToString(deterministic=True)
        for part in (*model.graph.input, *model.graph.output, *model.graph.node, *others)
    ]
