"""`upres tune`: measured once, then `auto` follows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import repeated
from store_cases import flip

from upres.addition import add_model
from upres.cli.exits import EXIT_CALLER, EXIT_SETUP, EXIT_USAGE
from upres.config import Settings
from upres.engines import ENGINE_NAMES
from upres.engines.choose import choose, current_conditions
from upres.engines.measurements import load
from upres.models.spec import ModelSpec
from upres.upscale.upscaler import Network
from upres.workbench import Runtime, Workbench

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def cache() -> Path:
    """Return the cache folder, which nobody has made yet."""
    return Path(os.environ["UPRES_CACHE_DIR"])


def spec_of(name: str, scale: int) -> ModelSpec:
    """Return a catalogue entry."""
    return Workbench(Settings.from_environment()).catalogue.get(name, scale)


def test_measures_every_engine_and_keeps_it(run: Run, cache: Path, capsys: Capture) -> None:
    """A line for each engine and arithmetic, one of them marked: the one that `auto` takes."""
    assert run("tune", "fsrcnn-small-x2", "--threads", "1") == 0
    *lines, fitted = capsys.readouterr().out.splitlines()
    assert {line[2:].split()[1] for line in lines} == {*ENGINE_NAMES}
    assert all(line[2:].split()[0] == "fsrcnn-small-x2" for line in lines)
    assert all(line.split()[-5:-2] == ["levels", "from", "fp32"] for line in lines)
    assert all(abs(float(line.split()[-2])) < 1 and line.endswith(" dB") for line in lines)
    (marked,) = (line.split() for line in lines if line.startswith("*"))
    conditions = current_conditions(spec_of("fsrcnn-small", 2), threads=1)
    kept = load(conditions=conditions, folder=cache)
    best = choose(kept)
    assert marked[2:4] == [best.engine, best.precision]
    assert len(kept) == len(lines)
    assert fitted.split()[:3] == ["fsrcnn-small-x2", best.engine, best.precision]
    assert "threads: 1, tiles: " in fitted
    assert "workers" not in fitted
    assert [path.name for path in cache.iterdir()] == [conditions.file(cache).name]


def test_auto_follows(run: Run, cache: Path) -> None:
    """The next process takes what was measured to be fastest."""
    assert run("tune", "fsrcnn-small-x2", "--threads", "1") == 0
    (file,) = cache.iterdir()
    content = json.loads(file.read_bytes())
    for measurement in content["measurements"]:
        fast = measurement["engine"] == "opencv"
        measurement["seconds"] = [0.001 if fast else 1.0]
    file.write_text(json.dumps(content), "utf-8")
    bench = Workbench(Settings.from_environment())
    auto, named = (
        bench.method("fsrcnn-small", factor=2, runtime=Runtime(engine=engine, threads=1))
        for engine in ("auto", "opencv")
    )
    assert isinstance(auto, Network)
    assert auto is named


def test_measures_what_is_here_and_was_named(run: Run, capsys: Capture) -> None:
    """A name is all its factors; a model that was added counts."""
    bench = Workbench(Settings.from_environment())
    own = Path(os.environ["UPRES_CACHE_DIR"]).parent / "own.onnx"
    own.write_bytes(repeated(scale=2).model.SerializeToString())
    add_model(own, workbench=bench)
    assert run("tune", "fsrcnn-small", "own") == 0
    tuned = {line[2:].split()[0] for line in capsys.readouterr().out.splitlines()}
    assert tuned == {"fsrcnn-small-x2", "fsrcnn-small-x3", "fsrcnn-small-x4", "own-x2"}


def test_threads_of_the_environment(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured with the threads that `upres enlarge` would use here."""
    monkeypatch.setenv("UPRES_THREADS", "1")
    assert run("tune", "fsrcnn-small-x2") == 0
    conditions = current_conditions(spec_of("fsrcnn-small", 2), threads=1)
    assert conditions.file(cache).is_file()


def test_auto_is_a_name(run: Run, capsys: Capture) -> None:
    """As in every other command."""
    assert run("tune", "auto", "--threads", "1") == 0
    assert "lite-x3" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nonesuch", "lite-x7"])
def test_unknown_name(run: Run, cache: Path, capsys: Capture, name: str) -> None:
    """One line; nothing is measured, not even what was named beside it."""
    assert run("tune", "fsrcnn-small-x2", name) == EXIT_CALLER
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith(f"upres: unknown model {name}")
    assert not cache.exists()


def test_model_that_is_not_here(run: Run, capsys: Capture) -> None:
    """It is known, but missing: the line says how to get it."""
    assert run("tune", "edsr-x3") == EXIT_SETUP
    (line,) = capsys.readouterr().err.splitlines()
    assert "upres models pull edsr-x3" in line


def test_damaged_model(run: Run, capsys: Capture) -> None:
    """It is not measured."""
    bench = Workbench(Settings.from_environment())
    own = Path(os.environ["UPRES_CACHE_DIR"]).parent / "own.onnx"
    own.write_bytes(repeated(scale=2).model.SerializeToString())
    flip(bench.store.find(add_model(own, workbench=bench)), bit=99)
    assert run("tune", "own") == EXIT_SETUP
    (line,) = capsys.readouterr().err.splitlines()
    assert "is damaged" in line


def test_cache_folder_that_cannot_be_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """One line that names it."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("UPRES_CACHE_DIR", str(blocked / "cache"))
    assert run("tune", "fsrcnn-small-x2") == EXIT_SETUP
    (line,) = capsys.readouterr().err.splitlines()
    assert str(blocked) in line


def test_no_threads(run: Run) -> None:
    """Are no number of threads."""
    assert run("tune", "--threads", "0") == EXIT_USAGE


def test_auto_takes_threads_and_tiles(run: Run, cache: Path, capsys: Capture) -> None:
    """Where none are asked for; tiles of another size are told apart in a result's key."""
    assert run("tune", "fsrcnn-small-x2", "--threads", "2") == 0
    assert "2 workers of 1 thread do " in capsys.readouterr().out
    (file,) = cache.iterdir()
    content = json.loads(file.read_bytes())
    content["setting"] |= {"threads": 1, "tile_px": 128}
    file.write_text(json.dumps(content), "utf-8")
    bench, spec = Workbench(Settings.from_environment()), spec_of("fsrcnn-small", 2)
    setting = content["setting"]
    best = Runtime(engine=setting["engine"], precision=setting["precision"], threads=2)
    assert bench.choice(spec, runtime=best) == (setting["engine"], setting["precision"], 2)
    tile_bytes = 128**2 * spec.working_bytes_per_px
    assert bench.network(spec, runtime=best).tile_memory_bytes == tile_bytes
    assert bench.tile_memory_bytes(spec, runtime=best) == tile_bytes
    other = Runtime(engine="opencv" if setting["engine"] != "opencv" else "openvino", threads=2)
    assert bench.network(spec, runtime=other).tile_memory_bytes == Network.tile_memory_bytes


def test_auto_takes_fewer_threads_where_none_are_asked_for(
    run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads on two half cores may be slower than one."""
    monkeypatch.setattr("upres.workbench.usable_cpus", lambda: 2)
    assert run("tune", "fsrcnn-small-x2", "--threads", "2") == 0
    (file,) = cache.iterdir()
    content = json.loads(file.read_bytes())
    content["setting"]["threads"] = 1
    file.write_text(json.dumps(content), "utf-8")
    bench, spec = Workbench(Settings.from_environment()), spec_of("fsrcnn-small", 2)
    assert bench.choice(spec, runtime=Runtime())[2] == 1
    assert bench.choice(spec, runtime=Runtime(threads=2))[2] == 2
