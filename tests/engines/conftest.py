"""What the engines' tests share: each engine that is here, in each arithmetic it has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from upres.engines import ENGINE_NAMES, engine, installed

if TYPE_CHECKING:
    from pathlib import Path

    from builders import Case

    from upres.engines.base import Engine, Precision, Session

_PRECISIONS: dict[str, tuple[Precision, ...]] = {
    "openvino": ("fp32", "bf16"),
    "onnxruntime": ("fp32",),
    "opencv": ("fp32",),
}


class Kind(NamedTuple):
    """An engine in one arithmetic."""

    engine: Engine
    precision: Precision

    def open(self, case: Case, folder: Path, *, threads: int = 2) -> Session:
        """Save a generated network and open it."""
        path = case.save(folder)
        return self.engine.open(path, case.spec, precision=self.precision, threads=threads)


def present(name: str) -> Engine:
    """Return an engine; where its library is missing the test is skipped, but fails in CI."""
    if name not in installed():
        if os.environ.get("CI"):
            pytest.fail(f"engine {name} is not installed")
        pytest.skip(f"engine {name} is not installed")
    return engine(name)


@pytest.fixture(params=ENGINE_NAMES)
def each_engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine in turn."""
    return present(request.param)


@pytest.fixture(
    params=[(name, precision) for name in ENGINE_NAMES for precision in _PRECISIONS[name]],
    ids="-".join,
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every engine in each arithmetic that this CPU has."""
    name, precision = request.param
    found = present(name)
    if precision not in found.precisions():
        pytest.skip(f"engine {name} has no {precision} on this CPU")
    return Kind(found, precision)
