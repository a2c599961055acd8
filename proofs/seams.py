"""Tiled against untiled on every model, and a look for seams in flat and noisy pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upres.config import Settings
from upres.image.picture import Picture
from upres.models.catalogue import Catalogue
from upres.models.probe import sample
from upres.upscale.tiles import plan_tiles, whole_plan
from upres.upscale.upscaler import Network, Options, enlarge_picture
from upres.workbench import Runtime, Workbench

_TILE_PX = 112
_SEAM_LEVELS = 0.25
"""Mean step across tile borders may differ by this much from the mean step elsewhere."""


def measure(seed: int) -> dict[str, Any]:
    """Enlarge four pictures tile by tile and in one piece with every installed model."""
    workbench = Workbench(Settings.from_environment())
    shipped = list(Catalogue.load())
    missing = [spec.id for spec in shipped if not workbench.store.installed(spec)]
    results: dict[str, Any] = {}
    for spec in shipped:
        if spec.id in missing:
            continue
        network = workbench.network(spec, runtime=Runtime(precision="fp32"))
        results[spec.id] = {
            name: _compare(network, pixels) for name, pixels in _pictures(seed).items()
        }
    passed = bool(results) and all(
        one["max_levels"] <= 1 and one["seam_levels"] <= _SEAM_LEVELS
        for each in results.values()
        for one in each.values()
    )
    return {
        "tile_px": _TILE_PX,
        "results": results,
        "not_installed": missing,
        "passed": passed and not missing,
    }


def _pictures(seed: int) -> dict[str, NDArray[np.uint8]]:
    noise = np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8)
    return {
        "noise": noise,
        "text": sample("text"),
        "photo": sample("photo"),
        "flat": np.full((128, 128, 3), 128, np.uint8),
    }


def _compare(network: Network, pixels: NDArray[np.uint8]) -> dict[str, float]:
    spec = network.spec
    height, width = pixels.shape[:2]
    tiled = plan_tiles(width, height, halo_px=spec.halo_px, budget_px=_TILE_PX**2)
    whole = whole_plan(width, height)
    first, second = (
        enlarge_picture(
            Picture(pixels=pixels),
            network,
            width=width * spec.scale,
            height=height * spec.scale,
            options=Options(),
            plan=plan,
        ).pixels.astype(np.int16)
        for plan in (tiled, whole)
    )
    borders = [step.inner.start * spec.scale for step in tiled.columns[1:]]
    steps = np.abs(np.diff(first - second, axis=1)).mean((0, 2))
    return {
        "tiles": tiled.tiles,
        "max_levels": int(np.abs(first - second).max()),
        "seam_levels": float(np.mean([steps[at - 1] for at in borders])),
    }
