"""How many times faster upres is than EDSR in OpenCV's dnn_superres, in paired rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from proofs.quality import read_rgb
from proofs.record import SHARED
from upres.config import Settings
from upres.engines.threads import usable_cpus
from upres.errors import UnknownModel
from upres.library import Upscaler
from upres.workbench import Workbench

PHOTO = SHARED / "bench/Kodak24/HR/kodim19.png"
PAIRS = 5
_EDSR_TIMES = 2.5
_FAMILY_TIMES = {"lite": 120.0, "fast": 700.0}
_MEGAPIXEL_PX = 1000
"""Side of the picture that the small models get."""
_TURN_S = 0.4

Enlarge = Callable[[NDArray[np.uint8]], Any]


def photo(width: int, height: int) -> NDArray[np.uint8]:
    """Return that much of a photograph, mirrored at its edges where it is too small."""
    picture = read_rgb(PHOTO)
    rows, columns = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    wide = np.pad(picture, ((0, rows), (0, columns), (0, 0)), mode="reflect")
    return np.ascontiguousarray(wide[:height, :width])


def superres() -> Enlarge:
    """Return EDSR x3 as OpenCV's users run it: dnn_superres, which takes the classic engine."""
    workbench = Workbench(Settings.from_environment())
    path = workbench.store.find(workbench.catalogue.get("edsr", 3), format="pb")
    cv2.setNumThreads(usable_cpus())
    module: Any = cv2.dnn_superres  # its stubs do not know what is in it
    network = module.DnnSuperResImpl_create()
    network.readModel(str(path))
    network.setModel("edsr", 3)
    upsample: Enlarge = network.upsample
    return upsample


def paired(
    runs: Mapping[str, tuple[Enlarge, NDArray[np.uint8]]], *, pairs: int
) -> dict[str, list[float]]:
    """Return seconds for a million input pixels of each, in rounds A B A B, after one each."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(pairs + 1):
        for name, (enlarge, picture) in runs.items():
            spent_s, times, began_s = 0.0, 0, time.perf_counter()
            while not times or spent_s < _TURN_S:
                enlarge(picture)
                times, spent_s = times + 1, time.perf_counter() - began_s
            if count:
                pixels = picture.shape[0] * picture.shape[1]
                seconds[name].append(spent_s / times / pixels * 1e6)
    return seconds


def ratios(seconds: dict[str, list[float]], *, base: str) -> dict[str, Any]:
    """Return how many times faster each is than `base`: every pair, and the median."""
    found = {}
    for name, own in seconds.items():
        each = [theirs / mine for theirs, mine in zip(seconds[base], own, strict=True)]
        found[name] = {
            "median": round(statistics.median(each), 3),
            "pairs": [round(one, 3) for one in each],
        }
    return found


def measure_engines(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the picture is fixed
    """Find OpenCV's best: dnn_superres, and the converted graph in its two engines."""
    workbench = Workbench(Settings.from_environment())
    path = str(workbench.store.find(workbench.catalogue.get("edsr", 3)))
    picture = photo(150, 100)
    runs: dict[str, tuple[Enlarge, NDArray[np.uint8]]] = {"dnn_superres": (superres(), picture)}
    for name, kind in (("classic", cv2.dnn.ENGINE_CLASSIC), ("new", cv2.dnn.ENGINE_NEW)):
        runs[f"ONNX, {name} engine"] = (_graph(cv2.dnn.readNetFromONNX(path, engine=kind)), picture)
    seconds = paired(runs, pairs=3)
    found = ratios(seconds, base="dnn_superres")
    best = max(one["median"] for one in found.values())
    return {
        "seconds for a megapixel": seconds,
        "times as fast as dnn_superres": found,
        "best setting's advantage over dnn_superres": best,
        "passed": True,
    }


def _graph(net: Any) -> Enlarge:
    def run(picture: NDArray[np.uint8]) -> Any:
        net.setInput(cv2.dnn.blobFromImage(picture))
        return net.forward()

    return run


def measure_edsr(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the picture is fixed
    """Time EDSR x3 in int8 against dnn_superres on 300 x 200 pixels, array in to array out."""
    picture = photo(300, 200)
    upscaler = Upscaler.load("edsr", engine="openvino", precision="int8")
    return _verdict(
        paired({"dnn_superres": (superres(), picture), "int8": (upscaler, picture)}, pairs=PAIRS),
        wanted={"int8": _EDSR_TIMES},
    )


def measure_family(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the picture is fixed
    """Time lite and fast x3 on a megapixel against dnn_superres on 300 x 200 pixels."""
    runs: dict[str, tuple[Enlarge, NDArray[np.uint8]]] = {
        "dnn_superres": (superres(), photo(300, 200))
    }
    large = photo(_MEGAPIXEL_PX, _MEGAPIXEL_PX)
    for name in _FAMILY_TIMES:
        try:
            upscaler = Upscaler.load(name, engine="openvino", precision="int8")
        except UnknownModel:
            continue
        runs[name] = (upscaler, large)
    return _verdict(paired(runs, pairs=PAIRS), wanted=_FAMILY_TIMES)


def _verdict(seconds: dict[str, list[float]], *, wanted: dict[str, float]) -> dict[str, Any]:
    found = ratios(seconds, base="dnn_superres")
    return {
        "threads": usable_cpus(),
        "seconds for a megapixel": seconds,
        "times as fast as dnn_superres": found,
        "wanted": wanted,
        "missing models": sorted(set(wanted) - set(found)),
        "passed": all(
            name in found and found[name]["median"] >= least for name, least in wanted.items()
        ),
    }
