"""Bringing one's own model: an ONNX file is looked at, run, measured, and entered or refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from upres.engines import engine as engine_named
from upres.engines import installed
from upres.engines.threads import usable_cpus
from upres.errors import EngineMissing, InputNotReadable, ModelRefused, UpresError
from upres.image.files import complete_output
from upres.models.catalogue import AUTO, BASELINES, Catalogue
from upres.models.footprint import graph_working_bytes_per_px
from upres.models.landing import prepare
from upres.models.probe import Planes, measure_halo, measure_scale, measure_value_max
from upres.models.spec import Channels, ModelFile, ModelSpec

if TYPE_CHECKING:
    from upres.engines.base import Session
    from upres.workbench import Workbench

RESERVED = ("fast", "photo")
"""Names of models of ours to come."""
_LONGEST_NAME = 60
MAX_MODEL_BYTES = 512 * 2**20
_RANK = 4


def add_model(
    file: Path,
    *,
    workbench: Workbench,
    name: str | None = None,
    licence: str = "unknown",
    channels: Literal["rgb", "bgr"] = "rgb",
) -> ModelSpec:
    """Verify that an ONNX file enlarges pictures, copy it into the model folder, enter it.

    The network must take one float tensor, NCHW or NHWC, with 1 plane (luma) or 3, of any size from
    37 x 50 pixels on. Raises ModelRefused, InputNotReadable, ModelFolderNotWritable.
    """
    chosen = _checked_name(name or file.stem, workbench)
    graph, planes = _canonical(_read(file), name=file.name)
    kind = Channels.LUMA if planes == 1 else Channels(channels)
    folder = workbench.settings.store.folder
    prepare(folder)
    draft = folder / f".{chosen}.{hashlib.sha256(graph).hexdigest()[:8]}.onnx"
    try:
        draft.write_bytes(graph)
        spec = _measured(draft, graph, name=chosen, licence=licence, channels=kind, label=file.name)
        _check_free(spec, workbench)
        _enter(spec, graph=draft, folder=folder, entries=workbench.settings.added_models_folder)
    finally:
        draft.unlink(missing_ok=True)
    return spec


def _checked_name(name: str, workbench: Workbench) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    shipped = Catalogue.load()
    ids = {spec.id for spec in (*shipped, *workbench.catalogue)}
    taken = {*shipped.names, *ids, *RESERVED, AUTO, *BASELINES}
    if not plain or plain in taken or len(plain) > _LONGEST_NAME:
        raise ModelRefused(
            name, f"the name {plain or name!r} is taken, empty or too long; use --name"
        )
    return plain


def _check_free(spec: ModelSpec, workbench: Workbench) -> None:
    """Refuse a second network of one name and factor; a family may have many factors."""
    # read anew: another process may have added it meanwhile
    catalogue = Catalogue.load(added=workbench.settings.added_models_folder)
    if any(spec.id == other.id for other in catalogue):
        raise ModelRefused(spec.name, f"{spec.name} x{spec.scale} is taken; use --name")


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_MODEL_BYTES:
            raise ModelRefused(file.name, f"it is larger than {MAX_MODEL_BYTES} bytes")
        return file.read_bytes()
    except OSError as error:
        raise InputNotReadable(file, (error.strerror or str(error)).lower()) from error


def _canonical(data: bytes, *, name: str) -> tuple[bytes, int]:
    """Check a graph's outside and return it as NCHW, with its number of planes."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except (DecodeError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelRefused(
            name, f"it is no valid ONNX graph: {str(error).splitlines()[0]}"
        ) from error
    if _has_outside_weights(model):
        raise ModelRefused(name, "its weights lie in another file; save it as one file")
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ModelRefused(
            name, f"it has {len(inputs)} inputs and {len(model.graph.output)} outputs"
        )
    if any(node.domain not in ("", "ai.onnx") for node in model.graph.node):
        raise ModelRefused(name, "it uses operators beyond standard ONNX")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(tensor.shape.dim) != _RANK:
        raise ModelRefused(name, "its input is no 4-dimensional float32 tensor")
    sizes = [dimension.dim_value for dimension in tensor.shape.dim]
    if sizes[1] in (1, 3) and not (sizes[2] or sizes[3]):
        return data, sizes[1]
    if sizes[3] in (1, 3) and not (sizes[1] or sizes[2]):
        return _channels_first(model), sizes[3]
    shape = "x".join(str(size or "?") for size in sizes)
    raise ModelRefused(name, f"its input {shape} is not 1 or 3 planes of free height and width")


def _has_outside_weights(model: Any) -> bool:
    """Tell whether any tensor, of nested graphs too, is kept in a file of its own."""
    from onnx import TensorProto
    from onnx.external_data_helper import _get_all_tensors

    return any(tensor.data_location == TensorProto.EXTERNAL for tensor in _get_all_tensors(model))


def _channels_first(model: Any) -> bytes:
    """Put a transposition at both ends of an NHWC graph."""
    from onnx import TensorProto, helper

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    taken = next(value for value in graph.input if value.name not in weights)
    given = graph.output[0]
    before = helper.make_node("Transpose", ["upres_in"], [taken.name], perm=[0, 2, 3, 1])
    after = helper.make_node("Transpose", [given.name], ["upres_out"], perm=[0, 3, 1, 2])
    planes = taken.type.tensor_type.shape.dim[3].dim_value
    graph.node.insert(0, before)
    graph.node.append(after)
    graph.input.remove(taken)
    graph.output.remove(given)
    free = [1, planes, None, None]
    graph.input.append(helper.make_tensor_value_info("upres_in", TensorProto.FLOAT, free))
    graph.output.append(helper.make_tensor_value_info("upres_out", TensorProto.FLOAT, free))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _measured(
    draft: Path, graph: bytes, *, name: str, licence: str, channels: Channels, label: str
) -> ModelSpec:
    def described(*, scale: int, value_max: float, halo_px: int) -> ModelSpec:
        return ModelSpec(
            name=name,
            scale=scale,
            channels=channels,
            value_max=value_max,
            halo_px=halo_px,
            working_bytes_per_px=graph_working_bytes_per_px(graph),
            licence=licence,
            origin=f"added from {label}",
            summary="added by you",
            file=ModelFile(
                name=f"{name}-x{scale}.onnx",
                bytes=len(graph),
                sha256=hashlib.sha256(graph).hexdigest(),
            ),
        )

    count = channels.count
    unknown = described(scale=1, value_max=1.0, halo_px=0)
    with _session(draft, unknown) as session:
        run = _raw(session)
        scale = measure_scale(run, count=count, name=label)
        value_max = measure_value_max(run, count=count, scale=scale, name=label)

        def run_planes(planes: Planes) -> Planes:
            enlarged: Planes = run(planes * np.float32(value_max)) / np.float32(value_max)
            return enlarged

        halo = measure_halo(run_planes, scale=scale, count=count, name=label)
    return described(scale=scale, value_max=value_max, halo_px=halo.used_px)


def _session(draft: Path, spec: ModelSpec) -> Session:
    """Open a draft with the first engine that is here: what it cannot load is refused."""
    here = installed()
    if not here:
        raise EngineMissing("openvino", "openvino")
    try:
        return engine_named(here[0]).open(draft, spec, precision="fp32", threads=usable_cpus())
    except UpresError as error:
        raise ModelRefused(spec.origin.removeprefix("added from "), str(error)) from error


def _raw(session: Session) -> Callable[[Planes], Planes]:
    def run(planes: Planes) -> Planes:
        result = session.run(np.ascontiguousarray(planes[np.newaxis]))
        if result.ndim != _RANK:
            raise ModelRefused("model", f"its output has {result.ndim} dimensions")
        planes_out: Planes = result[0]
        return planes_out

    return run


def _enter(spec: ModelSpec, *, graph: Path, folder: Path, entries: Path) -> None:
    """Put the graph in its place and write its catalogue entry: both or neither."""
    import tomli_w

    entry = {
        "name": spec.name,
        "scale": spec.scale,
        "channels": spec.channels.value,
        "value_max": spec.value_max,
        "halo_px": spec.halo_px,
        "working_bytes_per_px": spec.working_bytes_per_px,
        "licence": spec.licence,
        "origin": spec.origin,
        "summary": spec.summary,
        "file": {"name": spec.file.name, "bytes": spec.file.bytes, "sha256": spec.file.sha256},
    }
    prepare(entries)
    graph.replace(folder / spec.file.name)
    try:
        with complete_output(entries / f"{spec.id}.toml") as file:
            tomli_w.dump({"model": [entry]}, file)
    except BaseException:
        (folder / spec.file.name).unlink(missing_ok=True)
        raise
