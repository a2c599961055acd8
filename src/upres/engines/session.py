"""The session that every engine hands out: one loaded network behind a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from upres.engines.libraries import translated
from upres.errors import EngineFailed

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from upres.models.spec import ModelSpec

Network = Callable[["NDArray[np.float32]"], Any]
"""A loaded network: planes (1, C, h, w) to an array that nobody else holds."""

_RANK = 4
_LEVEL_MAX = np.float32(255)


class LockedSession:
    """Runs one network for any number of threads, one tile at a time.

    A network already uses all the threads it was given, so running two tiles at once would gain
    nothing and cost twice the memory.
    """

    def __init__(
        self,
        network: Network,
        *,
        engine: str,
        spec: ModelSpec,
        to_levels: Network | None = None,
    ) -> None:
        """Take a network that gives enlarged planes (1, C, h, w).

        `to_levels` gives what `run_levels` does in one go, where the engine can.
        """
        self._network: Network | None = network
        self._to_levels = to_levels
        self._value_max = np.float32(spec.value_max)
        self._engine = engine
        self._model = spec.id
        self._planes = spec.channels.count
        self._lock = threading.Lock()

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enlarge one tile, as `upres.engines.base.Session` says; raises EngineFailed."""
        return np.ascontiguousarray(self._run(self._network, planes), np.float32)

    def run_levels(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Enlarge one tile, as `upres.engines.base.Session` says; raises EngineFailed."""
        if self._to_levels is not None:
            levels: NDArray[np.uint8] = self._run(self._to_levels, planes)
            return levels
        values = self.run(planes)[0]
        np.clip(values, 0, self._value_max, out=values)
        values *= _LEVEL_MAX / self._value_max
        values += np.float32(0.5)
        levels = np.empty((*values.shape[1:], len(values)), np.uint8)
        for plane, of_plane in enumerate(values):
            levels[..., plane] = of_plane
        return levels

    def _run(self, network: Network | None, planes: NDArray[np.float32]) -> Any:
        self._check(planes)
        with self._lock:
            if self._network is None or network is None:
                raise EngineFailed(self._engine, self._model, "the session is closed")
            with translated(self._engine, model=self._model):
                return network(np.ascontiguousarray(planes))

    def _check(self, planes: NDArray[np.float32]) -> None:
        """Refuse what is no tile here, where the text can say so better than the library would."""
        right = planes.ndim == _RANK and planes.shape[:2] == (1, self._planes) and planes.size
        if not right or planes.dtype != np.float32:
            given = f"{planes.dtype} {'x'.join(map(str, planes.shape))}"
            reason = f"the input is {given}, not float32 1x{self._planes} and height x width"
            raise EngineFailed(self._engine, self._model, reason)

    def close(self) -> None:
        """Free the network once no thread runs it; closing again does nothing."""
        with self._lock:
            self._network = self._to_levels = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
