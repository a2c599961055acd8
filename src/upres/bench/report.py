"""What a benchmark found, as a record for programs and as tables for people."""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from itertools import groupby
from typing import TYPE_CHECKING, Any

from upres import __version__
from upres.engines.choose import cpu_name
from upres.engines.threads import usable_cpus

if TYPE_CHECKING:
    from upres.bench.comparison import Traits
    from upres.bench.quality import Quality
    from upres.bench.speed import EngineSpeed, Speed

_LIBRARIES = (
    "numpy",
    "onnxruntime",
    "opencv-contrib-python-headless",
    "openvino",
    "pyvips",
    "pyvips-binary",
)

_RULES = """PSNR-Y: BT.601 studio luma of 8-bit RGB, unrounded; "whole levels": rounded first, as
older papers have it. SSIM-Y: whole levels, 11 x 11 Gaussian window of sigma 1.5. For both, as many
pixels as the factor are cut off at every edge. ms/MP: milliseconds for a megapixel of result."""


def conditions(command: str) -> dict[str, Any]:
    """Return what a result depends on: command, versions, machine, time."""
    return {
        "command": command,
        "upres": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_name(),
            "usable_cpus": usable_cpus(),
            "system": platform.platform(),
            "python": sys.version.split()[0],
            "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
        },
    }


def quality_record(quality: Quality, *, command: str) -> dict[str, Any]:
    """Return everything of a quality run as JSON holds it, every picture's figures included."""
    return {
        **conditions(command),
        "means": [asdict(mean) for mean in quality.means()],
        "pictures": [asdict(score) for score in quality.scores],
        "own_small_pictures": [asdict(check) for check in quality.own_small],
        "notes": quality.notes,
    }


def speed_record(speed: Speed, traits: Sequence[Traits], *, command: str) -> dict[str, Any]:
    """Return everything of a speed run as JSON holds it, every round's seconds included."""
    return {**conditions(command), **asdict(speed), "models": [asdict(one) for one in traits]}


def as_json(record: dict[str, Any]) -> bytes:
    """Return a record as JSON; figures that are not finite, which JSON has not, become null."""
    text = json.dumps(_finite(record), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def quality_table(quality: Quality) -> str:
    """Return the means as Markdown, a table for each set, and how they were made."""
    parts = []
    for name, means in groupby(quality.means(), key=lambda mean: mean.set):
        rows = [
            (
                f"x{mean.scale}",
                mean.degradation,
                mean.model,
                f"{mean.psnr_y_db:.2f}",
                f"{mean.psnr_y_whole_levels_db:.2f}",
                "-" if mean.ssim_y is None else f"{mean.ssim_y:.4f}",
                f"{mean.ms_per_megapixel:.0f}",
                str(mean.pictures),
            )
            for mean in means
        ]
        head = ("factor", "reduced by", "model", "PSNR-Y", "whole levels", "SSIM-Y", "ms/MP", "n")
        parts.append(f"### {name}\n\n{_table(head, rows, words=3)}")
    return "\n\n".join([*parts, *_own_small(quality), _RULES])


def _own_small(quality: Quality) -> list[str]:
    """Say which small pictures were the folder's own, and whether ours are the same."""
    checks = quality.own_small
    if not checks:
        return []
    same = sum(not check.differing_samples for check in checks)
    worst = max(check.largest_difference for check in checks)
    verdict = "ours are the same, bit for bit"
    if same < len(checks):
        verdict = f"ours are the same in {same} cases, up to {worst} levels apart in the others"
    return [f"{len(checks)} small pictures are the folders' own (bicubic); {verdict}."]


def speed_tables(speed: Speed, traits: Sequence[Traits]) -> str:
    """Return the comparison of models and the engines' speeds as Markdown."""
    size = f"{1920 // speed.scale} x {1080 // speed.scale}"
    parts = [f"### Models, x{speed.scale}\n\n{_traits_table(traits)}"]
    if any(one.full_hd_scaled_by != 1 for one in traits):
        parts.append(
            f"~: a smaller picture than {size} was measured, its time multiplied by the pixels."
        )
    if speed.engines:
        compared = (
            f"Speeds are multiples of {speed.baseline}"
            if speed.baseline
            else ("There is nothing to compare speeds with")
        )
        tile = f"one tile of {speed.tile_px} x {speed.tile_px} pixels, {speed.threads} threads"
        parts.append(f"### Engines\n\n{_engines_table(speed.engines)}")
        parts.append(f"{compared}; {tile}; medians, lowest to highest of paired rounds.")
    return "\n\n".join(parts)


def _traits_table(traits: Sequence[Traits]) -> str:
    head = ("model", "engine", "size", "1080p result", "detail, PSNR-Y", "noise, bicubic = 1")
    rows = [
        (
            one.model,
            f"{one.engine} {one.precision}" if one.engine else "-",
            _size(one.bytes),
            f"{'~' if one.full_hd_scaled_by != 1 else ''}{one.full_hd_s:.2f} s",
            f"{one.detail_db:.2f} dB",
            f"{one.noise_gain:.2f}",
        )
        for one in traits
    ]
    return _table(head, rows, words=2)


def _engines_table(engines: Sequence[EngineSpeed]) -> str:
    head = ("model", "engine", "arithmetic", "ms", "speed", "rounds", "levels from fp32")
    rows = []
    for one in engines:
        if one.failure is not None or one.median_s is None:
            rows.append((one.model, one.engine, one.precision, "-", "-", "-", f"{one.failure}"))
            continue
        ratio = one.ratio
        rows.append(
            (
                one.model,
                one.engine,
                one.precision,
                f"{1000 * one.median_s:.1f}",
                f"{_short(ratio.median)}x" if ratio else "-",
                f"{_short(ratio.lowest)} to {_short(ratio.highest)}" if ratio else "-",
                f"{one.levels_from_fp32:.2f}",
            )
        )
    return _table(head, rows, words=3)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int) -> str:
    """Return a Markdown table, aligned for terminals; all but the first `words` are numbers."""
    lines = [head, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(head))]

    def aligned(line: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if index < words else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    rule = (
        "-" * (width + 2) if index < words else "-" * (width + 1) + ":"
        for index, width in enumerate(widths)
    )
    return "\n".join([aligned(head), f"|{'|'.join(rule)}|", *map(aligned, lines[1:])])


def _size(size: int | None) -> str:
    if size is None:
        return "-"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} KB"  # noqa: PLR2004


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"  # noqa: PLR2004


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
