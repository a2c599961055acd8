"""`photo` and `auto` on Kodak24 as people have it: compressed, shrunk without smoothing, noisy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs.family.members import benchmark, enlarged, mean, needed, scores
from upres.bench.degrade import reduced
from upres.bench.pictures import through_jpeg

if TYPE_CHECKING:
    from proofs.family.members import Pixels

SCALE = 3
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_NOISE_LEVELS = 10.0
AUTO_MAY_LOSE_DB = 0.1


def _noisy(pixels: Pixels, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, _NOISE_LEVELS, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


DAMAGES: dict[str, Callable[[Pixels, Pixels, int], Pixels]] = {
    "clean": lambda small, _, __: small,
    "jpeg40": lambda small, _, __: through_jpeg(small, quality=40),
    "jpeg80": lambda small, _, __: through_jpeg(small, quality=80),
    "cubic": lambda _, truth, __: reduced(truth, SCALE, by="cubic"),
    "noise10": lambda small, _, seed: _noisy(small, seed),
}
"""From the bicubic small picture, the truth and a seed to the damaged small picture."""


def damaged(kind: str, seed: int) -> tuple[dict[str, Pixels], dict[str, Pixels]]:
    """Return Kodak24's small pictures with one damage, and the truths."""
    small, truths = benchmark("Kodak24", SCALE)
    make = DAMAGES[kind]
    return {
        stem: make(pixels, truths[stem], seed + number)
        for number, (stem, pixels) in enumerate(small.items())
    }, truths


def _mean_db(kind: str, seed: int, *words: str) -> float:
    small, truths = damaged(kind, seed)
    results, _ = enlarged(small, SCALE, *words, "--precision", "fp32")
    return mean(scores(results, truths, SCALE).values())


def measure_photo(seed: int) -> dict[str, Any]:
    """Compare photo with bicubic, lite and edsr; edsr takes most of the time."""
    needed("photo", SCALE)
    models = {
        "clean": ("photo", "lite"),
        "jpeg40": ("photo", "bicubic", "lite", "edsr"),
        "cubic": ("photo", "bicubic"),
    }
    db = {
        kind: {model: _mean_db(kind, seed, "--model", model) for model in each}
        for kind, each in models.items()
    }
    squeezed = db["jpeg40"]
    gains = {
        "jpeg40 above bicubic": (squeezed["photo"] - squeezed["bicubic"], 0.7),
        "jpeg40 above lite": (squeezed["photo"] - squeezed["lite"], 0.4),
        "jpeg40 above edsr": (squeezed["photo"] - squeezed["edsr"], 0.4),
        "clean above lite": (db["clean"]["photo"] - db["clean"]["lite"], -1.0),
        "cubic above bicubic": (db["cubic"]["photo"] - db["cubic"]["bicubic"], 1.0),
    }
    return {
        "mean_db": db,
        "gains_db": {name: round(gain, 3) for name, (gain, _) in gains.items()},
        "at_least_db": {name: least for name, (_, least) in gains.items()},
        "passed": all(gain >= least for gain, least in gains.values()),
    }


def measure_auto(seed: int) -> dict[str, Any]:
    """Compare auto with the best fixed strength for each damage; on average it may lose 0.1 dB."""
    needed("photo", SCALE)
    found: dict[str, Any] = {}
    for kind in DAMAGES:
        fixed = {str(level): _mean_db(kind, seed, "--clean", str(level)) for level in STRENGTHS}
        auto = _mean_db(kind, seed)
        found[kind] = {"auto_db": auto, "fixed_db": fixed, "lost_db": max(fixed.values()) - auto}
    lost = mean(one["lost_db"] for one in found.values())
    return {"results": found, "mean_lost_db": lost, "passed": lost <= AUTO_MAY_LOSE_DB}
