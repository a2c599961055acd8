"""Pictures of every kind through `upres enlarge`: what comes out is what went in, larger."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageSequence

from upres.cli.exits import EXIT_CALLER
from upres.image.decode import Decoder
from upres.image.picture import Format

Run = Callable[..., int]
PLAIN = ("--model", "bicubic", "--scale", "2")


def frames(count: int) -> list[Image.Image]:
    """Return pictures of 20x12 pixels that differ."""
    return [Image.new("RGB", (20, 12), (80 * number, 40, 10)) for number in range(count)]


def saved(path: Path, pictures: list[Image.Image], **options: Any) -> Path:
    """Write one picture or several; return the path."""
    pictures[0].save(path, save_all=len(pictures) > 1, append_images=pictures[1:], **options)
    return path


def shown(path: Path) -> list[Image.Image]:
    """Return all pictures of a file, as RGB."""
    file = Image.open(io.BytesIO(path.read_bytes()))
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(file)]


def told(path: Path, what: str) -> list[Any]:
    """Return what a file says of each of its pictures."""
    file = Image.open(io.BytesIO(path.read_bytes()))
    said = []
    for frame in ImageSequence.Iterator(file):
        frame.load()  # WebP tells only then
        said.append(frame.info[what])
    return said


def middle(picture: Image.Image) -> tuple[int, ...]:
    """Return the colour in the middle."""
    colour = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(colour, tuple)
    return tuple(int(sample) for sample in colour)


@pytest.mark.parametrize("into", get_args(Format))
@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "avif", "tif", "gif", "bmp"])
def test_every_format_into_every_format(run: Run, tmp_path: Path, kind: str, into: Format) -> None:
    """The size is right, the colour is right."""
    source = saved(tmp_path / f"in.{kind}", frames(2)[1:])
    assert run("enlarge", source, *PLAIN, "--format", into, "-o", tmp_path / "out") == 0
    (target,) = (tmp_path / "out").parent.glob("out*")
    assert Decoder(target.read_bytes()).header.format == into
    (picture,) = shown(target)
    assert picture.size == (40, 24)
    apart = np.abs(np.subtract(middle(picture), (80, 40, 10))).max()
    assert apart <= 6


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("into", ["gif", "webp"])
def test_animations_keep_frames_timing_and_loops(
    run: Run, tmp_path: Path, kind: str, into: str
) -> None:
    """Frame by frame, in either format."""
    source = saved(tmp_path / f"in.{kind}", frames(3), duration=[50, 120, 70], loop=4)
    target = tmp_path / f"out.{into}"
    assert run("enlarge", source, *PLAIN, "-o", target) == 0
    pictures = shown(target)
    assert [picture.size for picture in pictures] == [(40, 24)] * 3
    reds = [middle(picture)[0] for picture in pictures]
    assert np.abs(np.subtract(reds, [0, 80, 160])).max() <= 4
    assert told(target, "duration") == [50, 120, 70]
    if kind == into:
        assert told(target, "loop") == told(source, "loop")


@pytest.mark.parametrize("into", ["png", "jpeg", "avif", "tiff"])
def test_an_animation_needs_a_format_that_moves(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], into: str
) -> None:
    """It is refused in one line that says what would do; nothing is written."""
    source = saved(tmp_path / "in.gif", frames(3), duration=50)
    assert run("enlarge", source, *PLAIN, "--format", into) != 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "animated" in line
    assert "gif" in line
    assert [path.name for path in tmp_path.iterdir()] == ["in.gif"]


def test_all_pages_of_a_tiff(run: Run, tmp_path: Path) -> None:
    """A scanned document stays whole."""
    source = saved(tmp_path / "in.tif", frames(3), dpi=(300, 300))
    assert run("enlarge", source, *PLAIN) == 0
    assert [page.size for page in shown(tmp_path / "in_x2.tif")] == [(40, 24)] * 3


def test_a_bmp_becomes_a_png(run: Run, tmp_path: Path) -> None:
    """Also when a folder is named."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    saved(folder / "in.bmp", frames(1))
    assert run("enlarge", folder, *PLAIN) == 0
    (picture,) = shown(folder / "in_x2.png")
    assert picture.size == (40, 24)


@pytest.mark.parametrize("in_exif", [False, True], ids=["plain", "also in EXIF"])
@pytest.mark.parametrize("into", ["png", "jpg", "tif"])
@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_the_paper_stays_the_same_size(
    run: Run, tmp_path: Path, kind: str, into: str, *, in_exif: bool
) -> None:
    """Twice the pixels at twice the density, wherever the source tells it."""
    exif = Image.Exif()
    if in_exif:
        exif[282] = exif[283] = 150.0
        exif[296] = 2
    source = saved(tmp_path / f"in.{kind}", frames(1), dpi=(150, 150), exif=exif)
    target = tmp_path / f"out.{into}"
    assert run("enlarge", source, *PLAIN, "-o", target) == 0
    ((across, down),) = told(target, "dpi")
    assert (round(float(across)), round(float(down))) == (300, 300)


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_a_density_that_only_exif_tells(run: Run, tmp_path: Path, kind: str) -> None:
    """It counts as the picture's, in centimetres too; and none is made up."""
    exif = Image.Exif()
    exif[282] = exif[283] = 60.0
    exif[296] = 3
    source = saved(tmp_path / f"in.{kind}", frames(1), exif=exif)
    assert run("enlarge", source, *PLAIN, "-o", tmp_path / "out.png") == 0
    ((across, _),) = told(tmp_path / "out.png", "dpi")
    assert abs(across - 2 * 60 * 2.54) < 0.1
    bare = saved(tmp_path / f"bare.{kind}", frames(1))
    assert Decoder(bare.read_bytes()).metadata.pixels_per_mm is None


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_xmp_tells_the_truth_of_an_upright_picture(run: Run, tmp_path: Path, kind: str) -> None:
    """Programs that trust it would turn the picture twice."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:ImageWidth="20"'
        b' tiff:Make="Maker"/></rdf:RDF></x:xmpmeta>'
    )
    source = tmp_path / "in.webp"
    saved(source, frames(1), xmp=xmp)
    target = tmp_path / f"out.{kind}"
    assert run("enlarge", source, *PLAIN, "-o", target) == 0
    (kind_, kept) = Decoder(target.read_bytes()).metadata.fields["xmp-data"]
    assert kind_
    assert b'tiff:Orientation="1"' in kept
    assert b"ImageWidth" not in kept
    assert b'tiff:Make="Maker"' in kept


def test_an_odd_file_is_enlarged_with_a_warning(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A GIF without its last byte is whole; people and programs are told."""
    target = io.BytesIO()
    frames(1)[0].save(target, "GIF")
    source = tmp_path / "in.gif"
    source.write_bytes(target.getvalue().removesuffix(b"\x3b"))
    assert run("enlarge", source, *PLAIN, "--json") == 0
    said = capsys.readouterr()
    assert "warning: in.gif" in said.err
    assert json.loads(said.out)["warnings"]


def test_names_do_not_steer_the_terminal(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters of a file's name are spelled out."""
    bad = tmp_path / "a\x1b[31mb.png"
    bad.write_bytes(b"no picture")
    assert run("enlarge", bad, *PLAIN) == EXIT_CALLER
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\\x1b[31mb.png" in said
