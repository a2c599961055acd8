"""`upres doctor`: a line for everything that matters, and 4 where something needs mending."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import repeated
from store_cases import flip

from upres import __version__
from upres.addition import add_model
from upres.cli import doctor
from upres.cli.exits import EXIT_SETUP
from upres.config import Settings
from upres.engines import ENGINE_NAMES
from upres.engines import engine as engine_named
from upres.errors import EngineMissing
from upres.models.catalogue import Catalogue
from upres.service.parts import Service
from upres.service.settings import ServiceSettings
from upres.workbench import Workbench

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]

NOBODY = 65534

AS_NOBODY = f"""
import os, sys
from upres.cli import run, doctor
run(["doctor"])  # imports what lies where nobody may not read
doctor._engines = lambda workbench: ()  # their libraries lie there, too
print("---", flush=True)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
sys.exit(run(["doctor"]))
"""


def report(capsys: Capture) -> tuple[list[str], list[str]]:
    """Return what is found to be good and what is wrong, without their marks."""
    good, wrong = [], []
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("  ok     "):
            good.append(line.removeprefix("  ok     "))
        elif line.startswith("  wrong  "):
            wrong.append(line.removeprefix("  wrong  "))
    return good, wrong


@pytest.fixture
def added() -> Path:
    """Add a network of our own making and return its file in the model folder."""
    bench = Workbench(Settings.from_environment())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiny.onnx"
        file.write_bytes(repeated(scale=2).model.SerializeToString())
        return bench.settings.store.folder / add_model(file, workbench=bench).file.name


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user may go through, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_this_installation_is_well(run: Run, capsys: Capture) -> None:
    """Version and machine on top, then every engine, every model that is here, folders, service."""
    assert run("doctor") == 0
    text = capsys.readouterr().out
    head, machine, *lines = text.splitlines()
    assert head.startswith(f"upres {__version__}, Python {sys.version_info.major}.")
    assert re.search(r", \d+ usable CPUs?$", machine)
    assert all(line.startswith("  ok     ") for line in lines)
    found = [line.removeprefix("  ok     ") for line in lines]
    for name, line in zip(ENGINE_NAMES, found, strict=False):
        version = re.escape(engine_named(name).version())
        level = re.match(rf"{name} {version}: fp32.*; lite-x3 keeps white at ([\d.]+)$", line)
        assert level, line
        assert abs(float(level[1]) - 255) < 2
    bundled = [spec.id for spec in Catalogue.load() if not spec.file.sources]
    assert [line.partition(":")[0] for line in found[len(ENGINE_NAMES) : -4]] == bundled
    for line, variable in zip(found[-4:-2], ("UPRES_MODEL_DIR", "UPRES_CACHE_DIR"), strict=True):
        assert line.endswith(f"{os.environ[variable]}: can be written")
    assert found[-2].startswith("sandbox for uploads: works")
    assert found[-1].endswith("made when the service starts")
    assert not Path(os.environ["UPRES_SERVICE_DATA_FOLDER"]).exists()


def test_a_service_that_runs_is_looked_at(
    run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its database and its folder; its settings where they are wrong."""
    Service.open(ServiceSettings.from_environment()).close()
    monkeypatch.setenv("UPRES_SERVICE_FREE_FLOOR_BYTES", "0")
    assert run("doctor") == 0
    good, _ = report(capsys)
    *_, database, folder, workers = good
    assert re.match(r"service database .*jobs.sqlite: can be written", database)
    assert re.match(r"service folder .*: can be written", folder)
    assert workers == "service workers now: 0"
    monkeypatch.setenv("UPRES_SERVICE_FREE_FLOOR_BYTES", "much")
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    assert "UPRES_SERVICE_FREE_FLOOR_BYTES" in wrong[-1]


def test_looking_writes_nothing(run: Run) -> None:
    """No folder is made to find out whether one could be."""
    assert run("doctor") == 0
    assert not Path(os.environ["UPRES_MODEL_DIR"]).exists()
    assert not Path(os.environ["UPRES_CACHE_DIR"]).exists()


def test_added_model_is_checked_too(run: Run, added: Path, capsys: Capture) -> None:
    """It stands among the rest."""
    assert run("doctor") == 0
    good, _ = report(capsys)
    assert f"tiny-x2: {added}" in good


def test_damaged_model(run: Run, added: Path, capsys: Capture) -> None:
    """The file is named, the rest is still looked at."""
    flip(added, bit=321)
    assert run("doctor") == EXIT_SETUP
    good, wrong = report(capsys)
    (line,) = wrong
    assert line.startswith(f"tiny-x2: {added} is damaged")
    assert any(line.startswith("cache folder") for line in good)


def test_truncated_model(run: Run, added: Path, capsys: Capture) -> None:
    """A file of the wrong length is a damaged one, not one that is not here."""
    added.write_bytes(added.read_bytes()[:-1])
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    assert [line.split(" ")[:4] for line in wrong] == [["tiny-x2:", str(added), "is", "damaged:"]]


def test_added_model_without_its_file(run: Run, added: Path, capsys: Capture) -> None:
    """Whoever added it means to use it: it has no source to pull it from."""
    added.unlink()
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    assert [line.partition(":")[0] for line in wrong] == ["tiny-x2"]


def test_broken_entry(run: Run, added: Path, capsys: Capture) -> None:
    """The file to mend is named."""
    entry = added.parent / "added" / "tiny-x2.toml"
    entry.write_text("[[model")
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    (line,) = wrong
    assert "tiny-x2.toml" in line


def test_senseless_setting(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The variable is named."""
    monkeypatch.setenv("UPRES_THREADS", "many")
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    assert wrong == ["UPRES_THREADS is 'many'; expected whole numbers above 0"]


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_engine_that_is_not_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str
) -> None:
    """The line says what to install; the other engines are still tried."""
    missing = engine_named(name)

    def absent(*_: object, **__: object) -> None:
        raise EngineMissing(name, missing.package)

    monkeypatch.setattr(type(missing), "open", absent)
    assert run("doctor") == EXIT_SETUP
    good, wrong = report(capsys)
    (line,) = wrong
    assert line.startswith(f"{name}: ")
    assert f"pip install {missing.package}" in line
    others = [other for other in ENGINE_NAMES if other != name]
    assert [line.split(" ")[0] for line in good[:2]] == others


def test_engine_that_computes_nonsense(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A white picture that does not stay white is wrong, however well it runs."""

    class Black:
        def run(self, planes: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> object:
            _, _, height, width = planes.shape
            return np.zeros((1, 3, height * 3, width * 3), np.float32)

    engine = engine_named("onnxruntime")
    monkeypatch.setattr(type(engine), "open", lambda *_, **__: Black())
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    assert [line.split(" ")[0].rstrip(":") for line in wrong] == ["onnxruntime"]


@pytest.mark.parametrize("variable", ["UPRES_MODEL_DIR", "UPRES_CACHE_DIR"])
@pytest.mark.parametrize("below", ["", "deep/folder"])
def test_file_in_a_folders_place(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    variable: str,
    below: str,
) -> None:
    """No folder can be made there, though the file could be written."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(variable, str(blocked / below))
    assert run("doctor") == EXIT_SETUP
    _, wrong = report(capsys)
    (line,) = wrong
    assert line.startswith("model folder" if "MODEL" in variable else "cache folder")
    assert str(blocked) in line


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions as POSIX has them")
@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["read-only", "closed"])
@pytest.mark.parametrize("variable", ["UPRES_MODEL_DIR", "UPRES_CACHE_DIR"])
def test_folder_without_permission(open_folder: Path, mode: int, variable: str) -> None:
    """An ordinary user is told of the folder, and sees no traceback."""
    if not all(parent.stat().st_mode & 0o001 for parent in Path(doctor.__file__).parents):
        pytest.skip("this checkout lies where other users may not go")
    closed, other = open_folder / "closed", open_folder / "other"
    closed.mkdir()
    other.mkdir()
    other.chmod(0o777)
    closed.chmod(mode)
    folders = {"UPRES_MODEL_DIR": str(other), "UPRES_CACHE_DIR": str(other)}
    folders["UPRES_SERVICE_DATA_FOLDER"] = str(other / "service")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY],
            env={**os.environ, "PYTHONPATH": path, **folders, variable: str(closed / "upres")},
            capture_output=True,
            check=False,
            text=True,
            cwd="/",
        )
    finally:
        closed.chmod(0o755)
    _, _, as_nobody = done.stdout.partition("---")
    wrong = [line for line in as_nobody.splitlines() if line.startswith("  wrong")]
    assert done.stderr == ""
    assert done.returncode == EXIT_SETUP
    assert len(wrong) == 1
    assert str(closed) in wrong[0]


def test_words_of_the_report_are_lines(run: Run, added: Path, capsys: Capture) -> None:
    """Every finding is one line with its mark, also where an engine has much to say."""
    flip(added, bit=1)
    run("doctor")
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"  (ok   |wrong)  \S", line) for line in lines)
    assert doctor.command.help
