"""Measures the ranges of values in a model's network, for its int8 twin: `calibrate NAME`.

A network whose twin would lose more than the product allows has none.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from training.data import RESEARCH_ONLY, find_pictures
from training.downscale import Picture, downscale
from upres.bench.loss import sample_score
from upres.config import Settings
from upres.engines import engine
from upres.engines.measurements import BUDGET_DB
from upres.models.calibration import CALIBRATIONS, Calibration, entry_text
from upres.models.catalogue import Catalogue
from upres.models.quantize import quantized_graph
from upres.models.spec import Channels
from upres.models.store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

PICTURES = Path(__file__).parents[2] / "shared" / "train"
CROPS = 72
CROP_PX = 48
"""Side of a crop, after the downscale."""
_TRIED = 12
"""Places looked at in a picture; the sharpest is taken, since smooth ones give narrow ranges."""
_SEED = 7
_SMALL_SHARE = 0.05
"""First and last convolution stay float when they are less of the arithmetic than this."""


def sharp_crops(paths: Sequence[Path], *, scale: int, count: int) -> Iterator[Picture]:
    """Yield small (CROP_PX, CROP_PX, 3) pictures: each the sharpest place of another picture."""
    random = np.random.default_rng(_SEED)
    for index in random.permutation(len(paths))[:count]:
        with Image.open(paths[index]) as image:
            picture = np.asarray(image.convert("RGB"))
        yield downscale(_sharpest(picture, CROP_PX * scale, random), scale)


def _sharpest(picture: Picture, side_px: int, random: np.random.Generator) -> Picture:
    rows, columns = (max(1, side - side_px + 1) for side in picture.shape[:2])
    crops = [
        picture[top : top + side_px, left : left + side_px]
        for top, left in zip(
            random.integers(rows, size=_TRIED), random.integers(columns, size=_TRIED), strict=True
        )
    ]
    return max(crops, key=lambda crop: float(np.abs(np.diff(crop.astype(np.int16), axis=0)).mean()))


def measured_ranges(
    graph: bytes, batches: Sequence[NDArray[np.float32]]
) -> list[tuple[float, float]]:
    """Return the least and the largest input of each convolution, in the graph's order."""
    model = onnx.load_model_from_string(graph)
    names = [node.input[0] for node in model.graph.node if node.op_type == "Conv"]
    ends = {value.name for value in model.graph.input}
    watched = list(dict.fromkeys(name for name in names if name not in ends))
    shown = {value.name for value in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in watched
        if name not in shown
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    ranges = dict.fromkeys(names, (np.inf, -np.inf))
    for batch in batches:
        values = dict(zip(watched, session.run(watched, {"input": batch}), strict=True))
        for name in ranges:
            value = values.get(name, batch)
            least, most = ranges[name]
            ranges[name] = (min(least, float(value.min())), max(most, float(value.max())))
    return [ranges[name] for name in names]


def left_float(graph: bytes) -> list[int]:
    """Return the places of the convolutions that are not worth quantizing.

    They are those that repeat planes, and the first and the last of the others where they are a
    small part of the multiplications: then they cost little and matter most.
    """
    model = onnx.load_model_from_string(graph)
    arrays = {array.name: list(array.dims) for array in model.graph.initializer}
    made = {value: node.input[0] for node in model.graph.node for value in node.output}
    repeats = _repeating(model)
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    sizes = {
        place: float(np.prod(arrays.get(node.input[1]) or arrays[made[node.input[1]]]))
        for place, node in enumerate(nodes)
        if node.output[0] not in repeats
    }
    ends = [min(sizes), max(sizes)]
    small = sum(sizes[place] for place in ends) < _SMALL_SHARE * sum(sizes.values())
    return sorted({*range(len(nodes))} - sizes.keys()) + (ends if small else [])


def _repeating(model: onnx.ModelProto) -> set[str]:
    """Return the outputs of the convolutions that only repeat planes: 1x1, weights of 0 and 1.

    In 8 bits they would cost exactness and save nothing.
    """
    arrays = {array.name: array for array in model.graph.initializer}
    found = set()
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1] in arrays:
            kernel = onnx.numpy_helper.to_array(arrays[node.input[1]])
            if kernel.shape[2:] == (1, 1) and np.isin(kernel, (0, 1)).all():
                found.add(node.output[0])
    return found


def planes_of(picture: Picture, spec: ModelSpec) -> NDArray[np.float32]:
    """Return (1, 3, H, W) as the network takes it."""
    ordered = picture[..., ::-1] if spec.channels is Channels.BGR else picture
    planes = ordered.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    return np.ascontiguousarray(planes * np.float32(spec.value_max / 255))


def calibrate(spec: ModelSpec, graph: bytes, pictures: Path) -> dict[str, Any]:
    """Return a model's table, as it is kept in the package."""
    paths = find_pictures([pictures], exclude=sorted(RESEARCH_ONLY))
    if not paths:
        raise FileNotFoundError(f"no pictures in {pictures}")
    crops = list(sharp_crops(paths, scale=spec.scale, count=CROPS))
    inputs: list[tuple[float, float] | None] = []
    inputs += measured_ranges(graph, [planes_of(crop, spec) for crop in crops])
    for index in left_float(graph):
        inputs[index] = None
    return {"model": spec.id, "sha256": spec.file.sha256, "crops": len(crops), "inputs": inputs}


def twin_loss_db(spec: ModelSpec, graph: bytes, table: Mapping[str, Any]) -> float:
    """Return what a network's int8 twin loses on the sample pictures, in dB of PSNR-Y."""
    inputs = tuple(table["inputs"])
    twin = quantized_graph(graph, Calibration(model=spec.id, sha256="", inputs=inputs))
    score = sample_score(spec)

    def scored(data: bytes, precision: Precision) -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(data)
            with engine("openvino").open(path, spec, precision=precision, threads=2) as session:
                return score(session)

    return scored(graph, "fp32") - scored(twin, "int8")


def write_table(name: str, *, pictures: Path = PICTURES, tables: Path = CALIBRATIONS) -> str:
    """Measure an installed model, by its id, keep the table in the package, and tell what came.

    A twin that loses BUDGET_DB or more gets no table, and that of the file before goes.
    """
    spec = next(spec for spec in Catalogue.load() if spec.id == name)
    graph = ModelStore(Settings.from_environment().store).find(spec).read_bytes()
    table = calibrate(spec, graph, pictures)
    loss_db = twin_loss_db(spec, graph, table)
    path = tables / f"{name}.json"
    if abs(loss_db) >= BUDGET_DB:
        path.unlink(missing_ok=True)
        return f"{name}: no int8 twin, it would be {loss_db:.3f} dB off"
    path.write_text(entry_text(table), "utf-8")
    return f"{name}: {path.name}, the int8 twin loses {loss_db:.3f} dB"


def main() -> None:
    """Calibrate models from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", help="ids, as lite-x3; their models must be here")
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    options = parser.parse_args()
    for name in options.names:
        print(write_table(name, pictures=options.pictures))


if __name__ == "__main__":
    main()
