"""Draws what a benchmark found, with matplotlib, which comes with the extra `upres[bench]`."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from upres.errors import InvalidOption, OutputNotWritable
from upres.image.files import complete_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from upres.bench.comparison import Traits
    from upres.bench.quality import Mean
    from upres.bench.speed import Speed

_DPI = 150
_SHAPES = {"bicubic": "o", "area": "^", "cubic": "v", "jpeg": "x"}


def check_can_plot(folder: Path) -> None:
    """Make the folder for plots; raises InvalidOption without matplotlib, OutputNotWritable."""
    if find_spec("matplotlib") is None:
        raise InvalidOption(
            "--plots", str(folder), "matplotlib to be there; run `pip install 'upres[bench]'`"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(folder, (error.strerror or str(error)).lower()) from error


def plot_quality(means: Sequence[Mean], folder: Path) -> list[Path]:
    """Draw PSNR by model and degradation, and PSNR against time, for each set and factor.

    Returns the PNG files. Raises OutputNotWritable and DiskFull.
    """
    files = []
    for (name, scale), group in groupby(means, key=lambda mean: (mean.set, mean.scale)):
        part = list(group)
        title, stem = f"{name}, x{scale}", f"{Path(name).name}-x{scale}"
        figure, axes = _figure(title)
        _bars(axes, part)
        files.append(_saved(figure, folder / f"psnr-{stem}.png"))
        figure, axes = _figure(title)
        _against_time(axes, part)
        files.append(_saved(figure, folder / f"time-{stem}.png"))
    return files


def plot_speed(speed: Speed, traits: Sequence[Traits], folder: Path) -> list[Path]:
    """Draw the engines' speeds, and detail against the time for a 1080p result.

    Returns the PNG files. Raises OutputNotWritable and DiskFull.
    """
    figure, axes = _figure(f"Models, x{speed.scale}")
    for one in traits:
        axes.plot(one.full_hd_s, one.detail_db, "o")
        axes.annotate(one.model, (one.full_hd_s, one.detail_db), (5, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_xlabel("seconds for a 1080p result")
    axes.set_ylabel("PSNR-Y, dB")
    files = [_saved(figure, folder / f"models-x{speed.scale}.png")]
    rows = [(one, one.ratio.median) for one in speed.engines if one.ratio is not None]
    if rows:
        figure, axes = _figure(f"Speed, multiples of {speed.baseline}")
        names = [f"{one.model} {one.engine} {one.precision}" for one, _ in rows]
        axes.barh(names, [ratio for _, ratio in rows])
        axes.set_xscale("log")
        axes.invert_yaxis()
        files.append(_saved(figure, folder / f"engines-x{speed.scale}.png"))
    return files


def _bars(axes: Axes, means: Sequence[Mean]) -> None:
    """Draw a group of bars for each degradation, a bar for each model."""
    degradations = list(dict.fromkeys(mean.degradation for mean in means))
    models = list(dict.fromkeys(mean.model for mean in means))
    width = 0.8 / len(models)
    for index, model in enumerate(models):
        own = [mean for mean in means if mean.model == model]
        middle = width * (index - (len(models) - 1) / 2)
        places = [degradations.index(mean.degradation) + middle for mean in own]
        axes.bar(places, [mean.psnr_y_db for mean in own], width, label=model)
    lowest = min(mean.psnr_y_db for mean in means)
    axes.set_ylim(bottom=lowest - 1)  # differences are a few dB of some thirty
    axes.set_xticks(range(len(degradations)), degradations)
    axes.set_ylabel("PSNR-Y, dB")
    axes.legend()


def _against_time(axes: Axes, means: Sequence[Mean]) -> None:
    """Draw a point for each model (its colour) and degradation (its shape)."""
    models = list(dict.fromkeys(mean.model for mean in means))
    for mean in means:
        axes.plot(
            mean.ms_per_megapixel,
            mean.psnr_y_db,
            _SHAPES[mean.degradation],
            color=f"C{models.index(mean.model)}",
        )
    for index, model in enumerate(models):
        axes.plot([], [], "s", color=f"C{index}", label=model)
    for degradation in dict.fromkeys(mean.degradation for mean in means):
        axes.plot([], [], _SHAPES[degradation], color="gray", label=degradation)
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds for a megapixel of result")
    axes.set_ylabel("PSNR-Y, dB")
    axes.legend()


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _saved(figure: Figure, path: Path) -> Path:
    with complete_output(path) as file:
        figure.savefig(file, format="png", dpi=_DPI)
    return path
