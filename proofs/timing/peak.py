"""What this CPU can do in each arithmetic, and how much of that EDSR reaches."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from upres.config import Settings
from upres.engines import engine, wanted_file
from upres.engines.base import Precision
from upres.engines.tune import sample_tile
from upres.models.calibration import Calibration
from upres.models.quantize import quantized_graph
from upres.models.spec import Channels, ModelFile, ModelSpec
from upres.workbench import Workbench

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
CHAINS = {"peak 1x1": 1, "peak 3x3": 3}
"""Name -> side of the kernels."""
THREADS = 2
_FEATURES, _LAYERS = 256, 16
_SIDE_PX = 48
_ROUNDS = 5
_EDSR_GOP_PER_PX = 38.39e6 * 2 / 1e9
"""Two operations for each weight; EDSR's weights all meet every pixel of the input."""
_SHARE = 0.8


def measure(seed: int) -> dict[str, Any]:
    """Time plain multiplications of matrices, and EDSR x3, in turns; giga-operations a second."""
    workbench = Workbench(Settings.from_environment())
    edsr = workbench.catalogue.get("edsr", 3)
    openvino = engine("openvino")
    runs: dict[tuple[str, Precision], tuple[Callable[[], Any], float]] = dict(chains(seed))
    for precision in PRECISIONS:
        path = workbench.store.find(edsr, format=wanted_file(openvino, edsr, precision=precision))
        session = openvino.open(path, edsr, precision=precision, threads=THREADS)
        tile = sample_tile(edsr, side_px=96)
        runs[edsr.id, precision] = (_runner(session, tile), _EDSR_GOP_PER_PX * 96 * 96)
    rates = _rates(runs)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    peaks = {one: max(medians[name, one] for name in CHAINS) for one in PRECISIONS}
    shares = {one: medians[edsr.id, one] / peaks[one] for one in PRECISIONS}
    return {
        "giga-operations a second": {" ".join(name): each for name, each in rates.items()},
        "medians": {" ".join(name): each for name, each in medians.items()},
        "measured peaks": peaks,
        "edsr-x3's share of the peak": shares,
        "passed": shares["int8"] >= _SHARE,
    }


def chains(seed: int) -> Iterator[tuple[tuple[str, Precision], tuple[Callable[[], Any], float]]]:
    """Yield name and arithmetic of each chain of convolutions; what runs it, giga-operations of it.

    The faster of a precision's two is what the machine can do at most.
    """
    openvino = engine("openvino")
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            for name, kernel in CHAINS.items():
                path, spec, operations = _graph(Path(folder), kernel, precision, seed)
                session = openvino.open(path, spec, precision=precision, threads=THREADS)
                yield (name, precision), (_runner(session, _tile(seed)), operations)


def _runner(session: Any, tile: NDArray[np.float32]) -> Callable[[], Any]:
    return lambda: session.run(tile)


def _tile(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((1, 3, _SIDE_PX, _SIDE_PX), np.float32)


def _rates(
    runs: Mapping[tuple[str, Precision], tuple[Callable[[], Any], float]],
) -> dict[tuple[str, Precision], list[float]]:
    rates: dict[tuple[str, Precision], list[float]] = {name: [] for name in runs}
    for count in range(_ROUNDS + 1):
        for name, (run, operations) in runs.items():
            began_s = time.perf_counter()
            run()
            if count:
                rates[name].append(operations / (time.perf_counter() - began_s))
    return rates


def _graph(
    folder: Path, kernel: int, precision: Precision, seed: int
) -> tuple[Path, ModelSpec, float]:
    """Write a chain of square convolutions with ReLU: 1x1 are multiplications of matrices."""
    numbers = np.random.default_rng(seed)
    nodes, weights, source = [], [], "input"
    count = 0
    for layer in range(_LAYERS + 2):
        taken = 3 if layer == 0 else _FEATURES
        given = 3 if layer == _LAYERS + 1 else _FEATURES
        shape = (given, taken, kernel, kernel)
        values = numbers.normal(0, (2 / (taken * kernel**2)) ** 0.5, shape).astype(np.float32)
        count += values.size
        weights.append(numpy_helper.from_array(values, f"w{layer}"))
        pads = [kernel // 2] * 4
        nodes.append(helper.make_node("Conv", [source, f"w{layer}"], [f"c{layer}"], pads=pads))
        last = layer == _LAYERS + 1
        source = "output" if last else f"r{layer}"
        nodes.append(helper.make_node("Identity" if last else "Relu", [f"c{layer}"], [source]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"])
        for name in ("input", "output")
    ]
    graph = helper.make_graph(nodes, "peak", ends[:1], ends[1:], weights)
    opset = helper.make_opsetid("", 17)
    data = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    if precision == "int8":
        inner: list[tuple[float, float] | None] = [(0.0, 8.0)] * _LAYERS
        table = Calibration(model="peak", sha256="", inputs=(None, *inner, None))
        data = quantized_graph(data, table)
    path = folder / f"{kernel}-{precision}.onnx"
    path.write_bytes(data)
    onnx.checker.check_model(str(path))
    return path, _spec(path.name, len(data)), count * 2 * _SIDE_PX**2 / 1e9


def _spec(name: str, size: int) -> ModelSpec:
    return ModelSpec(
        name="peak",
        scale=1,
        channels=Channels.RGB,
        value_max=1.0,
        halo_px=0,
        working_bytes_per_px=1,
        licence="",
        origin="",
        file=ModelFile(name=name, bytes=size, sha256=""),
    )
