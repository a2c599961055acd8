"""Runs networks on OpenCV: ONNX in cv2.dnn, and the original EDSR files in cv2.dnn_superres."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from upres.engines.libraries import check_request, needed, package_version, translated
from upres.engines.session import LockedSession
from upres.errors import EngineMissing
from upres.models.depth_to_space import uses_crd, without_crd
from upres.models.spec import Channels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from upres.engines.base import Precision
    from upres.models.spec import ModelSpec

PACKAGE = "opencv-contrib-python-headless"
_PACKAGES = (PACKAGE, "opencv-contrib-python", "opencv-python-headless", "opencv-python")
_PROBES_PX = ((32, 32), (48, 64))
_SMALLEST_SIDE_PX = 2
"""The classic engine computes 3x3 depthwise convolutions wrongly on a single row or column."""
_TOP_LEVEL = 255

_process_lock = threading.Lock()
"""Held while anything of cv2 runs for us: its number of threads belongs to the whole process."""


def library() -> Any:
    """Import OpenCV; raises EngineMissing."""
    with needed("opencv", package=PACKAGE):
        import cv2

        return cv2


class OpenCvEngine:
    """OpenCV's dnn modules on the CPU, which compute in fp32 only."""

    name = "opencv"
    package = PACKAGE

    def version(self) -> str:
        """Return the library's version without loading it; raises EngineMissing."""
        return package_version(self.name, packages=_PACKAGES)

    def precisions(self) -> tuple[Precision, ...]:
        """Return fp32: OpenCV has no faster arithmetic on ordinary CPUs."""
        self.version()
        return ("fp32",)

    def wanted_format(self, spec: ModelSpec) -> Literal["onnx", "pb"]:
        """Return `pb` for EDSR's original files, which dnn_superres reads, else `onnx`.

        Of the luma models' original files dnn_superres would enlarge chroma too, its own way.
        """
        return "pb" if spec.file.format == "pb" and spec.channels is Channels.BGR else "onnx"

    def open(
        self, path: Path, spec: ModelSpec, *, precision: Precision = "fp32", threads: int
    ) -> LockedSession:
        """Load an ONNX graph or EDSR's original file; see `upres.engines.base.Engine`.

        A `.pb` file runs in 8 bits on both sides, as dnn_superres does it: planes are rounded to
        whole levels and clipped to 0..255 before it, and its results are such levels.
        """
        check_request(self.name, precision=precision, available=("fp32",), threads=threads)
        cv2 = library()
        with translated(self.name, model=spec.id), _our_turn(cv2, threads):
            if path.suffix == ".pb":
                inner = _superres(cv2, path, spec)
            else:
                inner = _graph(cv2, path, planes=spec.channels.count)

        def network(planes: NDArray[np.float32]) -> Any:
            with _our_turn(cv2, threads):
                return inner(planes)

        return LockedSession(network, engine=self.name, spec=spec)


@contextmanager
def _our_turn(cv2: Any, threads: int) -> Iterator[None]:
    """Hold OpenCV alone, with our number of threads and no log, and leave it as it was found."""
    with _process_lock:
        log = cv2.utils.logging
        before, level = cv2.getNumThreads(), log.getLogLevel()
        cv2.setNumThreads(threads)
        log.setLogLevel(log.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            log.setLogLevel(level)
            cv2.setNumThreads(before)


def _graph(cv2: Any, path: Path, *, planes: int) -> Callable[[NDArray[np.float32]], Any]:
    """Load an ONNX graph, in the order of DepthToSpace that dnn_superres does not spoil."""
    graph = path.read_bytes()
    if not uses_crd(graph):
        return _loaded(cv2, path, planes=planes)
    with TemporaryDirectory(prefix="upres-") as folder:
        rewritten = Path(folder) / "graph.onnx"  # OpenCV 5.0 takes no engine for graphs in memory
        rewritten.write_bytes(without_crd(graph))
        return _loaded(cv2, rewritten, planes=planes)


def _loaded(cv2: Any, path: Path, *, planes: int) -> Callable[[NDArray[np.float32]], Any]:
    """Load a graph into the faster of OpenCV's two engines that takes it.

    The classic engine has Winograd convolutions: 3x3 networks take it a fraction of the new
    engine's CPU time (lite x3 0.43, EDSR x3 0.38, ESPCN 0.59, LapSRN 0.97; OpenCV 5.0, Zen 4). But
    it takes fewer graphs: none of free size that computes sizes, for one.
    """
    net = _classic(cv2, path, planes=planes)
    if net is None:
        net = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_NEW)

    def run(tile: NDArray[np.float32]) -> Any:
        if min(tile.shape[2:]) < _SMALLEST_SIDE_PX:
            raise ValueError(f"tiles need sides of {_SMALLEST_SIDE_PX} pixels or more")
        net.setInput(tile)
        return net.forward().copy()  # the result is the network's own memory

    return run


def _classic(cv2: Any, path: Path, *, planes: int) -> Any:
    """Return the graph in the classic engine, None where it fails or has fixed a size."""
    import numpy as np

    grown: set[tuple[float, ...]] = set()
    try:
        net = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_CLASSIC)
        for size in _PROBES_PX:
            net.setInput(np.zeros((1, planes, *size), np.float32))
            shape = net.forward().shape[2:]
            grown.add(tuple(big / small for big, small in zip(shape, size, strict=False)))
    except cv2.error:
        return None
    return net if len(grown) == 1 else None


def _superres(cv2: Any, path: Path, spec: ModelSpec) -> Callable[[NDArray[np.float32]], Any]:
    """Load EDSR's original file the way the module's users do."""
    import numpy as np

    if not hasattr(cv2, "dnn_superres"):  # OpenCV without its contrib modules
        raise EngineMissing("opencv", PACKAGE)
    network = cv2.dnn_superres.DnnSuperResImpl_create()
    network.readModel(str(path))
    network.setModel("edsr", spec.scale)
    to_levels = np.float32(_TOP_LEVEL / spec.value_max)

    def run(tile: NDArray[np.float32]) -> Any:
        levels = np.clip(np.rint(tile[0] * to_levels), 0, _TOP_LEVEL).astype(np.uint8)
        enlarged = network.upsample(np.ascontiguousarray(levels.transpose(1, 2, 0)))
        return enlarged.transpose(2, 0, 1)[np.newaxis] / to_levels

    return run


ENGINE = OpenCvEngine()
