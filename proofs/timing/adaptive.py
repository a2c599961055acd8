"""What leaving flat parts to interpolation saves and costs, on Kodak24 and on photographs."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proofs.quality import psnr_y, read_rgb
from proofs.record import ROOT, SHARED
from proofs.timing.losses import kodak24, reduced
from proofs.timing.ratios import Enlarge, ratios, superres
from upres.engines.threads import usable_cpus
from upres.image.arrays import from_array, to_array
from upres.library import Upscaler
from upres.upscale.flat import Tally

_TIMES = 3.5
_MOST_DB = 0.1
_EVERY = 5
"""Every fifth picture of Kodak24 is timed: `dnn_superres` takes ten seconds for each."""
_PHOTOS = SHARED / "train/clic2025"
_PHOTO_PX = {"lite": 1000, "edsr": 320}
_PHOTO_COUNT = {"lite": 6, "edsr": 2}
_ROUNDS = 3
_WARM_PX = 64

Pixels = NDArray[np.uint8]


def _pair(model: str) -> tuple[Upscaler, Upscaler]:
    """Return a model as `auto` runs it, and without sparing; both in the same arithmetic."""
    return Upscaler.load(model, engine="openvino"), Upscaler.load(
        model, engine="openvino", exact=True
    )


def measure_speed(seed: int) -> dict[str, Any]:  # noqa: ARG001 - the pictures are fixed
    """Time edsr x3 against dnn_superres on pictures of Kodak24 made three times smaller."""
    adaptive, exact = _pair("edsr")
    ways: dict[str, Enlarge] = {"dnn_superres": superres(), "adaptive": adaptive, "exact": exact}
    pictures = {name: small for name, small, _ in list(kodak24(0, 24))[::_EVERY]}
    for enlarge in ways.values():
        enlarge(next(iter(pictures.values()))[:_WARM_PX, :_WARM_PX])
    each: dict[str, dict[str, Any]] = {}
    for name, small in pictures.items():
        seconds = {way: [_seconds(enlarge, small)] for way, enlarge in ways.items()}
        found = ratios(seconds, base="dnn_superres")
        each[name] = {
            "seconds": {way: one for way, (one,) in seconds.items()},
            "times as fast as dnn_superres": {way: one["median"] for way, one in found.items()},
        }
    medians = {
        way: statistics.median(one["times as fast as dnn_superres"][way] for one in each.values())
        for way in ("adaptive", "exact")
    }
    return {
        "threads": usable_cpus(),
        "pictures": each,
        "medians": medians,
        "wanted": _TIMES,
        "passed": medians["adaptive"] >= _TIMES,
    }


def _seconds(enlarge: Enlarge, picture: Pixels) -> float:
    began_s = time.perf_counter()
    enlarge(picture)
    return time.perf_counter() - began_s


def measure_kodak24(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Score all of Kodak24 at x3 with and without sparing; fp32's scores are those proved before.

    Also: what share of the pictures is interpolated, and what the network still computes.
    """
    models = {}
    for model in ("edsr", "lite"):
        adaptive, exact = _pair(model)
        models[model] = _scored(adaptive, exact)
    fp32 = _proved_fp32()
    edsr = models["edsr"]["pictures"]
    loss = fp32 - statistics.fmean(one["adaptive_db"] for one in edsr.values())
    return {
        "models": models,
        "edsr in fp32, mean_db": fp32,
        "edsr's loss against fp32, db": loss,
        "most_db": _MOST_DB,
        "passed": loss <= _MOST_DB
        and all(one["largest_loss_db"] <= _MOST_DB for one in models.values()),
    }


def _scored(adaptive: Upscaler, exact: Upscaler) -> dict[str, Any]:
    pictures = {}
    for name, small, truth in kodak24(0, 24):
        spared, tally = _spared(adaptive, small)
        scores = [psnr_y(one, truth, border_px=3) for one in (exact(small), spared)]
        pictures[name] = {
            "exact_db": scores[0],
            "adaptive_db": scores[1],
            "interpolated": round(tally.share, 4),
        }
    losses = [one["exact_db"] - one["adaptive_db"] for one in pictures.values()]
    return {
        "pictures": pictures,
        "mean_loss_db": statistics.fmean(losses),
        "largest_loss_db": max(losses),
        "mean_interpolated": statistics.fmean(one["interpolated"] for one in pictures.values()),
    }


def _spared(upscaler: Upscaler, pixels: Pixels) -> tuple[Pixels, Tally]:
    tally = Tally()
    return to_array(upscaler.picture(from_array(pixels), tally=tally), like=pixels), tally


def _proved_fp32() -> float:
    """Return edsr's mean score in fp32 from the proofs of int8's loss."""
    scores: list[float] = []
    for part in (1, 2):
        path = ROOT / f"proofs/speed/edsr-loss-kodak24-{part}.json"
        numbers = json.loads(path.read_text("utf-8"))["numbers"]
        scores += numbers["models"]["edsr"]["psnr_y_db"]["fp32"].values()
    return statistics.fmean(scores)


def measure_photos(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Enlarge the middle of photographs, with and without sparing, in turns; then made smaller.

    As they are there is no truth to compare with: the difference is in levels.
    """
    models = {}
    files = sorted(_PHOTOS.glob("*.jpg"))
    for model, side in _PHOTO_PX.items():
        adaptive, exact = _pair(model)
        chosen = files[:: len(files) // _PHOTO_COUNT[model]][: _PHOTO_COUNT[model]]
        rows = {path.stem[:12]: _photo(path, side, adaptive, exact) for path in chosen}
        models[model] = {
            "side_px": side,
            "photographs": rows,
            "median_times_as_fast": statistics.median(
                one["times_as_fast"] for one in rows.values()
            ),
            "mean_interpolated": statistics.fmean(one["interpolated"] for one in rows.values()),
            "mean_loss_db_made_smaller": statistics.fmean(
                one["loss_db_made_smaller"] for one in rows.values()
            ),
        }
    return {
        "models": models,
        "passed": all(
            one["loss_db_made_smaller"] <= _MOST_DB
            for model in models.values()
            for one in model["photographs"].values()
        ),
    }


def _photo(path: Path, side: int, adaptive: Upscaler, exact: Upscaler) -> dict[str, Any]:
    whole = read_rgb(path)
    top, left = (max(0, length - side) // 2 for length in whole.shape[:2])
    picture = np.ascontiguousarray(whole[top : top + side, left : left + side])
    seconds: dict[str, list[float]] = {"exact": [], "adaptive": []}
    for count in range(_ROUNDS + 1):
        for way, run in (("exact", exact), ("adaptive", adaptive)):
            began_s = time.perf_counter()
            run(picture)
            if count:
                seconds[way].append(time.perf_counter() - began_s)
    spared, tally = _spared(adaptive, picture)
    difference = spared.astype(np.int16) - exact(picture)
    small, truth = reduced(picture)
    scores = [psnr_y(run(small), truth, border_px=3) for run in (exact, adaptive)]
    each = [slow / fast for slow, fast in zip(*seconds.values(), strict=True)]
    return {
        "seconds": seconds,
        "times_as_fast": statistics.median(each),
        "interpolated": round(tally.share, 4),
        "network_px_for_each": round(tally.network / tally.pixels, 3),
        "rms_levels": float(np.sqrt(np.mean(difference.astype(np.float64) ** 2))),
        "loss_db_made_smaller": scores[0] - scores[1],
    }
