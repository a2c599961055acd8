"""Functions and files stay small enough to read in one go."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "upres"
FILES = {str(path.relative_to(SOURCE)): path for path in sorted(SOURCE.rglob("*.py"))}

FUNCTION_LINES = 50
USUAL_FUNCTION_LINES = 40
"""Nine of ten functions have no more."""
FILE_LINES = 300


def function_lengths(path: Path) -> dict[str, int]:
    """Return the lines of every function in a file, from `def` to its end, docstring included."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {
        f"{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in found
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("name", FILES)
def test_functions_fit_a_screen(name: str) -> None:
    """At most 50 lines each."""
    lengths = function_lengths(FILES[name])
    assert not {where: lines for where, lines in lengths.items() if lines > FUNCTION_LINES}


def test_most_functions_are_shorter_still() -> None:
    """Nine of ten have at most 40 lines."""
    lengths = sorted(lines for path in FILES.values() for lines in function_lengths(path).values())
    assert lengths[len(lengths) * 9 // 10] <= USUAL_FUNCTION_LINES


@pytest.mark.parametrize("name", FILES)
def test_files_are_read_in_one_go(name: str) -> None:
    """At most 300 lines."""
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@pytest.mark.parametrize("name", FILES)
def test_every_file_says_in_a_sentence_what_it_is(name: str) -> None:
    """The first line of its docstring is that sentence."""
    docstring = ast.get_docstring(ast.parse(FILES[name].read_text(encoding="utf-8")))
    assert docstring, "no docstring"
    first = docstring.splitlines()[0]
    assert first.endswith(".")
    assert ". " not in first
