"""Runs networks on OpenVINO's CPU plug-in, in fp32, int8 or, where the CPU has it, bf16."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from upres.engines.instructions import has_int8_dot_product
from upres.engines.libraries import check_request, needed, package_version, translated
from upres.engines.session import LockedSession, Network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

_DEVICE = "CPU"
_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What is not quantized in an int8 graph stays exact: bf16 there costs quality and no time."""

_SMALL_BYTES = 8 * 2**20
"""Files of networks that are held a second time, for results in levels, are no larger."""

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

        def compiled(graph: Any) -> Network:
            prepared = core.compile_model(graph, _DEVICE, _options(precision, threads))
            request = prepared.create_infer_request()
            # Without share_outputs the arrays of the answer are copies.
            return lambda planes: request.infer({0: planes})[0]

        if spec.file.bytes > _SMALL_BYTES:
            # rounding is nothing beside its work, and its weights in memory twice are something
            with translated(self.name, model=spec.id):
                network = compiled(model)
            return LockedSession(network, engine=self.name, spec=spec)
        return LockedSession(
            _Late(lambda: compiled(model)),
            engine=self.name,
            spec=spec,
            to_levels=_Late(lambda: compiled(_rounding(model, spec))),
        )


class _Late:
    """A network that is prepared when it is first run: most sessions need one of their two."""

    def __init__(self, prepare: Callable[[], Network]) -> None:
        self._prepare = prepare
        self._network: Network | None = None

    def __call__(self, planes: NDArray[np.float32]) -> Any:
        """Run it; the session lets one thread in at a time."""
        if self._network is None:
            self._network = self._prepare()
        return self._network(planes)


def _rounding(model: Any, spec: ModelSpec) -> Any:
    """Return a network that ends in levels, (h * scale, w * scale, C) of 8 bits.

    What passes black and white is clipped. A pixel shuffle at the end and the way from planes to
    pixels become one transposition of levels, a quarter of the bytes. With `fast` separate steps in
    numpy took 43 of a megapixel's 295 ms (bf16, two Zen 5 cores).
    """
    openvino = library()
    opset13, constant = openvino.opset13, openvino.opset13.constant

    def numbers(*values: int) -> Any:
        return constant(np.array(values, np.int64))

    graph = model.clone()
    (planes,), (result,) = graph.get_parameters(), graph.get_results()
    last = result.input_value(0)
    shuffle = last.get_node() if last.get_node().get_type_name() == "DepthToSpace" else None
    values = last if shuffle is None else shuffle.input_value(0)
    levels = opset13.multiply(
        opset13.clamp(values, 0.0, float(spec.value_max)),
        constant(np.float32(255 / spec.value_max)),
    )
    levels = opset13.convert(opset13.add(levels, constant(np.float32(0.5))), "u8")
    if shuffle is None:
        pixels = opset13.squeeze(opset13.transpose(levels, numbers(0, 2, 3, 1)), numbers(0))
    else:
        scale, count = spec.scale, spec.channels.count
        colours_first = shuffle.get_attributes()["mode"] == "depth_first"
        fine = (count, scale, scale) if colours_first else (scale, scale, count)
        order = (3, 1, 4, 2, 0) if colours_first else (3, 0, 4, 1, 2)
        shape = opset13.shape_of(planes)
        height = opset13.gather(shape, numbers(2), constant(np.int64(0)))
        width = opset13.gather(shape, numbers(3), constant(np.int64(0)))
        apart = opset13.concat([numbers(*fine), height, width], 0)
        levels = opset13.transpose(opset13.reshape(levels, apart, False), numbers(*order))
        larger = [opset13.multiply(side, numbers(scale)) for side in (height, width)]
        pixels = opset13.reshape(
            levels, opset13.concat([*larger, numbers(count)], 0), special_zero=False
        )
    return openvino.Model([opset13.result(pixels)], [planes], "levels")


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
