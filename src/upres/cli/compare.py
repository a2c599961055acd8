"""`upres compare`: two pictures of one scene, to be looked at side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from upres.cli import complain, shown
from upres.compare.captions import Caption, caption
from upres.compare.page import page
from upres.compare.pictures import Crop, Fit, Letter, Side, brought_together, cropped, read
from upres.compare.rating import rated
from upres.compare.sheet import arranged, sheet
from upres.config import Settings
from upres.errors import InvalidOption, OutOfMemory, OutputNotWritable
from upres.image.encode import encoded
from upres.image.files import complete_output
from upres.image.formats import check_sides, format_of_extension
from upres.image.limits import Limits
from upres.image.picture import Format

_PAGES = (".html", ".htm")
_FILE = click.Path(path_type=Path)


@click.command(name="compare", short_help="Show two pictures side by side.")
@click.argument("a", metavar="A", type=_FILE)
@click.argument("b", metavar="B", type=_FILE)
@click.option("--truth", metavar="T", type=_FILE, help="What both should be: A and B are scored.")
@click.option(
    "-o", "--output", metavar="FILE", type=_FILE, help="A page or a picture, by its name."
)
@click.option(
    "--fit",
    type=click.Choice(get_args(Fit)),
    default="nearest",
    show_default=True,
    help="How the smaller one is enlarged; nearest repeats its pixels.",
)
@click.option("--crop", metavar="X,Y,W,H", help="Only that part, in the larger one's pixels.")
@click.option("--zoom", type=click.IntRange(1, 64), help="In a picture: repeat every pixel.")
@click.option("--overwrite", is_flag=True, help="Replace a result that exists.")
def command(a: Path, b: Path, truth: Path | None, output: Path | None, **options: Any) -> None:
    """Show two pictures of one scene side by side: an original and its enlargement, two models.

    \b
    Without -o a page A_vs_B.html is written beside A: one file that needs no network, with a
    slider, zoom and the difference. With -o FILE.png (.jpg, .webp) it is a picture.
    With --truth PSNR and SSIM of the luma are printed and shown.
    upres compare photo.jpg photo_x3.jpg
    upres compare lite.png edsr.png --truth original.png -o scores.html
    upres compare photo.jpg photo_x3.jpg --crop 300,200,96,64 --zoom 4 -o detail.png
    """  # noqa: D301 - click's mark for lines to be left alone
    output = output or a.with_name(f"{a.stem}_vs_{b.stem}.html")
    format_ = None if output.suffix.lower() in _PAGES else format_of_extension(output.suffix)
    if format_ is None and options["zoom"] is not None:
        raise InvalidOption(
            "--zoom", options["zoom"], "a picture as output; a page zooms by itself"
        )
    crop = Crop.parse(options["crop"]) if options["crop"] is not None else None
    inputs = [path for path in (a, b, truth) if path is not None]
    _check_free(output, inputs, overwrite=options["overwrite"])
    limits = Settings.from_environment().limits
    warn = _Warnings()
    try:
        sides = brought_together(_read_all(inputs, limits, warn), fit=options["fit"])
        captions = _captions(sides, warn)
        if crop is not None:
            sides = cropped(sides, crop)
        if format_ is None:
            data = page(sides, captions)
        else:
            zoom = options["zoom"] or 1
            _check_sheet(sides, zoom=zoom, limits=limits, format_=format_, name=output.name)
            data = encoded(sheet(sides, captions, zoom=zoom, complain=warn), format=format_)
    except MemoryError as error:
        raise OutOfMemory("the comparison") from error
    with complete_output(output) as file:
        file.write(data)
    for words in captions:
        click.echo(shown(f"{words.letter}  {words.name}  {words.line}"))
    click.echo(shown(output), err=True)


class _Warnings:
    """Says the same of a picture only once, however often it is looked at."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def __call__(self, name: str, text: str) -> None:
        if (name, text) not in self._said:
            self._said.add((name, text))
            complain(f"warning: {name}: {text}")


def _read_all(inputs: list[Path], limits: Limits, warn: _Warnings) -> list[Side]:
    letters: tuple[Letter, ...] = ("A", "B", "T")
    sides = [
        read(path, letter=letter, limits=limits)
        for path, letter in zip(inputs, letters, strict=False)
    ]
    for side in sides:
        for warning in side.warnings:
            warn(side.name, warning)
    return sides


def _captions(sides: list[Side], warn: _Warnings) -> list[Caption]:
    """Describe each picture, A and B with their scores where there is a truth."""
    first, second, *truth = sides
    return [
        *(
            caption(side, scores=rated(side, truth[0], complain=warn) if truth else {})
            for side in (first, second)
        ),
        *(caption(side, scores={}) for side in truth),
    ]


def _check_sheet(
    sides: list[Side], *, zoom: int, limits: Limits, format_: Format, name: str
) -> None:
    place = arranged(sides, zoom=zoom)
    limits.check_output(width=place.width, height=place.height, name=name)
    check_sides(format_, width=place.width, height=place.height, name=name)


def _check_free(output: Path, inputs: list[Path], *, overwrite: bool) -> None:
    """Raise OutputNotWritable where a file may not be replaced."""
    if not output.is_file():
        return
    if any(path.exists() and output.samefile(path) for path in inputs):
        raise OutputNotWritable(output, "it is one of the pictures")
    if not overwrite:
        raise OutputNotWritable(output, "it exists already; use --overwrite")
