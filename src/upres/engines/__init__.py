"""The libraries that run networks, each behind one file; importing this package loads none."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from upres.errors import InvalidOption

if TYPE_CHECKING:
    from upres.engines.base import Engine, Precision
    from upres.models.spec import ModelSpec

_LIBRARIES = {"openvino": "openvino", "onnxruntime": "onnxruntime", "opencv": "cv2"}
"""Engine -> the module that its library installs."""

ENGINE_NAMES: tuple[str, ...] = tuple(_LIBRARIES)
"""As in `--engine`, in the order in which `auto` prefers them where nothing was measured."""


def engine(name: str) -> Engine:
    """Return the engine of that name, whether or not its library is here; else InvalidOption."""
    if name not in ENGINE_NAMES:
        raise InvalidOption("engine", name, f"one of {', '.join(ENGINE_NAMES)}")
    made: Engine = import_module(f"{__name__}.{name}").ENGINE
    return made


def wanted_file(
    engine: Engine, spec: ModelSpec, *, precision: Precision
) -> Literal["onnx", "pb", "int8"]:
    """Return which of a model's files an engine is to open for an arithmetic."""
    return "int8" if precision == "int8" else engine.wanted_format(spec)


def installed() -> tuple[str, ...]:
    """Return the names of the engines whose library is here, in the order of `ENGINE_NAMES`."""
    return tuple(name for name, module in _LIBRARIES.items() if _is_here(module))


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # a module that was put into sys.modules by hand, as tests do
        return False
