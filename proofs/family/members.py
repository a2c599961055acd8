"""Which models of ours ship, and running them as people do: through the command."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from proofs.quality import psnr_y, read_rgb
from proofs.record import SHARED
from upres.bench.degrade import modcrop, reduced
from upres.models.catalogue import Catalogue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.models.spec import ModelSpec

    Pixels = NDArray[np.uint8]

OURS = ("fast", "lite", "photo")
SCALES = (2, 3, 4)


class Missing(LookupError):
    """A model that a bar is about does not ship yet."""


def needed(name: str, scale: int) -> ModelSpec:
    """Return one of our models; raises Missing, which fails the bar with that word."""
    for spec in Catalogue.load():
        if (spec.name, spec.scale) == (name, scale):
            return spec
    raise Missing(f"{name} x{scale} does not ship yet")


def shipped() -> list[ModelSpec]:
    """Return every model of ours that ships."""
    return [spec for spec in Catalogue.load() if spec.name in OURS]


def not_shipped(names: Iterable[str] = OURS) -> list[str]:
    """Return which of x2, x3 and x4 are missing, by id."""
    here = {spec.id for spec in shipped()}
    return [
        f"{name}-x{scale}" for name in names for scale in SCALES if f"{name}-x{scale}" not in here
    ]


def enlarged(
    pictures: Mapping[str, Pixels], scale: int, *words: str
) -> tuple[dict[str, Pixels], dict[str, Any]]:
    """Enlarge pictures by `upres enlarge`; return results, and what `--json` said, by name."""
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "small", Path(name) / "large"
        source.mkdir()
        for stem, pixels in pictures.items():
            Image.fromarray(pixels).save(source / f"{stem}.png")
        command = [sys.executable, "-m", "upres", "enlarge", str(source), "-o", f"{target}/"]
        command += ["--scale", str(scale), "--format", "png", "--json", *words]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(run.stderr.strip() or run.stdout.strip())
        told = {Path(one["input"]).stem: one for one in map(json.loads, run.stdout.splitlines())}
        return {stem: read_rgb(Path(one["output"])) for stem, one in told.items()}, told


def benchmark(name: str, scale: int) -> tuple[dict[str, Pixels], dict[str, Pixels]]:
    """Return a set's small pictures and truths; MATLAB's bicubic, its own where it brings them."""
    truths = {
        path.stem: read_rgb(path) for path in sorted((SHARED / "bench" / name / "HR").glob("*"))
    }
    own = SHARED / "bench" / name / "LR_bicubic" / f"X{scale}"
    if own.is_dir():
        return {stem: read_rgb(own / f"{stem}x{scale}.png") for stem in truths}, truths
    cut = {stem: modcrop(pixels, scale) for stem, pixels in truths.items()}
    return {stem: reduced(pixels, scale, by="bicubic") for stem, pixels in cut.items()}, cut


def scores(
    results: Mapping[str, Pixels], truths: Mapping[str, Pixels], scale: int
) -> dict[str, float]:
    """Return PSNR-Y in dB by name; a border of `scale` pixels is cut."""
    return {stem: psnr_y(result, truths[stem], border_px=scale) for stem, result in results.items()}


def mean(values: Iterable[float]) -> float:
    """Return the mean, rounded to a thousandth."""
    return round(float(np.mean(list(values))), 3)
