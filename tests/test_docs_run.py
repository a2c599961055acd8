"""The commands and programs of the documentation, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import openapi_reference
import pytest
from picture_files import saved, scene
from PIL import Image
from web_server import web

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"
PLACE = "http://localhost:8080"
_SUFFIXES = {"bash": ".sh", "python": ".py", "javascript": ".mjs"}


def blocks(page: str, *languages: str) -> list[tuple[str, str]]:
    """Return the programs in a page, with their languages."""
    text = (DOCS / page).read_text("utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(language, program) for language, program in found if language in languages]


def run(language: str, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, where `upres` is the one under test."""
    words = {"bash": ["bash", "-eu"], "python": [sys.executable], "javascript": ["node"]}[language]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    script = folder / f"program{_SUFFIXES[language]}"
    script.write_text(program, "utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [*words, str(script)],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return where a service with one worker answers."""
    folder = tmp_path_factory.mktemp("service")
    with web(folder) as server:
        environment = os.environ | {"UPRES_SERVICE_DATA_FOLDER": str(folder / "data")}
        command = [sys.executable, "-m", "upres", "worker"]
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(command, env=environment, stderr=log)
        try:
            yield server.ready()
        finally:
            worker.kill()
            worker.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the service needs Linux")
@pytest.mark.parametrize("number", range(len(blocks("how-to/api.md", *_SUFFIXES))))
def test_programs_that_call_the_service(url: str, tmp_path: Path, number: int) -> None:
    language, program = blocks("how-to/api.md", *_SUFFIXES)[number]
    (tmp_path / "photo.jpg").write_bytes(saved(scene(30, 40), "jpeg"))
    assert PLACE in program
    done = run(language, program.replace(PLACE, url), tmp_path)
    assert done.returncode == 0, done.stderr
    if "large." in program:
        (large,) = tmp_path.glob("large.*")
        factor = 2 if large.suffix == ".png" else 3
        assert size(large) == (factor * 40, factor * 30)
    else:
        assert '"code": "unsupported-picture"' in done.stdout


def test_the_tutorial_from_scan_to_print(tmp_path: Path) -> None:
    """Each command does what the text around it says."""
    scan = Image.fromarray(scene(90, 120))
    scan.save(tmp_path / "scan.tif", dpi=(600, 600))
    for language, program in blocks("tutorial-print.md", "bash"):
        program = program.replace("--long-side 3543", "--long-side 204")  # noqa: PLW2901
        done = run(language, program, tmp_path)
        assert done.returncode == 0, program + done.stderr
    assert size(tmp_path / "try.png") == (180, 135)
    with Image.open(tmp_path / "print.tif") as printed:
        assert printed.size == (204, 153)
        assert float(printed.info["dpi"][0]) == pytest.approx(600 * 1.7, abs=1)
    assert (tmp_path / "print.jpg").exists()
    assert "<html" in (tmp_path / "compare.html").read_text("utf-8")
    assert len(list((tmp_path / "prints").iterdir())) == 2


def test_the_page_of_operations_is_what_the_service_says() -> None:
    """`make docs` writes it anew."""
    assert openapi_reference.PAGE.read_text("utf-8") == openapi_reference.render()
