from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from upres.cli.exits import EXIT_CALLER, EXIT_SETUP, EXIT_USAGE

Run = Callable[..., int]
Photo = NDArray[np.uint8]


@pytest.fixture
def pair(tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, now the current one, with cat.png of 20 x 12 and dog.png three times as large."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("cat.png")
    Image.fromarray(np.repeat(np.repeat(photo, 3, axis=0), 3, axis=1)).save("dog.png")
    return tmp_path


def test_page_lies_beside_the_first_picture(
    run: Run, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named after both; the legend is printed."""
    assert run("compare", "cat.png", "dog.png") == 0
    html = (pair / "cat_vs_dog.html").read_text("utf-8")
    assert html.startswith("<!doctype html>")
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "A  cat.png  20x12, enlarged (nearest)",
        "B  dog.png  60x36",
    ]
    assert printed.err.strip() == "cat_vs_dog.html"


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.webp"])
def test_picture_in_the_format_of_its_name(run: Run, pair: Path, name: str) -> None:
    """Both columns and two margins between and around them at least."""
    assert run("compare", "cat.png", "dog.png", "-o", name, "--zoom", "5") == 0
    with Image.open(pair / name) as image:
        assert image.format == {"out.jpg": "JPEG"}.get(name, name[4:].upper())
        assert image.width > 2 * 60 * 5
        assert image.height > 36 * 5


def test_truth_gives_scores(run: Run, pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of A and of B, on standard output and on the page."""
    (pair / "truth.png").write_bytes((pair / "dog.png").read_bytes())
    Image.open("dog.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("bad.png")
    assert run("compare", "bad.png", "dog.png", "--truth", "truth.png", "-o", "s.html") == 0
    bad, good, truth = capsys.readouterr().out.splitlines()
    assert "PSNR-Y" in bad
    assert "SSIM-Y" in bad
    assert good == "B  dog.png  60x36  PSNR-Y infinite  SSIM-Y 1.0000"
    assert truth == "T  truth.png  60x36"
    assert "PSNR-Y infinite" in (pair / "s.html").read_text("utf-8")


def test_crop_is_in_pixels_of_the_larger_one(run: Run, pair: Path, photo: Photo) -> None:
    """And both show the same part."""
    words = ("--crop", "30,18,6,3", "--zoom", "2", "-o", "part.png")
    assert run("compare", "cat.png", "dog.png", *words) == 0
    seen = np.asarray(Image.open(pair / "part.png"))
    part = np.repeat(np.repeat(photo[6:7, 10:12], 6, axis=0), 6, axis=1)
    places = np.lib.stride_tricks.sliding_window_view(seen, part.shape)
    assert (places == part).all(axis=(-3, -2, -1)).sum() == 2


def test_existing_result_is_kept_unless_told(run: Run, pair: Path) -> None:
    """And a picture that is compared is never replaced."""
    old = pair / "cat_vs_dog.html"
    old.write_text("old")
    assert run("compare", "cat.png", "dog.png") == EXIT_SETUP
    assert old.read_text() == "old"
    assert run("compare", "cat.png", "dog.png", "--overwrite") == 0
    assert old.read_text() != "old"
    before = (pair / "dog.png").read_bytes()
    assert run("compare", "cat.png", "dog.png", "-o", "dog.png", "--overwrite") == EXIT_SETUP
    assert (pair / "dog.png").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("cat.png",), EXIT_USAGE),
        (("cat.png", "dog.png", "-o", "out.xyz"), EXIT_USAGE),
        (("cat.png", "dog.png", "-o", "-"), EXIT_USAGE),
        (("cat.png", "dog.png", "--zoom", "2"), EXIT_USAGE),
        (("cat.png", "dog.png", "--zoom", "0", "-o", "out.png"), EXIT_USAGE),
        (("cat.png", "dog.png", "--crop", ""), EXIT_USAGE),
        (("cat.png", "dog.png", "--crop", "59,0,2,2"), EXIT_USAGE),
        (("cat.png", "dog.png", "--fit", "lanczos"), EXIT_USAGE),
        (("cat.png", "square.png"), EXIT_USAGE),
        (("cat.png", "dog.png", "--truth", "square.png"), EXIT_USAGE),
        (("cat.png", "nonesuch.png"), EXIT_SETUP),
        (("cat.png", "dog.png", "-o", "nonesuch/out.html"), EXIT_SETUP),
        (("cat.png", "text.png"), EXIT_CALLER),
        (("cat.png", "cut.png"), EXIT_CALLER),
    ],
)
def test_refusals_say_one_line_and_write_nothing(
    run: Run,
    pair: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
) -> None:
    """Each with the exit code of its kind."""
    Image.new("RGB", (30, 30)).save("square.png")
    (pair / "text.png").write_text("no picture")
    (pair / "cut.png").write_bytes((pair / "dog.png").read_bytes()[:-200])
    before = sorted(pair.iterdir())
    assert run("compare", *words) == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert sorted(pair.iterdir()) == before


@pytest.mark.parametrize("output", ["out.html", "out.png"])
@pytest.mark.parametrize(
    "name", ["<script>.png", "猫.png", "two\nlines.png", "\udce9.png", "-x.png"]
)
def test_odd_names_are_no_trouble(
    run: Run, pair: Path, capsys: pytest.CaptureFixture[str], name: str, output: str
) -> None:
    """Each picture still has its line in the legend, and no name steers the terminal."""
    try:
        (pair / name).write_bytes((pair / "cat.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    assert run("compare", "-o", output, "--", name, "dog.png") == 0
    assert (pair / output).stat().st_size > 1000
    legend = capsys.readouterr().out.splitlines()
    assert [line[0] for line in legend] == ["A", "B"]


def test_limits_hold(run: Run, pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is read, and for the picture that is made."""
    monkeypatch.setenv("UPRES_MAX_OUTPUT_PIXELS", "1000000")
    assert run("compare", "cat.png", "dog.png", "-o", "o.png", "--zoom", "64") == EXIT_CALLER
    assert run("compare", "cat.png", "dog.png", "-o", "o.png") == 0
    monkeypatch.setenv("UPRES_MAX_INPUT_PIXELS", "1000")
    assert run("compare", "cat.png", "dog.png", "-o", "p.png") == EXIT_CALLER
    assert not (pair / "p.png").exists()
