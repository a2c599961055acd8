"""Converted graphs against OpenCV's own TensorFlow importer, on Set5 and on noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from proofs.quality import read_rgb
from proofs.record import SHARED
from upres.config import Settings
from upres.engines import engine
from upres.models.catalogue import Catalogue
from upres.models.convert import convert_graphdef
from upres.models.spec import Channels, ModelSpec
from upres.workbench import Workbench

_MAX_LEVELS = 1.0
_MEAN_LEVELS = 0.01


def measure(seed: int) -> dict[str, Any]:
    """Compare every upstream network on two pictures; both sides in float, before rounding."""
    workbench = Workbench(Settings.from_environment())
    noise = np.random.default_rng(seed).integers(0, 256, (48, 60, 3), np.uint8)
    results: dict[str, Any] = {}
    for spec in Catalogue.load():
        graph = _graphdef(spec, workbench)
        if graph is None:
            continue
        pictures = {"noise": noise, "head": _set5(spec.scale)}
        results[spec.id] = _compare(spec, graph, pictures, folder=workbench.settings.cache_folder)
    families = {name.split("-x")[0] for name in results}
    passed = {"edsr", "fsrcnn", "fsrcnn-small", "espcn"} <= families and all(
        one["max_levels"] <= _MAX_LEVELS and one["mean_levels"] <= _MEAN_LEVELS
        for each in results.values()
        for one in each.values()
    )
    return {"results": results, "passed": passed}


def _graphdef(spec: ModelSpec, workbench: Workbench) -> bytes | None:
    """Return the upstream graph: pulled for edsr, from the shared folder for the small ones."""
    if spec.name == "edsr":
        return workbench.store.find(spec, format="pb").read_bytes()
    names = {
        "fsrcnn": "FSRCNN",
        "fsrcnn-small": "FSRCNN-small",
        "espcn": "ESPCN",
        "lapsrn": "LapSRN",
    }
    if spec.name not in names:
        return None
    return (SHARED / "weights" / f"{names[spec.name]}_x{spec.scale}.pb").read_bytes()


def _set5(scale: int) -> NDArray[np.uint8]:
    folder = SHARED / "bench/Set5/LR_bicubic" / f"X{scale}"
    return read_rgb(folder / f"headx{scale}.png").astype(np.uint8)[:64, :64]


def _compare(
    spec: ModelSpec, graph: bytes, pictures: dict[str, NDArray[np.uint8]], *, folder: Path
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    converted = folder / f"proof-{spec.id}.onnx"
    converted.write_bytes(convert_graphdef(graph, spec=spec))
    # registers the DepthToSpace that OpenCV 5.0 lacks for TensorFlow files
    superres: Any = cv2.dnn_superres
    superres.DnnSuperResImpl_create()
    original = cv2.dnn.readNetFromTensorflow(np.frombuffer(graph, np.uint8))
    results = {}
    with engine("onnxruntime").open(converted, spec, precision="fp32", threads=2) as session:
        for name, pixels in pictures.items():
            planes, mean = _network_input(spec, pixels)
            original.setInput(planes - mean)
            theirs = original.forward(_output_name(spec)) + mean
            ours = session.run(planes)
            levels = np.abs(theirs - ours) * (255 / spec.value_max)
            results[name] = {"max_levels": float(levels.max()), "mean_levels": float(levels.mean())}
    converted.unlink()
    return results


def _network_input(spec: ModelSpec, pixels: NDArray[np.uint8]) -> tuple[Any, Any]:
    if spec.channels is Channels.LUMA:
        luma = cv2.cvtColor(pixels[..., ::-1].astype(np.float32) / 255, cv2.COLOR_BGR2YCrCb)[..., 0]
        return np.ascontiguousarray(luma[np.newaxis, np.newaxis]), 0.0
    planes = pixels[..., ::-1].transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    return np.ascontiguousarray(planes), np.array(spec.mean, np.float32).reshape(1, 3, 1, 1)


def _output_name(spec: ModelSpec) -> str:
    """Name the graph's planes-first output; LapSRN's pyramid has one for each factor above 2."""
    pyramid = spec.name == "lapsrn" and spec.scale > 2  # noqa: PLR2004
    return f"NCHW_output_{spec.scale}x" if pyramid else "NCHW_output"
