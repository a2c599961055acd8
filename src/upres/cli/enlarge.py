"""`upres enlarge`: pictures in, larger pictures out."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, get_args

import click

from upres.cli import complain, shown
from upres.cli.exits import exit_code
from upres.cli.routes import Existing, Route, Target, routes
from upres.cli.show import progress_bar, pull_shown
from upres.condition.choice import Choice
from upres.config import Settings
from upres.engines.instructions import has_int8_dot_product
from upres.enlargement import Delivery, Enlargement
from upres.errors import InvalidOption, OutOfMemory, OutputNotWritable, UpresError
from upres.image.files import complete_output, read_input, standard_output
from upres.image.picture import Format
from upres.library import Upscaler
from upres.upscale.flat import Tally
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Interpolation, Options
from upres.workbench import Runtime, Workbench


@dataclass(frozen=True, kw_only=True)
class _Output:
    """How results are written and told of."""

    format: Format | None
    quality: int
    strip_metadata: bool
    json: bool


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What is told of a result, beside its size."""

    model: str
    engine: str | None
    precision: str | None
    """What ran the network; None for an interpolation, as the engine."""
    choice: Choice | None
    interpolated: float
    """Share of the picture that was flat enough, 0 to 1."""
    seconds: float


@click.command(name="enlarge", short_help="Enlarge pictures.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", metavar="FILE|DIR", help="Where to; `-` is standard output.")
@click.option("--scale", type=float, help="Factor, 1 to 16, any number; 3 by default.")
@click.option("--width", type=int, help="Or: pixels across.")
@click.option("--height", type=int, help="Or: pixels down.")
@click.option("--long-side", type=int, help="Or: pixels of the longer side.")
@click.option("--model", default="auto", show_default=True, help="See `upres models list`.")
@click.option("--clean", type=float, help="Strength: 0 is lite, 1 is photo; auto measures.")
@click.option(
    "--tta",
    is_flag=True,
    help="Average over 8 flips and turns: slower, better. Once is enough for lite and photo.",
)
@click.option("--soften", type=float, default=0.0, help="0 to 1: blend towards a slight blur.")
@click.option("--engine", default="auto", show_default=True, help="openvino, onnxruntime, opencv.")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "int8"]), default="auto")
@click.option("--exact", is_flag=True, help="Interpolate no flat parts: the network does all.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: every CPU allowed.")
@click.option("--format", "format_", type=click.Choice(get_args(Format)), help="As the input.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True)
@click.option("--strip-metadata", is_flag=True, help="Drop EXIF, XMP, IPTC; keep the profile.")
@click.option("--recursive", is_flag=True, help="Folders with all below them.")
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option("--skip-existing", is_flag=True, help="Leave results that exist.")
@click.option("--json", "json_", is_flag=True, help="One JSON object a picture on stdout.")
def command(inputs: tuple[str, ...], **options: Any) -> int:
    """Enlarge pictures: files, folders, or `-` for standard input.

    \b
    Results lie beside their inputs as photo_x3.jpg unless -o says where. The format is
    the input's unless --format or the name given with -o says another.
    Exit codes: 0 done, 1 a fault of upres, 2 wrong options, 3 a picture that cannot be
    enlarged, 4 a file, folder, model or engine that is missing, 5 no room, 130 stopped.
    With several pictures the rest goes on after a failure; the first failure's code counts.
    """  # noqa: D301 - click's mark for lines to be left alone
    size = SizeRequest(
        factor=options["scale"],
        width=options["width"],
        height=options["height"],
        long_side=options["long_side"],
    )
    if options["overwrite"] and options["skip_existing"]:
        raise InvalidOption("--overwrite", "and --skip-existing", "one of the two")
    jobs = routes(
        inputs,
        output=options["output"],
        size=size,
        format=options["format_"],
        recursive=options["recursive"],
    )
    output = _Output(
        format=options["format_"],
        quality=options["quality"],
        strip_metadata=options["strip_metadata"],
        json=options["json_"],
    )
    existing = _existing_rule(options)
    if options["precision"] == "int8" and not has_int8_dot_product():
        complain("warning: this CPU has no int8 dot product; fp32 may be faster, and is exact")
    workbench = Workbench(Settings.from_environment())
    upscaler = Upscaler(
        workbench=workbench,
        model=options["model"],
        clean=options["clean"],
        size=size,
        options=Options(tta=options["tta"], soften=options["soften"]),
        runtime=Runtime(
            engine=options["engine"],
            precision=options["precision"],
            threads=options["threads"],
            exact=options["exact"],
        ),
    )
    return _run_all(jobs, upscaler, output, existing=existing)


def _existing_rule(options: dict[str, Any]) -> Existing:
    if options["overwrite"]:
        return "overwrite"
    return "skip" if options["skip_existing"] else "refuse"


def _run_all(jobs: list[Route], upscaler: Upscaler, output: _Output, *, existing: Existing) -> int:
    code = 0
    written: dict[Path, Path] = {}
    for job in jobs:
        try:
            _run_one(job, upscaler, output, existing=existing, written=written)
        except (UpresError, MemoryError) as caught:
            error = caught if isinstance(caught, UpresError) else OutOfMemory(job.name)
            if output.json:
                _print_json(input=str(job.source), error=error.code, message=str(error))
            complain(str(error))
            code = code or exit_code(error)
    return code


def _run_one(
    job: Route,
    upscaler: Upscaler,
    output: _Output,
    *,
    existing: Existing,
    written: dict[Path, Path],
) -> None:
    """Enlarge one picture; everything that can be refused is refused before pixels are."""
    started = time.perf_counter()
    data = read_input(job.source, limit_bytes=upscaler.limits.input_bytes)
    enlargement = upscaler.opened(data, name=job.name)
    target = job.target_for(enlargement.header)
    enlargement.check_format(target.format)
    _claim(target, written)
    if target.path is not None and target.check_free(existing) == "skip":
        if output.json:
            _print_json(input=str(job.source), output=str(target.path), skipped=True)
        return
    choice = upscaler.choice_for(data, name=job.name)
    method = upscaler.method(factor=enlargement.factor, choice=choice, pull=pull_shown)
    delivery = Delivery(
        format=target.format, quality=output.quality, strip_metadata=output.strip_metadata
    )
    tally = Tally()
    with progress_bar(job.name) as report, _opened(target) as file:
        enlargement.write(
            file, method, delivery=delivery, options=upscaler.options, progress=report, tally=tally
        )
    for warning in enlargement.warnings:
        complain(f"warning: {job.name}: {warning}")
    if target.path is None:
        return
    network = None if isinstance(method, Interpolation) else method
    done = _Done(
        model=method.kernel.name if isinstance(method, Interpolation) else method.spec.id,
        engine=network.engine if network else None,
        precision=network.precision if network else None,
        choice=choice,
        interpolated=tally.share,
        seconds=time.perf_counter() - started,
    )
    _tell(enlargement, target, done, output=output)


def _opened(target: Target) -> AbstractContextManager[BinaryIO]:
    if target.path is None:
        return standard_output()
    target.make_folder()
    return complete_output(target.path)


def _tell(
    enlargement: Enlargement,
    target: Target,
    done: _Done,
    *,
    output: _Output,
) -> None:
    """Say what was written: a line for people, or an object for programs."""
    width, height = enlargement.width, enlargement.height
    if not output.json:
        words = [shown(target.path), f"{width}x{height}", done.model, f"{done.seconds:.1f} s"]
        if done.choice is not None:
            words.append(done.choice.reason)
        if done.interpolated:
            words.append(f"flat, so bicubic: {done.interpolated:.0%}")
        click.echo("  ".join(words), err=True)
        return
    fields: dict[str, object] = {
        "input": str(target.source),
        "output": str(target.path),
        "width": width,
        "height": height,
        "model": done.model,
        "seconds": round(done.seconds, 3),
        "engine": done.engine,
        "precision": done.precision,
        "interpolated": round(done.interpolated, 3),
    }
    if done.choice is not None:
        fields |= {"clean": done.choice.clean, "reason": done.choice.reason}
    if enlargement.header.frames > 1:
        fields["frames"] = enlargement.header.frames
    if enlargement.warnings:
        fields["warnings"] = enlargement.warnings
    _print_json(**fields)


def _claim(target: Target, written: dict[Path, Path]) -> None:
    """Let no two pictures of a run have the same result: the first would be lost."""
    if target.path is None:
        return
    first = written.setdefault(target.path.absolute(), target.source)
    if first != target.source:
        raise OutputNotWritable(target.path, f"it is already the result of {first}")


def _print_json(**fields: object) -> None:
    click.echo(json.dumps(fields, ensure_ascii=False))
