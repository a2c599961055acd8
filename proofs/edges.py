"""What networks make of a picture's edge: zeros around it, as they were trained, or a mirror."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs.quality import read_rgb
from proofs.record import SHARED
from upres.config import Settings
from upres.upscale.resample import BICUBIC, Band, resize
from upres.upscale.steps import network_function, to_planes
from upres.workbench import Runtime, Workbench

_MODELS = ("lite", "fsrcnn", "espcn")
_MARGINS_PX = (0, 4, 16)
_SCALE = 3
_BAND_PX = 12


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Score the outer 12 pixels of Set14 x3 (RGB) for mirrored margins of several widths."""
    workbench = Workbench(Settings.from_environment())
    results: dict[str, dict[str, float]] = {}
    for name in _MODELS:
        network = workbench.network(
            workbench.catalogue.get(name, _SCALE), runtime=Runtime(exact=True)
        )
        enlarge = network_function(network.spec, network.session)
        results[name] = {
            str(margin): float(np.mean([_edge_psnr(enlarge, truth, margin) for truth in _truths()]))
            for margin in _MARGINS_PX
        }
    return {"psnr_db by margin_px": results, "passed": results["lite"]["0"] > results["lite"]["16"]}


def _truths() -> list[Band]:
    pictures = [read_rgb(path) for path in sorted((SHARED / "bench/Set14/HR").glob("*.png"))]
    return [
        to_planes(picture[: len(picture) // _SCALE * _SCALE, : picture.shape[1] // _SCALE * _SCALE])
        for picture in pictures
    ]


def _edge_psnr(enlarge: Any, truth: Band, margin: int) -> float:
    height, width = truth.shape[1] // _SCALE, truth.shape[2] // _SCALE
    small = np.rint(np.clip(resize(truth, height=height, width=width, kernel=BICUBIC), 0, 1) * 255)
    around = ((0, 0), (margin, margin), (margin, margin))
    wide = np.pad((small / 255).astype(np.float32), around, mode="symmetric")
    cut = margin * _SCALE
    large = enlarge(wide)[:, cut : cut + truth.shape[1], cut : cut + truth.shape[2]]
    error = (np.clip(large, 0, 1) - truth) ** 2
    edge = np.ones(truth.shape[1:], bool)
    edge[_BAND_PX:-_BAND_PX, _BAND_PX:-_BAND_PX] = False
    return float(-10 * np.log10(error[:, edge].mean()))
