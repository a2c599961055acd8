"""The pictures of docs/quality.md: crops beside the truth, and PSNR against milliseconds."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from proofs.family.members import OURS, benchmark, enlarged, mean, scores
from proofs.quality import psnr_y, read_rgb
from proofs.record import ROOT
from upres.config import Settings
from upres.engines.threads import usable_cpus
from upres.engines.tune import TILE_PX, candidates, measure_together
from upres.models.catalogue import Catalogue
from upres.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.family.members import Pixels

SCALE = 3
CROPS = ROOT / "docs" / "images" / "crops.png"
PLOT = ROOT / "docs" / "images" / "psnr-ms.png"
_CHOSEN = ("fsrcnn", "edsr", *OURS)
_LEFT, _TOP, _WIDTH, _HEIGHT = 38, 22, 56, 44
"""The crop, in pixels of the small picture: the cat's eye."""
_LABEL_PX = 18
_GAP_PX = 6


def measure_crops(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Draw the crops; return each model's PSNR-Y on the whole example."""
    db = _crops(["bicubic", *_here()])
    drawn = str(CROPS.relative_to(ROOT))
    return {"psnr_y_db": db, "drawn": drawn, "passed": set(OURS) <= set(db)}


def measure_plot(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Draw the plot; return its numbers."""
    models = _here()
    small, truths = benchmark("Set5", SCALE)
    set5 = {
        name: mean(scores(_results(small, name), truths, SCALE).values())
        for name in ("bicubic", *models)
    }
    milliseconds = _milliseconds(models)
    _plot(set5, milliseconds)
    return {
        "set5_x3_psnr_y_db": set5,
        "milliseconds": milliseconds,
        "of": f"one tile of {TILE_PX} x {TILE_PX} pixels in ONNX Runtime, {usable_cpus()} threads",
        "drawn": str(PLOT.relative_to(ROOT)),
        "passed": set(OURS) <= set(set5),
    }


def _here() -> list[str]:
    """Return the models to show that there are; the bars pass when none of ours is missing."""
    there = {spec.name for spec in Catalogue.load() if spec.scale == SCALE}
    return [name for name in _CHOSEN if name in there]


def _results(small: dict[str, Pixels], model: str) -> dict[str, Pixels]:
    return enlarged(small, SCALE, "--model", model, "--precision", "fp32")[0]


def _crops(models: list[str]) -> dict[str, float]:
    """Draw one crop of the CC0 example by every model, the truth last; return each one's PSNR-Y."""
    examples = ROOT / "examples"
    small, truth = read_rgb(examples / "cat.png"), read_rgb(examples / "cat_original.png")
    pictures = {model: _results({"cat": small}, model)["cat"] for model in models}
    top, left = _TOP * SCALE, _LEFT * SCALE
    box = np.s_[top : top + _HEIGHT * SCALE, left : left + _WIDTH * SCALE]
    db = {
        model: round(psnr_y(picture, truth, border_px=SCALE), 2)
        for model, picture in pictures.items()
    }
    tiles = [(f"{model} {db[model]:.2f} dB", picture[box]) for model, picture in pictures.items()]
    _sheet([*tiles, ("truth", truth[box])]).save(CROPS)
    return db


def _sheet(tiles: list[tuple[str, Pixels]]) -> Image.Image:
    height, width = tiles[0][1].shape[:2]
    columns = -(-len(tiles) // 2)
    step = (width + _GAP_PX, height + _LABEL_PX + _GAP_PX)
    sheet = Image.new("RGB", (columns * step[0], 2 * step[1]), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_LABEL_PX - 5)
    for index, (label, pixels) in enumerate(tiles):
        x, y = index % columns * step[0], index // columns * step[1]
        pen.text((x, y), label, fill="black", font=font)
        sheet.paste(Image.fromarray(pixels), (x, y + _LABEL_PX))
    return sheet


def _milliseconds(models: list[str]) -> dict[str, float]:
    """Return the median milliseconds for one tile, all models in paired rounds."""
    workbench = Workbench(Settings.from_environment())
    entries = []
    for name in models:
        spec = workbench.catalogue.get(name, SCALE)

        def path_of(_: str, spec: Any = spec) -> Path:
            return workbench.store.find(spec)

        tried = candidates(spec, path_of=path_of, engines=("onnxruntime",), precisions=("fp32",))
        entries.append((spec, tried))
    measured = measure_together(entries, threads=usable_cpus(), rounds=3, budget_s=60, turn_s=0.5)
    return {
        name: round(1000 * median(group[0].seconds), 2)
        for name, group in zip(models, measured, strict=True)
    }


def _plot(db: dict[str, float], milliseconds: dict[str, float]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, ms in milliseconds.items():
        axes.plot(ms, db[name], "o", color="tab:red" if name in OURS else "tab:gray")
        axes.annotate(name, (ms, db[name]), (6, 3), textcoords="offset points")
    axes.axhline(db["bicubic"], linestyle=":", color="tab:gray")
    axes.annotate(
        "bicubic", (min(milliseconds.values()), db["bicubic"]), (6, 3), textcoords="offset points"
    )
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.1)  # the names lie to the right and above
    axes.set_xlabel(f"milliseconds for {TILE_PX} x {TILE_PX} pixels, ONNX Runtime")
    axes.set_ylabel("PSNR-Y on Set5 x3, dB")
    figure.savefig(PLOT, dpi=120)
    plt.close(figure)
