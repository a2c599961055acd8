"""A small `lite` and `photo` of one shape, with other weights, in place of those that ship."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import onnx
import tomli_w
from builders import FEATURES, Case, Graph, described

from upres.models.catalogue import Catalogue
from upres.models.spec import Channels, ModelFile, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from upres.config import Settings


def network(name: str, *, scale: int, seed: int, features: int = FEATURES) -> Case:
    """Return a network that adds a few levels of its own to repeated pixels."""
    graph = Graph(channels=3, seed=seed)
    inner = graph.add("Relu", graph.conv("input", 3, features))
    planes = graph.conv(inner, features, 3 * scale**2)
    quiet = graph.add("Mul", planes, graph.constant(0.1))
    copies = graph.add("Concat", *["input"] * scale**2, axis=1)
    summed = graph.add("Add", copies, quiet)
    large = graph.add("DepthToSpace", summed, blocksize=scale, mode="DCR")
    return described(graph.model(large), name=name, scale=scale, channels=Channels.RGB)


def family() -> list[Case]:
    """Return `lite` at x2 and x3, `photo` at x1 and x2, and a model that is neither."""
    return [
        network("lite", scale=2, seed=1),
        network("lite", scale=3, seed=2),
        network("photo", scale=1, seed=3),
        network("photo", scale=2, seed=4),
        network("other", scale=2, seed=5),
    ]


def ship(
    cases: Iterable[Case], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Case]:
    """Let these be the models that ship, from now on in this test; return them by id."""
    cases = list(cases)
    settings.store.folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        case.save(settings.store.folder)
    catalogue = Catalogue(case.spec for case in cases)
    monkeypatch.setattr(Catalogue, "load", classmethod(lambda _, **__: catalogue))
    return {case.spec.id: case for case in cases}


def weights(case: Case) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Return a graph's weights in order."""
    from onnx import numpy_helper

    return [numpy_helper.to_array(weight) for weight in case.model.graph.initializer]


def ship_beside_lite(folder: Path, *, scale: int = 3) -> None:
    """Enter a `photo` into a model folder: the `lite` that ships, with weights a little larger."""
    lite = Catalogue.load().get("lite", scale)
    shipped = resources.files("upres.models").joinpath("weights", lite.file.name).read_bytes()
    graph = onnx.load_model_from_string(shipped)
    for weight in graph.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            larger = onnx.numpy_helper.to_array(weight) * np.float32(1.002)
            weight.CopyFrom(onnx.numpy_helper.from_array(larger, weight.name))
    data = graph.SerializeToString(deterministic=True)
    spec = replace(
        lite,
        name="photo",
        file=ModelFile(
            name=f"photo-x{scale}.onnx", bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
        ),
    )
    (folder / "added").mkdir(parents=True)
    (folder / spec.file.name).write_bytes(data)
    with (folder / "added" / f"{spec.id}.toml").open("wb") as file:
        tomli_w.dump({"model": [{**_plain(spec), "file": _plain(spec.file)}]}, file)


def _plain(table: ModelSpec | ModelFile) -> dict[str, object]:
    """Return what a catalogue holds of it."""
    kept = (str, int, float, Channels)
    values = {field.name: getattr(table, field.name) for field in fields(table)}
    return {
        name: value.value if isinstance(value, Channels) else value
        for name, value in values.items()
        if isinstance(value, kept)
    }
