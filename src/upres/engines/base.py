"""The seam between upres and the libraries that run networks: what an engine and a session are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from upres.models.spec import ModelSpec

Precision = Literal["fp32", "bf16", "int8"]
"""`int8` runs the quantized twin of a graph; the others say how the graph itself is computed."""


class Session(Protocol):
    """A network made ready to run on one machine; safe to call from several threads."""

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enlarge one tile.

        `planes` has shape (1, C, h, w) with h and w at least 2, values in 0..`spec.value_max`,
        channels as in `spec.channels`; the result has shape (1, C, h * scale, w * scale), is
        unclipped, and belongs to the caller. Raises EngineFailed.
        """

    def close(self) -> None:
        """Free the network's memory; the session cannot run afterwards."""

    def __enter__(self) -> Self:
        """Return the session itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""


class Engine(Protocol):
    """A library that can run ONNX networks."""

    name: str
    """As in `--engine`."""
    package: str
    """What to give `pip install` when the library is missing."""

    def version(self) -> str:
        """Version of the library; raises EngineMissing."""

    def precisions(self) -> tuple[Precision, ...]:
        """Arithmetic this machine runs at full speed, the exact one first; raises EngineMissing."""

    def wanted_format(self, spec: ModelSpec) -> Literal["onnx", "pb"]:
        """Which of the model's files `open` wants."""

    def open(
        self, path: Path, spec: ModelSpec, *, precision: Precision = "fp32", threads: int
    ) -> Session:
        """Load the network in `path`, verified to be `spec`'s; for int8 its quantized twin.

        `threads` is exact, never a hint. Raises EngineMissing, PrecisionUnavailable, EngineFailed.
        """
