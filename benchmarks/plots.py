"""Draws what the benchmarks wrote into proofs/speed/, for the pages in docs/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
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
    axes = figure.add_subplot()
    rows = numbers["rows"]
    names = [f"{row['network']} {row['arithmetic']}" for row in rows]
    axes.barh(names, [row["median_giga_operations_per_s"] for row in rows])
    for place, row in enumerate(rows):
        share = f" {row['share_of_peak']:.0%}"
        axes.text(row["median_giga_operations_per_s"], place, share, va="center")
    axes.set_xlabel("giga-operations a second, and share of the peak in the same arithmetic")
    axes.invert_yaxis()
    axes.margins(x=0.12)


def _pixels(figure: Figure, numbers: dict[str, Any]) -> None:
    time_axes, memory_axes = figure.subplots(1, 2)
    files = numbers["files"]
    sizes = [row["megapixels"] for row in files]
    arrays = numbers["arrays_seconds"]
    medians = [sorted(each)[len(each) // 2] for each in arrays.values()]
    time_axes.plot([int(size) for size in arrays], medians, "o-", label="array, warm")
    time_axes.plot(sizes, [row["seconds"] for row in files], "s-", label="JPEG file, command")
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
        for row in numbers["rows"]:
            if row["scale"] == scale:
                place = (row["median_s"], row["psnr_y_db"])
                axes.plot(*place, "o" if row["program"].startswith("upres") else "x", color="C0")
                name = row["program"].removesuffix(" (tfjs-wasm)").removesuffix(" (CPU)")
                axes.annotate(name, place, (4, 4), textcoords="offset points", fontsize=7)
        axes.set_xscale("log")
        axes.set_xlabel(f"seconds for Set5 x{scale}")
        axes.set_ylabel("PSNR-Y, dB")
        axes.grid(visible=True, alpha=0.3)
        axes.margins(x=0.3)
