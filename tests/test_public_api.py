"""`import upres` offers what it lists, and costs nothing until something is used."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import subprocess
import sys

import pytest

import upres

HEAVY = (
    "cv2",
    "onnx",
    "onnxruntime",
    "openvino",
    "pyvips",
    "numpy",
    "httpx",
    "click",
    "rich",
    "PIL",
)


def offered() -> set[str]:
    """Return the names that upres takes from its own modules, lazily or at once, to offer them."""
    nodes = ast.walk(ast.parse(inspect.getsource(upres)))
    return {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("upres.")
        for alias in node.names
    }


def test_all_lists_the_public_names() -> None:
    """What is taken from inside to be offered, and the version; sorted, none twice."""
    assert set(upres.__all__) == offered() | {"__version__"}
    assert len(set(upres.__all__)) == len(upres.__all__)


def test_nothing_else_looks_public() -> None:
    """A name without an underscore is listed, or is a part of Python's own furniture."""
    furniture = {"annotations", "TYPE_CHECKING", "Any"}
    names = {
        name
        for name, value in vars(upres).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert names - furniture <= set(upres.__all__)


@pytest.mark.parametrize("name", upres.__all__)
def test_every_public_name_resolves(name: str) -> None:
    """Lazily loaded ones too, with a docstring to help."""
    value = getattr(upres, name)
    assert value is not None
    if name != "__version__":
        assert inspect.getdoc(value)


def test_other_names_do_not() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'upres' has no attribute 'enlarged'"):
        _ = upres.enlarged


def test_importing_upres_loads_no_library() -> None:
    """A program that may never enlarge a picture pays for none."""
    program = (
        f"import sys, json, upres; print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert json.loads(child.stdout) == []


def test_the_docstrings_example_is_true() -> None:
    """What a newcomer reads first is run as it stands."""
    result = doctest.testmod(upres)
    assert result.attempted > 0
    assert result.failed == 0
