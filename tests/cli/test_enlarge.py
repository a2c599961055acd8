from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from upres.cli.exits import EXIT_CALLER, EXIT_INTERRUPTED, EXIT_SETUP, EXIT_USAGE
from upres.image.decode import Decoder

Run = Callable[..., int]
Write = Callable[[Path, NDArray[np.uint8]], Path]
SizeOf = Callable[[Path], tuple[int, int]]
Photo = NDArray[np.uint8]

PLAIN = ("--model", "bicubic")


def test_result_lies_beside_the_input_three_times_as_large(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write, size_of: SizeOf
) -> None:
    """The default is x3, the input's format and its spelling of the extension."""
    source = write_picture(tmp_path / "cat.jpg", photo).rename(tmp_path / "cat.jpeg")
    assert run("enlarge", source, *PLAIN) == 0
    assert size_of(tmp_path / "cat_x3.jpeg") == (60, 36)


def test_bundled_model_enlarges(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write, size_of: SizeOf
) -> None:
    """`auto` needs nothing that does not ship."""
    source = write_picture(tmp_path / "cat.png", photo)
    assert run("enlarge", source, "--scale", "2.5") == 0
    assert size_of(tmp_path / "cat_x2.5.png") == (50, 30)


@pytest.mark.parametrize(
    ("words", "name", "size"),
    [
        (("--width", "50"), "cat_50x30.png", (50, 30)),
        (("--height", "24"), "cat_40x24.png", (40, 24)),
        (("--long-side", "30"), "cat_30x18.png", (30, 18)),
        (("--scale", "1.1"), "cat_x1.1.png", (22, 13)),
        (("--scale", "16"), "cat_x16.png", (320, 192)),
        (("--scale", "2", "--format", "jpeg"), "cat_x2.jpg", (40, 24)),
        (("--scale", "2", "--format", "webp"), "cat_x2.webp", (40, 24)),
    ],
)
def test_size_and_format_options(
    run: Run,
    tmp_path: Path,
    photo: Photo,
    write_picture: Write,
    size_of: SizeOf,
    words: tuple[str, ...],
    name: str,
    size: tuple[int, int],
) -> None:
    """Each option has its effect on name, size and format."""
    source = write_picture(tmp_path / "cat.png", photo)
    assert run("enlarge", source, *PLAIN, *words) == 0
    assert size_of(tmp_path / name) == size


def test_output_file_decides_the_format(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write
) -> None:
    """-o with a file name writes that file, in the format its extension says."""
    source = write_picture(tmp_path / "cat.png", photo)
    target = tmp_path / "large.webp"
    assert run("enlarge", source, *PLAIN, "-o", target) == 0
    assert Decoder(target.read_bytes()).header.format == "webp"


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "large.xyz"),
        ("-o", "large.png", "--format", "jpeg"),
        ("--overwrite", "--skip-existing"),
        ("--scale", "2", "--width", "50"),
        ("--scale", "0"),
        ("--scale", "nan"),
        ("--soften", "2"),
        ("--clean", "2"),
        ("--clean", "nan"),
        ("--threads", "0"),
        ("--no-such-option",),
    ],
)
def test_contradictions_are_usage_errors(
    run: Run,
    tmp_path: Path,
    photo: Photo,
    write_picture: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """They exit with 2, say one line, and write nothing."""
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "cat.png", photo)
    assert run("enlarge", "cat.png", *PLAIN, *words) == EXIT_USAGE
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_existing_result_is_kept_unless_told(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write
) -> None:
    """It is refused by default, skipped or replaced on request."""
    source = write_picture(tmp_path / "cat.png", photo)
    target = tmp_path / "cat_x3.png"
    target.write_bytes(b"old")
    assert run("enlarge", source, *PLAIN) == EXIT_SETUP
    assert run("enlarge", source, *PLAIN, "--skip-existing") == 0
    assert target.read_bytes() == b"old"
    assert run("enlarge", source, *PLAIN, "--overwrite") == 0
    assert target.read_bytes() != b"old"


def test_input_is_never_replaced_by_its_result(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write
) -> None:
    """Even --overwrite does not let a picture take its own place."""
    source = write_picture(tmp_path / "cat.png", photo)
    before = source.read_bytes()
    assert run("enlarge", source, *PLAIN, "-o", source, "--overwrite") == EXIT_SETUP
    assert source.read_bytes() == before


def test_folder_keeps_its_tree(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write
) -> None:
    """--recursive goes below; results keep their place under -o; other files are left alone."""
    inputs = tmp_path / "in"
    (inputs / "deep").mkdir(parents=True)
    write_picture(inputs / "a.png", photo)
    write_picture(inputs / "deep" / "b.jpg", photo)
    (inputs / "notes.txt").write_text("not a picture")
    out = tmp_path / "out"
    assert run("enlarge", inputs, *PLAIN, "-o", out, "--scale", "2") == 0
    assert sorted(path.name for path in out.rglob("*.*")) == ["a_x2.png"]
    again = ("--recursive", "--skip-existing")
    assert run("enlarge", inputs, *PLAIN, "-o", out, "--scale", "2", *again) == 0
    assert (out / "deep" / "b_x2.jpg").exists()


def test_rest_goes_on_after_a_failure(
    run: Run,
    tmp_path: Path,
    photo: Photo,
    write_picture: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first failure's code counts; --json tells of every picture on its own line."""
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    good = write_picture(tmp_path / "good.png", photo)
    assert run("enlarge", bad, good, *PLAIN, "--json") == EXIT_CALLER
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["error"] == "unsupported-picture"
    assert (second["width"], second["height"], second["model"]) == (60, 36, "bicubic")


def test_pipes(tmp_path: Path, photo: Photo, write_picture: Write) -> None:
    """`-` reads standard input and writes nothing but the picture to standard output."""
    source = write_picture(tmp_path / "cat.png", photo)
    done = subprocess.run(
        [sys.executable, "-m", "upres", "enlarge", "-", *PLAIN, "--format", "jpeg"],
        input=source.read_bytes(),
        capture_output=True,
        check=True,
    )
    header = Decoder(done.stdout).header
    assert (header.format, header.width, header.height) == ("jpeg", 60, 36)


def test_unknown_model_names_the_known_ones(
    run: Run,
    tmp_path: Path,
    photo: Photo,
    write_picture: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message helps."""
    source = write_picture(tmp_path / "cat.png", photo)
    assert run("enlarge", source, "--model", "nonesuch") == EXIT_CALLER
    assert "lite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, EXIT_INTERRUPTED), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_signals_leave_no_file(
    tmp_path: Path, write_picture: Write, number: signal.Signals, code: int
) -> None:
    """Ctrl-C or a request to end, in the middle of the writing: nothing is left behind."""
    pixels = np.random.default_rng(1).integers(0, 256, (900, 1200, 3), np.uint8)
    source = write_picture(tmp_path / "cat.png", pixels)
    process = subprocess.Popen(
        [sys.executable, "-m", "upres", "enlarge", str(source), "--model", "fast", "--tta"],
        stderr=subprocess.PIPE,
        text=True,
        # a background job of a plain shell is started with interrupts ignored, and so are we then
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".upres-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert stderr.strip() == ("upres: interrupted" if number == signal.SIGINT else "")
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_two_pictures_never_share_a_result(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write
) -> None:
    """The second is refused, even with --overwrite: the first result would be lost."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    write_picture(inputs / "a.png", photo)
    write_picture(inputs / "a.jpg", photo)
    words = ("--format", "webp", "-o", tmp_path / "out", "--overwrite")
    assert run("enlarge", inputs, *PLAIN, *words) == EXIT_SETUP
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_x3.webp"]


@pytest.mark.parametrize("words", [(), ("-o", "out"), ("-o", "in/out", "--recursive")])
def test_a_second_run_leaves_results_alone(
    run: Run,
    tmp_path: Path,
    photo: Photo,
    write_picture: Write,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """Results of the first run are not pictures to enlarge, wherever they lie."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", photo)
    write_picture(tmp_path / "in" / "b_x3.png", photo)
    assert run("enlarge", "in", *PLAIN, *words) == 0
    before = sorted(tmp_path.rglob("*.png"))
    assert run("enlarge", "in", *PLAIN, *words, "--skip-existing") == 0
    assert sorted(tmp_path.rglob("*.png")) == before
    assert len(before) == 4


def test_refused_runs_make_no_folder(
    run: Run, tmp_path: Path, photo: Photo, write_picture: Write
) -> None:
    """The folder for results comes with the first result."""
    source = write_picture(tmp_path / "a.png", photo)
    assert run("enlarge", source, "-o", f"{tmp_path}/new/", "--model", "nonesuch") == EXIT_CALLER
    assert not (tmp_path / "new").exists()


def test_inputs_that_mean_nothing_are_refused(run: Run) -> None:
    """An empty name, as of an unset variable, is not the current folder."""
    assert run("enlarge", "") == EXIT_USAGE
    assert run("enlarge", "-", "-") == EXIT_USAGE


def test_files_past_the_byte_limit_are_refused(
    run: Run,
    tmp_path: Path,
    photo: Photo,
    write_picture: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are not even read to their end."""
    source = write_picture(tmp_path / "a.png", photo)
    monkeypatch.setenv("UPRES_MAX_INPUT_BYTES", "100")
    assert run("enlarge", source, *PLAIN) == EXIT_CALLER


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true"])
def test_standard_output_that_takes_nothing(
    tmp_path: Path, photo: Photo, write_picture: Write, redirection: str
) -> None:
    """One line, no traceback."""
    source = write_picture(tmp_path / "a.png", np.tile(photo, (20, 20, 1)))
    command = f"{sys.executable} -m upres enlarge {source} --model bicubic -o - {redirection}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 1


class TestFlatParts:
    """What is flat is interpolated with `auto`, and the user is told."""

    @pytest.fixture
    def half(self, tmp_path: Path, write_picture: Write) -> Path:
        """Return a picture whose left half is flat."""
        pixels = np.full((96, 128, 3), 90, np.uint8)
        pixels[:, 64:] = np.random.default_rng(0).integers(0, 256, (96, 64, 3))
        return write_picture(tmp_path / "half.png", pixels)

    @pytest.mark.parametrize(
        ("words", "spared"),
        [((), True), (("--exact",), False), (("--precision", "fp32"), False)],
    )
    def test_json_tells_the_share(
        self,
        run: Run,
        half: Path,
        capsys: pytest.CaptureFixture[str],
        words: tuple[str, ...],
        *,
        spared: bool,
    ) -> None:
        """`--precision fp32` stays exact without another word."""
        assert run("enlarge", half, "--model", "lite", "--json", *words) == 0
        told = json.loads(capsys.readouterr().out)
        share = told["interpolated"]
        assert told["engine"] == "openvino"
        assert told["precision"] == ("fp32" if "fp32" in words else told["precision"])
        assert (0.3 < share < 0.5) if spared else share == 0

    def test_people_are_told(
        self, run: Run, half: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On the result's line, where there is something to tell."""
        assert run("enlarge", half, "--model", "lite") == 0
        assert "flat, so bicubic: 3" in capsys.readouterr().err
        assert run("enlarge", half, "--model", "lite", "--exact", "--overwrite") == 0
        assert "flat" not in capsys.readouterr().err
