"""Engines keep to themselves: nothing is sent, nothing written, nothing printed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from builders import case
from engines.conftest import present

if TYPE_CHECKING:
    from pathlib import Path

    from upres.engines.base import Engine

PROGRAM = """
import socket, sys, time
from pathlib import Path

def refuse(*words):
    print("reaches out:", words)
    raise OSError

socket.socket.connect = socket.getaddrinfo = refuse
sys.path[:0] = sys.argv[3:]
import numpy
from builders import case
from upres.engines import engine

made = case("computed-size")
chosen = engine(sys.argv[1])
for precision in chosen.precisions():
    with chosen.open(Path(sys.argv[2]), made.spec, precision=precision, threads=2) as session:
        session.run(numpy.zeros((1, 3, 40, 40), numpy.float32))
time.sleep(0.5)  # for what a library sends in the background
"""


def test_an_engine_is_quiet(each_engine: Engine, tmp_path: Path) -> None:
    """From the import on: no connection, no name looked up, no file in the user's home, no word."""
    home = tmp_path / "home"
    home.mkdir()
    graph = case("computed-size").save(tmp_path)  # which OpenCV refuses once, with words
    hidden = {"CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, each_engine.name, str(graph), *sys.path],
        env={**environment, "HOME": str(home), "USERPROFILE": str(home)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


def test_openvinos_telemetry_stays_importable_for_others() -> None:
    """Hiding the package is for the time of our import; a program's own use of it goes on."""
    present("openvino")
    program = (
        "from upres.engines.openvino import library;"
        "library(); import openvino_telemetry, openvino; openvino.convert_model"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_thread_means_one(each_engine: Engine, tmp_path: Path) -> None:
    """With threads=1 one thread of the process does all the work."""
    program = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[3:]
import numpy
from builders import case
from upres.engines import engine

def ticks():
    files = Path("/proc/self/task").glob("*/stat")
    stats = [file.read_text().rpartition(")")[2].split() for file in files]
    return sorted(int(stat[11]) + int(stat[12]) for stat in stats)

tile = numpy.zeros((1, 3, 96, 96), numpy.float32)
with engine(sys.argv[1]).open(Path(sys.argv[2]), case("resized").spec, threads=1) as session:
    session.run(tile)
    before = sum(ticks())
    end = time.perf_counter() + 0.8
    while time.perf_counter() < end:
        session.run(tile)
    print(sum(ticks()) - before, ticks()[-1])
"""
    graph = case("resized").save(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", program, each_engine.name, str(graph), *sys.path],
        capture_output=True,
        text=True,
        check=True,
    )
    in_all, busiest = map(int, run.stdout.split())
    assert busiest >= 0.9 * in_all
