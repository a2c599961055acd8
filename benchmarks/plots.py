"""Draws what the benchmarks wrote into proofs/speed/, for the pages in docs/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

_DPI = 110


def draw(folder: Path, images: Path) -> Iterator[Path]:
    """Draw every JSON file that is there; yields the PNG files."""
    for name, drawing in {"roofline": _roofline, "pixels": _pixels, "peers": _peers}.items():
        source = folder / f"{name}.json"
        if not source.exists():
            continue
        numbers = json.loads(source.read_text("utf-8"))["numbers"]
        if "error" in numbers:
            continue
        figure = Figure(figsize=(10, 5), layout="constrained")
        drawing(figure, numbers)
        path = images / f"bench-{name}.png"
        figure.savefig(path, dpi=_DPI)
        yield path


def _roofline(figure: Figure, numbers: dict[str, Any]) -> None:
    """Draw a column for each arithmetic: what networks reach, and the peak as a line."""
    rows = {(row["network"], row["arithmetic"]): row for row in numbers["rows"]}
    rates = {key: row["median_giga_operations_per_s"] for key, row in rows.items()}
    networks = list(dict.fromkeys(name for name, _ in rates if not name.startswith("peak")))
    kinds = list(dict.fromkeys(kind for _, kind in rates))
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True), kinds, strict=True):
        peak = max(
            rate for (name, own), rate in rates.items() if own == kind and name.startswith("peak")
        )
        reached = [rates.get((name, kind), 0) for name in networks]
        axes.barh(networks, reached)
        for place, name in enumerate(networks):
            if (name, kind) in rows:
                share = f"{rows[name, kind]['share_of_peak']:.0%} "
                axes.text(reached[place], place, share, va="center", ha="right", color="white")
            else:
                axes.text(0, place, " not quantized", va="center")
        axes.axvline(peak, color="C3", linestyle="--")
        axes.set_title(f"{kind}: at most {peak:,.0f}")
        axes.set_xlabel("giga-operations a second")
        axes.set_xlim(0, 1.1 * peak)
    axes.invert_yaxis()


def _pixels(figure: Figure, numbers: dict[str, Any]) -> None:
    time_axes, memory_axes = figure.subplots(1, 2)
    files = numbers["files"]
    sizes = [row["megapixels"] for row in files]
    arrays = numbers["arrays_seconds"]
    medians = [sorted(each)[len(each) // 2] for each in arrays.values()]
    time_axes.plot([int(size) for size in arrays], medians, "o-", label="array, warm, fp32")
    time_axes.plot(sizes, [row["seconds"] for row in files], "s-", label="JPEG file, command, auto")
    time_axes.set_ylabel(f"seconds, {numbers['model']}")
    time_axes.legend()
    memory_axes.plot(sizes, [row["peak_mb"] for row in files], "s-")
    memory_axes.set_ylabel("peak memory of the command, MB")
    for axes in (time_axes, memory_axes):
        axes.set_xlabel("megapixels of the input")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)


def _peers(figure: Figure, numbers: dict[str, Any]) -> None:
    for axes, scale in zip(figure.subplots(1, 2), (2, 3), strict=True):
        rows = [row for row in numbers["rows"] if row["scale"] == scale]
        middle = median(row["median_s"] for row in rows)
        for row in rows:
            place = (row["median_s"], row["psnr_y_db"])
            ours = row["program"].startswith("upres")
            axes.plot(*place, "o" if ours else "x", color="C0")
            name = row["program"].removesuffix(" (tfjs-wasm)").removesuffix(" (CPU)")
            # towards the middle, so that no name leaves the picture
            across, side = (-5, "right") if row["median_s"] > middle else (5, "left")
            shift = (across, 5 if ours else -11)
            axes.annotate(name, place, shift, textcoords="offset points", ha=side, fontsize=7)
        axes.set_xscale("log")
        axes.set_xlabel(f"seconds for Set5 x{scale}")
        axes.set_ylabel("PSNR-Y, dB")
        axes.grid(visible=True, alpha=0.3)
        axes.margins(x=0.3)
