"""Who may import whom, as data: layers from the bottom up, fences around libraries."""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parent.parent / "src" / "upres"

LAYERS = (
    ("errors",),
    ("image", "models.spec"),
    ("sandbox",),
    ("condition",),
    ("models", "engines"),
    ("upscale",),
    ("storage",),
    ("jobs",),
    ("config", "workbench", "addition"),
    ("enlargement",),
    ("result_names",),
    ("library",),
    ("__init__",),
    ("video",),
    ("bench", "compare"),
    ("service",),
    ("web",),
    ("cli",),
    ("__main__",),
)
"""A file imports from lower layers, from earlier names of its own, and from its own folder."""

FENCES = {
    "apiflask": ("web",),
    "av": ("video",),
    "click": ("cli",),
    "cv2": ("engines.opencv",),
    "filelock": ("models", "storage", "video.work"),
    "flask": ("web",),
    "google": ("models", "addition"),
    "gunicorn": ("web.server",),
    "httpx": ("models",),
    "limits": ("web.limits",),
    "numpy": ("",),
    "onnx": ("models", "addition"),
    "onnxruntime": ("engines.onnxruntime",),
    "openvino": ("engines.openvino",),
    "matplotlib": ("bench",),
    "PIL": ("compare", "image.bmp", "library", "sandbox.child"),
    "platformdirs": ("config", "service.settings"),
    "prometheus_client": ("web.operations",),
    "pydantic": ("service.given", "service.settings", "web"),
    "pypi_simple": ("models",),
    "pyvips": ("image",),
    "rich": ("cli",),
    "sqlalchemy": ("jobs", "web.limits"),
    "structlog": ("service.log",),
    "tomli_w": ("addition", "web.keys"),
    "werkzeug": ("web",),
}
"""Third-party libraries and where they may be imported; a library that is not here nowhere."""

ENVIRONMENT = {
    "environ": ("config", "service.settings"),
    "environb": ("config",),
    "getenv": ("config",),
    "getenvb": ("config",),
    "putenv": ("engines.onnxruntime", "video.writer"),
    "unsetenv": ("engines.onnxruntime",),
}
"""Functions of `os` that read or change the environment, and who may use them."""

NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}
"""File names that say nothing."""


def within(module: str, place: str) -> bool:
    """Tell whether a module is a place, or in the folder of that name; '' is everywhere."""
    return not place or module == place or module.startswith(f"{place}.")


@cache
def modules() -> dict[str, Path]:
    """Return every module of upres by its name without `upres.`; a folder's is the folder's."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1]) if parts[-1] == "__init__" else ".".join(parts)
        found[name or "__init__"] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    """Parse a module."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imported(module: str) -> Iterator[tuple[str, int]]:
    """Yield the full name of everything a module imports, wherever in it, with the line.

    `from upres import library` is an import of upres.library.
    """
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                inner = full.removeprefix("upres.") in modules()
                yield (full if inner else str(node.module)), node.lineno


def own_imports(module: str) -> Iterator[tuple[str, int]]:
    """Yield the modules of upres that a module imports, named as in `modules`."""
    for name, line in imported(module):
        if name == "upres" or name.startswith("upres."):
            yield name.removeprefix("upres").removeprefix(".") or "__init__", line


def rank(module: str) -> tuple[int, int]:
    """Return a module's layer and its place in it; the longest matching name counts."""
    places = [
        (len(name), layer, place)
        for layer, names in enumerate(LAYERS)
        for place, name in enumerate(names)
        if within(module, name)
    ]
    assert places, f"{module} is in no layer"
    return max(places)[1:]


CODE = [name for name, path in modules().items() if path.parent.name != "samples"]
"""Every module but the sample pictures' folder, which holds no code."""


@pytest.mark.parametrize("module", CODE)
def test_a_file_imports_from_below_only(module: str) -> None:
    """Imports for type checkers count: they are what a reader has to know."""
    wrong = [
        f"{module}:{line} imports {target}, which is above it"
        for target, line in own_imports(module)
        if rank(target) > rank(module)
    ]
    assert not wrong


def test_no_two_files_import_each_other() -> None:
    """Not in a circle of any length: within a folder, too, something comes first."""
    graph = {
        module: {target for target, _ in own_imports(module)} - {module} for module in modules()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", modules())
def test_libraries_stay_behind_their_fences(module: str) -> None:
    """To replace a library means to change the few files that may import it."""
    wrong = []
    for name, line in imported(module):
        library = name.partition(".")[0]
        if library in sys.stdlib_module_names or library == "upres":
            continue
        places = FENCES.get(library, ())
        if not any(within(module, place) for place in places):
            allowed = ", ".join(places) or "nowhere: is it a dependency, and whose?"
            wrong.append(f"{module}:{line} imports {library}; allowed: {allowed}")
    assert not wrong


@pytest.mark.parametrize("module", modules())
def test_the_environment_is_read_in_one_file(module: str) -> None:
    """Everything else is given its settings."""
    wrong = []
    for node in ast.walk(tree(module)):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [node.attr] if node.value.id == "os" else []
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names = [alias.name for alias in node.names]
        wrong += [
            f"{module} uses os.{name}; allowed: {', '.join(ENVIRONMENT[name])}"
            for name in names
            if name in ENVIRONMENT and module not in ENVIRONMENT[name]
        ]
    assert not wrong


@pytest.mark.parametrize("module", modules())
def test_files_are_named_for_what_they_hold(module: str) -> None:
    """A drawer for everything is opened for nothing."""
    assert not NAMELESS & set(module.split("."))
