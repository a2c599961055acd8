"""Runs networks on OpenVINO's CPU plug-in, in fp32, int8 or, where the CPU has it, bf16."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from upres.engines.instructions import has_int8_dot_product
from upres.engines.libraries import check_request, needed, package_version, translated
from upres.engines.session import LockedSession

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

_DEVICE = "CPU"
_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What is not quantized in an int8 graph stays exact: bf16 there costs quality and no time."""

_import_lock = threading.Lock()


def library() -> Any:
    """Import OpenVINO without letting it phone home; raises EngineMissing.

    `import openvino` alone sends usage to Google Analytics and leaves a client id in ~/intel. Its
    own stand-in for an absent telemetry package takes over when that package cannot be imported.
    """
    with _import_lock, needed("openvino", package="openvino"), _telemetry_hidden():
        import openvino

        return openvino


@contextmanager
def _telemetry_hidden() -> Iterator[None]:
    name = "openvino_telemetry"
    modules: dict[str, Any] = sys.modules
    before = modules.get(name)
    modules[name] = None  # makes importing it raise ImportError
    try:
        yield
    finally:
        del modules[name]
        if before is not None:
            modules[name] = before


class OpenVinoEngine:
    """OpenVINO on the CPU."""

    name = "openvino"
    package = "openvino"

    def version(self) -> str:
        """Return the library's version without loading it; raises EngineMissing."""
        return package_version(self.name, packages=(self.package,))

    def precisions(self) -> tuple[Precision, ...]:
        """Return fp32, and bf16 and int8 where the CPU has instructions for them."""
        int8: tuple[Precision, ...] = ("int8",) if has_int8_dot_product() else ()
        return (*_floats(library().Core()), *int8)

    def wanted_format(self, spec: ModelSpec) -> Literal["onnx", "pb"]:  # noqa: ARG002 - the seam's
        """Return `onnx`."""
        return "onnx"

    def open(
        self, path: Path, spec: ModelSpec, *, precision: Precision = "fp32", threads: int
    ) -> LockedSession:
        """Load an ONNX graph; see `upres.engines.base.Engine`."""
        core = library().Core()
        available: tuple[Precision, ...] = (*_floats(core), "int8")  # which runs on any CPU
        check_request(self.name, precision=precision, available=available, threads=threads)
        with translated(self.name, model=spec.id):
            core.set_property({"ENABLE_MMAP": False, "CACHE_DIR": ""})
            model = core.read_model(str(path))
            model.reshape([1, spec.channels.count, -1, -1])
            compiled = core.compile_model(model, _DEVICE, _options(precision, threads))
            request = compiled.create_infer_request()

        def network(planes: NDArray[np.float32]) -> Any:
            # Without share_outputs the arrays of the answer are copies.
            return request.infer({0: planes})[0]

        return LockedSession(network, engine=self.name, spec=spec)


def _floats(core: Any) -> tuple[Precision, ...]:
    # OpenVINO computes bf16 on any CPU, but only with the instructions for it is that fast.
    has_bf16 = "BF16" in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
    return ("fp32", "bf16") if has_bf16 else ("fp32",)


def _options(precision: Precision, threads: int) -> dict[str, Any]:
    """Return how a network is compiled; figures are of OpenVINO 2026.4, two Zen 4 cores.

    It is compiled once, for any height and width. That is as fast as a compilation for each shape
    (within 2 %; 5 % on FSRCNN) without their time (2.5 s each for EDSR) and copies of the weights.
    By default it keeps kernels for every shape it meets, 0.4 MB for each with lite x3: 580 MB after
    1500 shapes. Without that cache memory stays flat, and mixed shapes run no slower.
    """
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned threads of two processes would share the same cores and leave others idle.
        "ENABLE_CPU_PINNING": False,
        # Left alone, OpenVINO takes bf16 where the CPU has it: other results on other machines.
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        "CPU_RUNTIME_CACHE_CAPACITY": 0,
    }


ENGINE = OpenVinoEngine()
