"""Runs networks on ONNX Runtime, in fp32; int8 graphs as well, but no faster."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Literal

from upres.engines.libraries import check_request, needed, package_version, translated
from upres.engines.session import LockedSession

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

_FATAL = 4
"""The highest of ONNX Runtime's log levels; errors reach us as exceptions anyway."""

_import_lock = threading.Lock()


def library() -> Any:
    """Import ONNX Runtime without letting it phone home; raises EngineMissing.

    Since 1.32 its wheels for Linux, macOS and Windows send usage to Microsoft and leave a device
    id in the user's cache folder, from the import on. This variable is the one switch that stops
    all of it, and it must be set before. A program that imported the library earlier keeps what
    it chose, but for the events that can still be stopped.
    """
    with _import_lock, needed("onnxruntime", package="onnxruntime"):
        os.putenv("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        return onnxruntime


class OnnxRuntimeEngine:
    """ONNX Runtime on the CPU."""

    name = "onnxruntime"
    package = "onnxruntime"

    def version(self) -> str:
        """Return the library's version without loading it; raises EngineMissing."""
        return package_version(self.name, packages=(self.package,))

    def precisions(self) -> tuple[Precision, ...]:
        """Return fp32: int8 graphs run too, and slower, as their sums stay in floating point."""
        self.version()
        return ("fp32",)

    def wanted_format(self, spec: ModelSpec) -> Literal["onnx", "pb"]:  # noqa: ARG002 - the seam's
        """Return `onnx`."""
        return "onnx"

    def open(
        self, path: Path, spec: ModelSpec, *, precision: Precision = "fp32", threads: int
    ) -> LockedSession:
        """Load an ONNX graph; see `upres.engines.base.Engine`."""
        check_request(self.name, precision=precision, available=("fp32", "int8"), threads=threads)
        ort = library()
        with translated(self.name, model=spec.id):
            session = ort.InferenceSession(
                str(path), _options(ort, threads), providers=["CPUExecutionProvider"]
            )
            (source,) = (value.name for value in session.get_inputs())

        def network(planes: NDArray[np.float32]) -> Any:
            return session.run(None, {source: planes})[0]

        return LockedSession(network, engine=self.name, spec=spec)


def _options(ort: Any, threads: int) -> Any:
    """Return how a session is set up; figures are of ONNX Runtime 1.32, two Zen 4 cores.

    One session takes every shape. An arena without memory patterns holds the least and stays flat:
    186 MB over 40 shapes up to 300 x 300 (lite x3), 241 with patterns, 356 with patterns alone; it
    is 1 to 3 % faster than none. Threads that spin while they wait gain nothing on an idle machine
    and cost up to half the speed on a busy one.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL
    return options


ENGINE = OnnxRuntimeEngine()
