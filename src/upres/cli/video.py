"""`upres video`: a clip in, a larger clip out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from upres.cli import complain, shown
from upres.cli.show import pull_shown
from upres.config import Settings
from upres.errors import InputNotReadable, InvalidOption, OutputNotWritable, UpresError
from upres.image.files import standard_output
from upres.library import Upscaler
from upres.models.catalogue import AUTO
from upres.sandbox.kernel import keep_memory_whole
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Interpolation, Options
from upres.video.clip import Stretch
from upres.video.codecs import Codec
from upres.video.enlarging import Enlarging, calm
from upres.video.making import Progress
from upres.video.raw import RawFormat, pipe
from upres.video.running import network_reach_px, network_use
from upres.video.transcode import Transcode, VideoOptions
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable

    from upres.video.transcode import Outcome

_USUAL_FACTOR = 2.0
_USUAL_MODEL = "fast"


@click.command(name="video", short_help="Enlarge a clip.")
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option("--scale", type=float, help="Factor, 1 to 16, any number; 2 by default.")
@click.option("--height", type=int, help="Or: pixels down, such as 1080.")
@click.option("--model", help="See `upres models list`; fast where it is there, else auto.")
@click.option("--codec", type=click.Choice(get_args(Codec)), help="By default what OUT's kind has.")
@click.option("--crf", type=int, help="Quality: lower is better and larger. h264 18, hevc 20.")
@click.option("--preset", help="The encoder's own word for how slowly it works.")
@click.option("--start", metavar="TIME", help="Begin there: seconds or H:MM:SS.")
@click.option("--end", metavar="TIME", help="End there.")
@click.option("--resume", is_flag=True, help="Go on where an earlier run was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace OUT and unfinished work.")
@click.option("--dry-run", is_flag=True, help="Look, check and say what would be done.")
@click.option("--on-damage", type=click.Choice(["skip", "stop"]), default="skip", show_default=True)
@click.option("--segment", type=float, default=4.0, show_default=True, help="Seconds kept safe.")
@click.option("--no-reuse", is_flag=True, help="Compute still parts anew in every frame.")
@click.option(
    "--tta",
    is_flag=True,
    help="Average over 8 flips and turns: slower, better. Once is enough for lite and photo.",
)
@click.option("--soften", type=float, default=0.0, help="0 to 1: blend towards a slight blur.")
@click.option("--engine", default="auto", show_default=True, help="openvino, onnxruntime, opencv.")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "int8"]), default="auto")
@click.option("--threads", type=click.IntRange(min=1), help="Default: every CPU allowed.")
@click.option("--raw", type=(str, str), metavar="WxH FORMAT", help="Raw frames; IN and OUT are -.")
@click.option("--json", "json_", is_flag=True, help="One JSON object on stdout.")
def command(source: str, output: str, **options: Any) -> int:
    """Enlarge a clip; sound, subtitles, chapters and metadata are carried unchanged.

    \b
    OUT is .mp4, .m4v, .mov, .mkv or .webm. Finished segments wait in OUT.upres until the
    whole is there: after a power cut, the same command with --resume goes on from the last.
    upres video --raw 640x360 rgb24 - -  reads raw frames and writes raw frames.
    Exit codes are those of `upres enlarge`.
    """  # noqa: D301 - click's mark for lines to be left alone
    keep_memory_whole()
    size = SizeRequest(
        factor=options["scale"] or (None if options["height"] else _USUAL_FACTOR),
        height=options["height"],
    )
    workbench = Workbench(Settings.from_environment())
    usual = _USUAL_MODEL if _USUAL_MODEL in workbench.catalogue.names else AUTO
    upscaler = Upscaler(
        workbench=workbench,
        model=options["model"] or usual,
        size=size,
        options=Options(tta=options["tta"], soften=options["soften"]),
        runtime=Runtime(
            engine=options["engine"],
            precision=options["precision"],
            threads=options["threads"],
            exact=True,  # what is flat changes from frame to frame, and must not be seen to
        ),
    )
    try:
        if options["raw"]:
            return _run_raw(source, output, upscaler, options)
        return _run(Path(source), Path(output), upscaler, options)
    except UpresError as error:
        if options["json_"]:
            _print_json(input=source, error=error.code, message=str(error))
        raise


def _run(source: Path, output: Path, upscaler: Upscaler, options: dict[str, Any]) -> int:
    transcode = Transcode(
        source,
        output,
        size=upscaler.size,
        options=VideoOptions(
            codec=options["codec"],
            crf=options["crf"],
            preset=options["preset"],
            stretch=Stretch(
                start_s=seconds(options["start"], "--start") or 0.0,
                end_s=seconds(options["end"], "--end"),
            ),
            on_damage=options["on_damage"],
            reuse=not options["no_reuse"],
            segment_s=options["segment"],
            picture=upscaler.options,
        ),
        limits=upscaler.limits,
    )
    if options["dry_run"]:
        _tell_plan(source, transcode, upscaler, json_=options["json_"])
        return 0
    _make_way(transcode, overwrite=options["overwrite"], resume=options["resume"])
    transcode.check_room()
    method = upscaler.method(factor=transcode.factor, pull=pull_shown)
    for note in transcode.notes:
        complain(f"note: {source.name}: {note}")
    with _kept_told(transcode), _progress(source.name) as report:
        outcome = transcode.run(
            method,
            network=network_use(upscaler.workbench, method, runtime=upscaler.runtime),
            reach_px=network_reach_px(upscaler.workbench, method, runtime=upscaler.runtime),
            resume=options["resume"],
            progress=report,
        )
    _tell(source, transcode, outcome, method, json_=options["json_"])
    return 0


@contextmanager
def _kept_told(transcode: Transcode) -> Iterator[None]:
    """Say what an interrupted or failed run leaves, and what is to be done with it."""
    try:
        yield
    except BaseException:
        kept = len(transcode.work.finished())
        if kept:
            complain(f"{kept} finished segments are kept; --resume goes on from there")
        raise


def _make_way(transcode: Transcode, *, overwrite: bool, resume: bool) -> None:
    """Refuse to replace what exists, or make room for what is asked for."""
    if overwrite and resume:
        raise InvalidOption("--overwrite", "and --resume", "one of the two")
    if overwrite:
        transcode.work.remove()
    elif transcode.output.exists():
        raise OutputNotWritable(transcode.output, "it exists; --overwrite replaces it")


def _run_raw(source: str, output: str, upscaler: Upscaler, options: dict[str, Any]) -> int:
    if (source, output) != ("-", "-"):
        raise InvalidOption("IN and OUT", f"{source} {output}", "- and - with --raw")
    layout = RawFormat.parsed(*options["raw"], limits=upscaler.limits)
    width, height = upscaler.size.size_for(width=layout.width, height=layout.height)
    upscaler.limits.check_output(width=width, height=height, name="a frame")
    factor = max(width / layout.width, height / layout.height)
    method = upscaler.method(factor=factor, pull=pull_shown)
    enlarging = Enlarging(
        method=calm(method),
        width=width,
        height=height,
        options=upscaler.options,
        reach_px=network_reach_px(upscaler.workbench, method, runtime=upscaler.runtime),
        reuse=not options["no_reuse"],
    )
    complain(f"raw frames of {width}x{height} {layout.pixel_format}")
    if sys.stdin is None:
        raise InputNotReadable("standard input", "it is closed")
    with standard_output() as target:
        frames = pipe(sys.stdin.buffer, target, layout, enlarging)
    complain(f"{frames} frames")
    return 0


def seconds(text: str | None, option: str) -> float | None:
    """Read a time: seconds, M:SS or H:MM:SS, each with a fraction if need be."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(?:(\d+):)?([0-5]?\d):(?=[0-5]?\d(?:\.|$)))?(\d+(?:\.\d+)?)", text)
    if match is None:
        raise InvalidOption(option, text, "seconds, M:SS or H:MM:SS")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


@contextmanager
def _progress(label: str) -> Iterator[Callable[[Progress], None] | None]:
    """Show frames, frames a second and the time left on standard error; None in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, pace="")
        yield lambda now: bar.update(task, completed=now.frames, total=now.total, pace=_pace(now))


def _pace(now: Progress) -> str:
    text = f"{now.frames_per_s:.1f} frames/s"
    left = now.left_s
    return text if left is None else f"{text}, {left // 60:.0f}:{left % 60:02.0f} left"


def _tell_plan(source: Path, transcode: Transcode, upscaler: Upscaler, *, json_: bool) -> None:
    spec = upscaler.workbench.spec(upscaler.model, factor=transcode.factor)
    clip, look = transcode.clip, transcode.look
    plan: dict[str, object] = {
        "input": str(source),
        "output": str(transcode.output),
        "input_size": f"{clip.width}x{clip.height}",
        "width": look.width,
        "height": look.height,
        "frames": transcode.frames,
        "model": spec.id if spec else upscaler.model,
        "encoding": transcode.encoding.described(),
        "disk_bytes": transcode.room_bytes(),
        "streams_carried": len(transcode.beside.carried),
        "notes": transcode.notes,
    }
    if json_:
        _print_json(**plan)
        return
    for name, value in plan.items():
        click.echo(f"{name.replace('_', ' '):16} {shown(value)}")
    transcode.check_room()


def _tell(
    source: Path, transcode: Transcode, outcome: Outcome, method: object, *, json_: bool
) -> None:
    model = method.kernel.name if isinstance(method, Interpolation) else method.spec.id  # type: ignore[attr-defined]
    look = transcode.look
    warnings = [words for words in outcome.warnings if words not in transcode.notes]
    for words in warnings:
        complain(f"warning: {transcode.clip.name}: {words}")
    if not json_:
        click.echo(
            f"{shown(transcode.output)}  {look.width}x{look.height}  {model}  "
            f"{outcome.frames} frames  {outcome.seconds:.1f} s",
            err=True,
        )
        return
    _print_json(
        input=str(source),
        output=str(transcode.output),
        width=look.width,
        height=look.height,
        model=model,
        encoding=transcode.encoding.described(),
        frames=outcome.frames,
        frames_resumed=outcome.resumed,
        seconds=round(outcome.seconds, 3),
        bytes=outcome.bytes,
        warnings=list(outcome.warnings),
    )


def _print_json(**fields: object) -> None:
    click.echo(json.dumps(fields, ensure_ascii=False))
