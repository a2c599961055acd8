"""What lies around the network: start, decoding and encoding, large pictures."""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from proofs.timing.ratios import paired, photo
from upres.engines.base import Session
from upres.errors import UnknownModel
from upres.library import Upscaler
from upres.upscale.upscaler import Network

_START_S = {"cold": 1.2, "warm": 0.7}
_STARTS = 5
_JPEG_TIMES = 1.5
_JPEG_PX = (4000, 3000)
_JPEG_ROUNDS = 3
_LARGE_TIMES = 1.15
_LARGE_BYTES = 3 * (3 * 5000) ** 2
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's mallopt
_ROUNDS = 5
_FIRST_TILE = """
import json, time
import numpy as np
import upres
array = np.zeros((64, 64, 3), np.uint8)
upres.Upscaler.load(MODEL, exact=True)(array)
print(json.dumps(time.clock_gettime(time.CLOCK_MONOTONIC)))
"""


def _small_model() -> str:
    """Return the fastest of ours that is here."""
    try:
        Upscaler.load("fast")
    except UnknownModel:
        return "lite"
    return "fast"


def measure_start(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Time a process from its start to its first enlarged tile, in `auto`'s engine and precision.

    Cold: no int8 twin has been made and nothing was compiled; the disk's own cache is warm.
    """
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(_STARTS):
        with tempfile.TemporaryDirectory() as folder:
            for each in seconds.values():
                each.append(round(_first_tile_s("lite", Path(folder)), 3))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return {
        "model": "lite x3",
        "seconds": seconds,
        "medians": medians,
        "wanted": _START_S,
        "passed": all(medians[name] < most for name, most in _START_S.items()),
    }


def _first_tile_s(model: str, folder: Path) -> float:
    places = {"UPRES_MODEL_DIR": str(folder / "models"), "UPRES_CACHE_DIR": str(folder / "cache")}
    began_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    run = subprocess.run(
        [sys.executable, "-c", _FIRST_TILE.replace("MODEL", repr(model))],
        env={**os.environ, **places},
        capture_output=True,
        check=True,
        text=True,
    )
    return float(json.loads(run.stdout)) - began_s


def measure_jpeg(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Time a 12-megapixel JPEG file to a file at x2 with `fast`, and the network alone within."""
    model = _small_model()
    upscaler = Upscaler.load(model, scale=2)
    network = upscaler.method(factor=2)
    if not isinstance(network, Network):
        raise TypeError(network)
    watch = _Watch(network.session)
    upscaler._held[network.spec.id] = Network(  # noqa: SLF001 - to look at it while it works
        spec=network.spec, session=watch, tile_memory_bytes=network.tile_memory_bytes
    )
    walls, inside = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        Image.fromarray(photo(*_JPEG_PX)).save(path, quality=92)
        for _ in range(_JPEG_ROUNDS + 1):
            watch.seconds = 0.0
            began_s = time.perf_counter()
            upscaler(path).unlink()
            walls.append(time.perf_counter() - began_s)
            inside.append(watch.seconds)
    each = [wall / network_s for wall, network_s in zip(walls[1:], inside[1:], strict=True)]
    right_model = (model, network.spec.scale) == ("fast", 2)
    return {
        "network": network.spec.id,
        "wall_s": walls,
        "network_s": inside,
        "wall / network": each,
        "note": "" if right_model else "fast x2 is not there: its network would take less time",
        "passed": right_model and statistics.median(each) <= _JPEG_TIMES,
    }


class _Watch:
    """A session that adds up how long it ran."""

    def __init__(self, session: Session) -> None:
        self._session: Any = session
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, planes: NDArray[np.float32]) -> Any:
        """Run the network inside."""
        return self._timed(self._session.run, planes)

    def run_levels(self, planes: NDArray[np.float32]) -> Any:
        """Run the network inside, for levels."""
        return self._timed(self._session.run_levels, planes)

    def _timed(self, run: Callable[[NDArray[np.float32]], Any], planes: NDArray[np.float32]) -> Any:
        began_s = time.perf_counter()
        result = run(planes)
        self.seconds += time.perf_counter() - began_s
        return result


def _keep_freed_memory() -> None:
    """Have the C library give freed memory out again instead of giving it back to the system.

    It does so anyway for results of 1 megapixel. A virtual machine takes what is given back away,
    and to touch the 675 MB of the large result anew costs whatever its host makes of it.
    """
    library = ctypes.CDLL(None)
    if not (library.mallopt(_MMAP_MAX, 0) and library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)):
        raise OSError("this C library does not keep memory")


def _touch_s(size: int) -> float:
    began_s = time.perf_counter()
    np.empty(size, np.uint8)[:] = 1
    return time.perf_counter() - began_s


def measure_large(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Time 25 megapixels and 1, array to array, with the fastest model of ours, in turns.

    Both write into memory that the process has; what fresh memory costs here is told beside.
    """
    model = _small_model()
    fresh_s = _touch_s(_LARGE_BYTES)
    _keep_freed_memory()
    upscaler = Upscaler.load(model, engine="openvino")
    runs = {"1 megapixel": (upscaler, photo(1000, 1000)), "25": (upscaler, photo(5000, 5000))}
    seconds = paired(runs, pairs=_ROUNDS if model == "fast" else 2)
    each = [
        large / small for small, large in zip(seconds["1 megapixel"], seconds["25"], strict=True)
    ]
    return {
        "model": model,
        "seconds for a megapixel": seconds,
        "25 / 1": each,
        "seconds to touch as much fresh memory": fresh_s,
        "most": _LARGE_TIMES,
        "passed": statistics.median(each) <= _LARGE_TIMES,
    }
