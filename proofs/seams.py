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

_TILE_PX = 96
_HEIGHT_PX, _WIDTH_PX = 100, 107
"""No listed sides, so that the extension at the right and lower edge is part of it."""
_SEAM_LEVELS = 0.25
"""How much larger the mean step across a tile border may be than untiled at the same place."""


def measure(seed: int) -> dict[str, Any]:
    """Enlarge five pictures tile by tile and in one piece with every installed model."""
    workbench = Workbench(Settings.from_environment())
    shipped = list(Catalogue.load())
    missing = [spec.id for spec in shipped if not workbench.store.installed(spec)]
    results: dict[str, Any] = {}
    for spec in shipped:
        if spec.id in missing:
            continue
        network = workbench.network(spec, runtime=Runtime(precision="fp32"))
        results[spec.id] = compared(network, seed)
    passed = bool(results) and all(map(seamless, results.values()))
    return {
        "tile_px": _TILE_PX,
        "results": results,
        "not_installed": missing,
        "passed": passed and not missing,
    }


def compared(network: Network, seed: int) -> dict[str, dict[str, float]]:
    """Enlarge five pictures tile by tile and in one piece; return how far apart they are."""
    return {name: _compare(network, pixels) for name, pixels in _pictures(seed).items()}


def seamless(found: dict[str, dict[str, float]]) -> bool:
    """Tell whether what `compared` returned holds the bar."""
    return all(
        one["max_levels"] <= 1 and one["seam_levels"] <= _SEAM_LEVELS and one["tiles"] > 1
        for one in found.values()
    )


def _pictures(seed: int) -> dict[str, NDArray[np.uint8]]:
    size = (_HEIGHT_PX, _WIDTH_PX, 3)
    return {
        "noise": np.random.default_rng(seed).integers(0, 256, size, np.uint8),
        "text": sample("text")[:_HEIGHT_PX, :_WIDTH_PX],
        "photo": sample("photo")[-_HEIGHT_PX:, -_WIDTH_PX:],
        "gray": np.full(size, 128, np.uint8),
        "white": np.full(size, 255, np.uint8),
    }


def _compare(network: Network, pixels: NDArray[np.uint8]) -> dict[str, float]:
    spec = network.spec
    height, width = pixels.shape[:2]
    tiled = plan_tiles(width, height, halo_px=spec.halo_px, budget_px=_TILE_PX**2)
    first, second = (
        enlarge_picture(
            Picture(pixels=pixels),
            network,
            width=width * spec.scale,
            height=height * spec.scale,
            options=Options(),
            plan=plan,
        ).pixels.astype(np.int16)
        for plan in (tiled, whole_plan(width, height))
    )
    rows = [step.inner.start * spec.scale for step in tiled.rows[1:]]
    columns = [step.inner.start * spec.scale for step in tiled.columns[1:]]
    seams = [
        _step_across(first, at, axis=axis) - _step_across(second, at, axis=axis)
        for axis, borders in ((0, rows), (1, columns))
        for at in borders
    ]
    return {
        "tiles": tiled.tiles,
        "max_levels": int(np.abs(first - second).max()),
        "seam_levels": float(max(seams, default=0)),
    }


def _step_across(pixels: NDArray[np.int16], at: int, *, axis: int) -> float:
    """Mean step between the last line before a border and the first behind it, in levels."""
    behind, before = pixels.take(at, axis), pixels.take(at - 1, axis)
    return float(np.abs(behind - before).mean())
