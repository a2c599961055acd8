"""Old photographs: noise of flat areas after `auto`, against bicubic's, and a sheet to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from proofs.family.members import enlarged, mean, needed
from proofs.quality import read_rgb
from proofs.record import ROOT, SHARED
from upres.bench.scores import flat_noise

if TYPE_CHECKING:
    from proofs.family.members import Pixels

SCALE = 3
SHEET = ROOT / "proofs" / "models" / "old-photographs.jpg"
METHODS = {
    "bicubic": ("--model", "bicubic"),
    "edsr": ("--model", "edsr"),  # in int8 where that is quicker: in fp32 it takes minutes a piece
    "lite": ("--model", "lite", "--precision", "fp32"),
    "photo": ("--model", "photo", "--precision", "fp32"),
    "auto": (),  # as it is run: a weak strength leaves flat parts to bicubic interpolation
}
_LARGEST_PX = 400
"""Of a side: the middle of larger photographs is looked at, so that edsr takes minutes."""
_CROP_PX = 64
_GAP_PX = 4


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Enlarge every old photograph by every method."""
    needed("photo", SCALE)
    pictures = {path.stem: _middle(read_rgb(path)) for path in _photographs()}
    results: dict[str, dict[str, Pixels]] = {}
    choices: dict[str, Any] = {}
    for name, words in METHODS.items():
        results[name], told = enlarged(pictures, SCALE, *words)
        if name == "auto":
            choices = {stem: [one["clean"], one["reason"]] for stem, one in told.items()}
    noise = {
        stem: {name: round(flat_noise(results[name][stem], small), 3) for name in METHODS}
        for stem, small in pictures.items()
    }
    _draw(pictures, results)
    return {
        "flat_noise_levels": noise,
        "auto_chose": choices,
        "mean_noise_levels": {
            name: mean(each[name] for each in noise.values()) for name in METHODS
        },
        "contact_sheet": str(SHEET.relative_to(ROOT)),
        "passed": all(each["auto"] <= each["bicubic"] for each in noise.values()),
    }


def _photographs() -> list[Path]:
    real = SHARED / "real"
    return sorted(real.glob("BOPB-old/*.png")) + sorted(real.glob("RealSRSet+5/oldphoto*.png"))


def _middle(pixels: Pixels) -> Pixels:
    top, left = (max(0, (side - _LARGEST_PX) // 2) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + _LARGEST_PX, left : left + _LARGEST_PX])


def _draw(pictures: dict[str, Pixels], results: dict[str, dict[str, Pixels]]) -> None:
    """Put a small crop of every photograph in a row, every method in a column."""
    side = _CROP_PX * SCALE
    step = side + _GAP_PX
    sheet = np.full((step * len(pictures), step * len(METHODS), 3), 255, np.uint8)
    for row, (stem, small) in enumerate(pictures.items()):
        top, left = ((size - _CROP_PX) // 2 * SCALE for size in small.shape[:2])
        for column, name in enumerate(METHODS):
            crop = results[name][stem][top : top + side, left : left + side]
            place = sheet[row * step : row * step + side, column * step : column * step + side]
            place[: crop.shape[0], : crop.shape[1]] = crop
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(SHEET, quality=85)
