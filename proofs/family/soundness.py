"""What every model of ours must keep: no seams, engines agreed, constants and colours in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from proofs import seams
from proofs.family.members import benchmark, enlarged, mean, not_shipped, scores, shipped
from upres.config import Settings
from upres.engines import ENGINE_NAMES
from upres.models.blend import between
from upres.models.catalogue import Catalogue
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from proofs.family.members import Pixels

MAY_DIFFER_DB = 0.01
MAY_SHIFT_LEVELS = 0.3
_COLOURS = [(v, v, v) for v in (0, 1, 16, 64, 128, 200, 254, 255)] + [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
    (12, 130, 201),
]
_FAMILY_BYTES = 16_000_000


def measure_tiles(seed: int) -> dict[str, Any]:
    """Tile five pictures with every model of ours, and with blends where there are any."""
    workbench = Workbench(Settings.from_environment())
    specs = shipped()
    catalogue = Catalogue.load()
    if catalogue.has_strengths():
        pairs = {*catalogue.scales("lite")} & {*catalogue.scales("photo")}
        specs += [
            between(catalogue.get("lite", scale), catalogue.get("photo", scale), 0.5)
            for scale in sorted(pairs)
        ]
    results = {
        spec.id: seams.compared(workbench.network(spec, runtime=Runtime(precision="fp32")), seed)
        for spec in specs
    }
    return {
        "results": results,
        "missing": not_shipped(),
        "passed": bool(results) and all(map(seams.seamless, results.values())),
    }


def measure_engines(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Score Set5 with every engine in fp32, through the command."""
    found: dict[str, dict[str, float]] = {}
    for spec in shipped():
        if spec.scale == 1:
            continue
        small, truths = benchmark("Set5", spec.scale)
        found[spec.id] = {}
        for engine in ENGINE_NAMES:
            words = ("--model", spec.id, "--engine", engine, "--precision", "fp32")
            results, _ = enlarged(small, spec.scale, *words)
            found[spec.id][engine] = mean(scores(results, truths, spec.scale).values())
    apart = {name: max(each.values()) - min(each.values()) for name, each in found.items()}
    agreed = all(value <= MAY_DIFFER_DB for value in apart.values())
    return {
        "mean_db": found,
        "apart_db": apart,
        "missing": not_shipped(),
        "passed": agreed and bool(found),
    }


def measure_constants(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Enlarge pictures of one colour: white stays 255, others within one level."""
    found = {}
    for spec in shipped():
        pictures = {
            f"{index:02d}": np.full((40, 52, 3), colour, np.uint8)
            for index, colour in enumerate(_COLOURS)
        }
        results, _ = enlarged(pictures, spec.scale, "--model", spec.id, "--precision", "fp32")
        found[spec.id] = {
            str(colour): int(np.abs(results[f"{index:02d}"].astype(int) - colour).max())
            for index, colour in enumerate(_COLOURS)
        }
    white = str((255, 255, 255))
    kept = all(each[white] == 0 and max(each.values()) <= 1 for each in found.values())
    return {"max_levels_off": found, "missing": not_shipped(), "passed": kept and bool(found)}


def measure_colours(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Compare each channel's mean over clean Kodak24 with the small picture's."""
    found = {}
    for spec in shipped():
        small, _ = benchmark("Kodak24", max(2, spec.scale))
        results, _ = enlarged(small, spec.scale, "--model", spec.id, "--precision", "fp32")
        shifts = np.array(
            [_channel_means(results[stem]) - _channel_means(small[stem]) for stem in small]
        )
        found[spec.id] = {
            "mean_shift_levels": np.abs(shifts).mean(0).round(4).tolist(),
            "largest_shift_levels": round(float(np.abs(shifts).max()), 4),
        }
    kept = all(max(one["mean_shift_levels"]) < MAY_SHIFT_LEVELS for one in found.values())
    return {"results": found, "missing": not_shipped(), "passed": kept and bool(found)}


def _channel_means(pixels: Pixels) -> Any:
    return pixels.mean((0, 1), dtype=np.float64)


def measure_weight(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Sum the files, count the parameters."""
    limits = {"fast": 65_000, "lite": 600_000, "photo": 600_000}
    specs = shipped()
    total = sum(spec.file.bytes for spec in specs)
    small = all((spec.parameters or 0) <= limits[spec.name] for spec in specs)
    return {
        "bytes": {spec.id: spec.file.bytes for spec in specs},
        "parameters": {spec.id: spec.parameters for spec in specs},
        "total_bytes": total,
        "missing": not_shipped(),
        "passed": small and total <= _FAMILY_BYTES and bool(specs),
    }
