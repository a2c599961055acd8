"""Finding engines by name, and what merely looking for them costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from upres.engines import ENGINE_NAMES, engine, installed
from upres.errors import EngineMissing, InvalidOption


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_an_engine_knows_its_name(name: str) -> None:
    """Whether or not its library is here, the engine is."""
    assert engine(name).name == name
    assert engine(name).package


def test_an_unknown_name_lists_the_known_ones() -> None:
    """The error is the caller's fault and says what would be right."""
    with pytest.raises(InvalidOption, match="openvino, onnxruntime, opencv"):
        engine("tensorrt")


def test_a_missing_library_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own note that a module cannot be imported counts."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert "openvino" not in installed()


def test_a_missing_package_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What names the version also names what to install."""
    monkeypatch.setattr("importlib.metadata.version", absent)
    for name in ENGINE_NAMES:
        with pytest.raises(EngineMissing, match=engine(name).package):
            engine(name).version()


def absent(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_looking_for_engines_imports_no_library() -> None:
    """Names, presence and versions cost no start-up time; NumPy alone may come with an engine."""
    program = (
        "import sys, json, upres.engines as e;"
        "first = sorted(sys.modules);"
        "found = {n: e.engine(n).version() for n in e.installed()};"
        "print(json.dumps([first, sorted(sys.modules), found]))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    first, later, found = json.loads(run.stdout)
    assert set(found) == set(installed())
    assert not {"numpy", "onnxruntime", "openvino", "cv2"} & set(first)
    assert not {"onnxruntime", "openvino", "cv2"} & set(later)
