"""`upres bench`: options, tables, files, exit codes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upres.bench import comparison, plots
from upres.cli.exits import EXIT_CALLER, EXIT_SETUP, EXIT_USAGE

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder with two noisy pictures."""
    folder = tmp_path / "Mine"
    folder.mkdir()
    chance = np.random.default_rng(1)
    for name in ("a.png", "b.png"):
        pixels = chance.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def test_quality(run: Run, pictures: Path, tmp_path: Path, capsys: Capture) -> None:
    """The table on the terminal and in Markdown, everything in JSON, drawings."""
    record, page, drawings = tmp_path / "q.json", tmp_path / "q.md", tmp_path / "drawings"
    words = ["bench", "quality", "--data", pictures, "--models", "bicubic,fsrcnn-small"]
    words += ["--scales", "2,3", "--degradations", "bicubic,jpeg", "--no-ssim", "--limit", "1"]
    outputs = ["--json", record, "--markdown", page, "--plots", drawings]
    assert run(*words, *outputs) == 0
    output = capsys.readouterr()
    assert output.err == ""
    table = [line for line in output.out.splitlines() if line.startswith("| x")]
    assert [line.split()[1:6:2] for line in table] == [
        [scale, way, model]
        for scale in ("x2", "x3")
        for way in ("bicubic", "jpeg")
        for model in ("bicubic", "fsrcnn-small")
    ]
    assert output.out.strip() in page.read_text("utf-8")
    content = json.loads(record.read_bytes())
    assert len(content["pictures"]) == len(table) == 8
    assert {picture["picture"] for picture in content["pictures"]} == {"a.png"}
    assert len(list(drawings.glob("*.png"))) == 4
    again = tmp_path / "again.json"
    command = shlex.split(content["command"].replace(str(record), str(again)))
    assert command[:3] == ["upres", "bench", "quality"]
    assert run(*command[1:]) == 0
    same = ("psnr_y_db", "ssim_y")
    assert [[one[key] for key in same] for one in json.loads(again.read_bytes())["means"]] == [
        [one[key] for key in same] for one in content["means"]
    ]


def test_warnings_are_lines_of_their_own(run: Run, pictures: Path, capsys: Capture) -> None:
    """On standard error; the rest is scored."""
    (pictures / "notes.txt").write_text("notes")
    (pictures / "._a.png").write_text("")
    assert run("bench", "quality", "--data", pictures, "--models", "bicubic,lite-x3") == 0
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("upres: ") for line in lines)
    assert [next(word for word in ("lite", "._a", "notes") if word in line) for line in lines] == [
        "lite",
        "._a",
        "notes",
    ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--models", "nonesuch"), EXIT_CALLER, "unknown model nonesuch"),
        (("--models", "edsr"), EXIT_SETUP, "upres models pull edsr"),
        (("--models", "bicubic", "--engine", "abacus"), EXIT_USAGE, "abacus"),
        (("--scales", "1"), EXIT_USAGE, "--scales"),
        (("--scales", "two"), EXIT_USAGE, "--scales"),
        (("--models", "bicubic,,lite"), EXIT_USAGE, "--models"),
        (("--degradations", "blur"), EXIT_USAGE, "bicubic, area, cubic, jpeg"),
        (("--json", "no/such/folder.json"), EXIT_SETUP, "no/such/folder.json"),
    ],
)
def test_refused(
    run: Run, pictures: Path, capsys: Capture, words: tuple[str, ...], code: int, told: str
) -> None:
    """One line; before any picture is read."""
    assert run("bench", "quality", "--data", pictures, "--limit", "1", *words) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_nothing_to_read(run: Run, tmp_path: Path, capsys: Capture) -> None:
    """No folder, an empty one, one without a picture: never an empty table."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("notes")
    for name in ("nowhere", "empty", "texts"):
        assert run("bench", "quality", "--data", tmp_path / name, "--models", "bicubic") != 0
        output = capsys.readouterr()
        assert output.out == ""
        assert name in output.err.splitlines()[-1]


def test_plots_without_matplotlib(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """One line that names the extra, before anything is measured."""
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    code = run("bench", "quality", "--data", pictures, "--plots", tmp_path / "drawings")
    assert code == EXIT_USAGE
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert "pip install 'upres[bench]'" in line


def test_speed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Both tables, and everything in JSON."""
    monkeypatch.setattr(comparison, "_FULL_HD", (192, 108))
    record, page, drawings = tmp_path / "s.json", tmp_path / "s.md", tmp_path / "drawings"
    words = ["bench", "speed", "--models", "bicubic,fsrcnn-small", "--rounds", "1"]
    words += ["--engines", "onnxruntime", "--precisions", "fp32", "--threads", "1"]
    assert run(*words, "--json", record, "--markdown", page, "--plots", drawings) == 0
    output = capsys.readouterr()
    assert output.err == ""
    content = json.loads(record.read_bytes())
    assert [one["model"] for one in content["models"]] == ["bicubic", "fsrcnn-small-x3"]
    assert [(one["model"], one["engine"]) for one in content["engines"]] == [
        ("fsrcnn-small-x3", "onnxruntime"),
        ("lite-x3", "onnxruntime"),
    ]
    assert content["command"].startswith("upres bench speed --models bicubic,fsrcnn-small")
    assert output.out.strip() in page.read_text("utf-8")
    assert "Speeds are multiples of lite-x3" in output.out
    assert {path.name for path in drawings.iterdir()} == {"models-x3.png", "engines-x3.png"}


def test_speed_refused(run: Run, capsys: Capture) -> None:
    """As everywhere: one line."""
    for words, code in (
        (("--models", "edsr"), EXIT_SETUP),
        (("--engines", "abacus"), EXIT_USAGE),
        (("--precisions", "fp8"), EXIT_USAGE),
        (("--models", "lite", "--scale", "7"), EXIT_USAGE),
    ):
        assert run("bench", "speed", *words) == code
        assert capsys.readouterr().err.splitlines()[-1].startswith("upres: ")
