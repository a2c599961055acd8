"""`upres bench`: how good models are on pictures, and how fast on this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from upres.bench.comparison import compare
from upres.bench.degrade import DEGRADATIONS
from upres.bench.plots import check_can_plot, plot_quality, plot_speed
from upres.bench.quality import QualityRequest, measure_quality
from upres.bench.report import (
    as_json,
    quality_record,
    quality_table,
    speed_record,
    speed_tables,
)
from upres.bench.selection import default_models
from upres.bench.speed import SpeedRequest, default_speed_models, measure_speed
from upres.cli import complain
from upres.cli.show import progress_bar, pull_shown
from upres.config import Settings
from upres.engines import ENGINE_NAMES
from upres.engines.base import Precision
from upres.errors import OutputNotWritable
from upres.image.files import complete_output
from upres.upscale.size import MAX_FACTOR
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable

_PRECISIONS = get_args(Precision)


class _Words(click.ParamType[tuple[Any, ...]]):
    """Words between commas, each once; of a list where there is one, or whole numbers."""

    name = "words"

    def __init__(self, known: tuple[str, ...] = (), *, numbers: bool = False) -> None:
        self._known = known
        self._numbers = numbers

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        if self._numbers:
            number = click.IntRange(2, MAX_FACTOR)
            return tuple(dict.fromkeys(int(number(word, param, ctx)) for word in words))
        for word in words:
            if not word or (self._known and word not in self._known):
                known = ", ".join(self._known) or "names between commas"
                self.fail(f"{word!r} is none of {known}", param, ctx)
        return tuple(dict.fromkeys(words))


def _outputs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that both benchmarks have."""
    file = click.Path(path_type=Path, dir_okay=False)
    folder = click.Path(path_type=Path, file_okay=False)
    options = (
        click.option("--threads", type=click.IntRange(min=1), help="Default: every CPU allowed."),
        click.option("--limit", type=click.IntRange(min=1), help="Pictures of a folder, at most."),
        click.option("--pull", is_flag=True, help="Download models that are not here."),
        click.option("--json", "json_", type=file, help="Write every figure to a file."),
        click.option("--markdown", type=file, help="Write the tables to a file."),
        click.option("--plots", type=folder, help="Draw into a folder; needs upres[bench]."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(name="bench", short_help="Measure models: quality on pictures, speed here.")
def command() -> None:
    """Measure models: quality on pictures, speed on this machine."""


@command.command()
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Large pictures; repeat for several folders.",
)
@click.option("--scales", type=_Words(numbers=True), default="2,3,4", show_default=True)
@click.option("--models", type=_Words(), help="Default: interpolations and bundled models.")
@click.option(
    "--degradations",
    type=_Words(DEGRADATIONS),
    default=",".join(DEGRADATIONS),
    show_default=True,
    help="How the small pictures are made.",
)
@click.option("--jpeg-quality", type=click.IntRange(1, 100), default=40, show_default=True)
@click.option("--ssim/--no-ssim", default=True, show_default=True)
@click.option("--engine", type=click.Choice(["auto", *ENGINE_NAMES]), default="auto")
@click.option("--precision", type=click.Choice(["auto", *_PRECISIONS]), default="auto")
@_outputs
def quality(**options: Any) -> None:
    """Score models: pictures are made small, enlarged again and compared with themselves.

    \b
    Small pictures are made by MATLAB's bicubic (bicubic), OpenCV's INTER_AREA (area)
    and INTER_CUBIC (cubic), and by bicubic and JPEG (jpeg). Folders with HR/ and
    LR_bicubic/X3/ as Set5 has them bring their own bicubic ones.
    """  # noqa: D301 - click's mark for lines to be left alone
    _check_outputs(options)
    workbench = Workbench(Settings.from_environment())
    request = QualityRequest(
        folders=options["data"],
        models=options["models"] or default_models(workbench),
        scales=options["scales"],
        degradations=options["degradations"],
        jpeg_quality=options["jpeg_quality"],
        ssim=options["ssim"],
        limit=options["limit"],
        runtime=Runtime(
            engine=options["engine"], precision=options["precision"], threads=options["threads"]
        ),
    )
    with progress_bar("scoring") as report:
        result = measure_quality(
            request,
            workbench=workbench,
            tell=complain,
            pull=pull_shown if options["pull"] else None,
            progress=report,
        )
    record = quality_record(result, command=_command_line())
    _write(options, tables=quality_table(result), record=record)
    if options["plots"] is not None:
        plot_quality(result.means(), options["plots"])


@command.command()
@click.option("--models", type=_Words(), help="Default: bundled models, and edsr if it is here.")
@click.option("--scale", type=click.IntRange(2, MAX_FACTOR), default=3, show_default=True)
@click.option("--engines", type=_Words(ENGINE_NAMES), help="Default: all that are installed.")
@click.option("--precisions", type=_Words(_PRECISIONS), help="Default: all that there are here.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=float, default=300.0, show_default=True, help="No round after.")
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Pictures for the detail column; default: a small photograph.",
)
@_outputs
def speed(**options: Any) -> None:
    """Time models on every engine and arithmetic, in turns, and compare what they do.

    Speeds are multiples of EDSR in OpenCV's dnn_superres, the usual way, where edsr is installed.
    The first table has each model's file size, seconds for a 1920 x 1080 result with the engine
    that `auto` takes, detail (PSNR-Y) and how much noise of a flat area it lets through.
    """
    _check_outputs(options)
    workbench = Workbench(Settings.from_environment())
    request = SpeedRequest(
        models=options["models"] or default_speed_models(workbench, default_models(workbench)),
        scale=options["scale"],
        engines=options["engines"],
        precisions=options["precisions"],
        threads=options["threads"],
        rounds=options["rounds"],
        budget_s=options["seconds"],
    )
    pull = pull_shown if options["pull"] else None
    result, chosen = measure_speed(request, workbench=workbench, tell=complain, pull=pull)
    traits = compare(
        chosen,
        workbench=workbench,
        runtime=Runtime(threads=options["threads"], exact=True),
        folders=options["data"],
        limit=options["limit"],
        tell=complain,
    )
    record = speed_record(result, traits, command=_command_line())
    _write(options, tables=speed_tables(result, traits), record=record)
    if options["plots"] is not None:
        plot_speed(result, traits, options["plots"])


def _check_outputs(options: dict[str, Any]) -> None:
    """Refuse before hours of work what could not be written after them."""
    if options["plots"] is not None:
        check_can_plot(options["plots"])
    for path in (options["json_"], options["markdown"]):
        if path is not None and not path.parent.is_dir():
            raise OutputNotWritable(path, "its folder is not there")


def _write(options: dict[str, Any], *, tables: str, record: dict[str, Any]) -> None:
    click.echo(tables)
    for path, content in (
        (options["json_"], as_json(record)),
        (options["markdown"], f"`{record['command']}`\n\n{tables}\n".encode()),
    ):
        if path is not None:
            with complete_output(path) as file:
                file.write(content)


def _command_line() -> str:
    """Return the command that asks for what was asked for here, defaults written out."""
    context = click.get_current_context()
    words = ["upres", "bench", str(context.info_name)]
    for parameter in context.command.params:
        value = context.params[str(parameter.name)]
        option = parameter.opts[0]
        if value is False and parameter.secondary_opts:
            words.append(parameter.secondary_opts[0])
        if value is None or value is False or value == ():
            continue
        if value is True:
            words.append(option)
        elif parameter.multiple:
            words += [word for each in value for word in (option, str(each))]
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [option, text]
    return shlex.join(words)
