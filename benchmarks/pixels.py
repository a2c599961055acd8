"""Time and memory against the number of pixels: arrays when warm, whole commands on files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

import upres
from proofs.watched import run
from upres.image.encode import encoded
from upres.image.picture import Picture
from upres.models.catalogue import Catalogue

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAR = "time and memory against pixels: warm arrays, and whole commands on files (no bar)"
_MEGAPIXELS = (1, 5, 25)
_SCALE = 2
_THREADS = 2
_ROUNDS = 5
_TIME_LIMIT_S = 300
_ASPECT = 1.5


def measure(seed: int) -> dict[str, Any]:
    """Enlarge noise-textured pictures of growing size: arrays in paired rounds, then files."""
    model = "fast" if _SCALE in _scales("fast") else "espcn"
    warm = _arrays(model, seed)
    per_px = {size: [s / size for s in seconds] for size, seconds in warm.items()}
    first, last = per_px[_MEGAPIXELS[0]], per_px[_MEGAPIXELS[-1]]
    ratio = median(large / small for small, large in zip(first, last, strict=True))
    return {
        "model": f"{model}-x{_SCALE}",
        "threads": _THREADS,
        "arrays_seconds": {str(size): [round(s, 4) for s in each] for size, each in warm.items()},
        "ratio_per_pixel_25_to_1": round(ratio, 3),
        "files": _files(model, seed),
        "passed": all(warm.values()),
    }


def _scales(model: str) -> tuple[int, ...]:
    catalogue = Catalogue.load()
    return tuple(catalogue.scales(model)) if model in catalogue.names else ()


def picture(megapixels: int, seed: int) -> NDArray[np.uint8]:
    """Return a picture of slopes and noise, (H, W, 3): no two tiles of it are the same."""
    height = round((megapixels * 1e6 / _ASPECT) ** 0.5)
    width = round(height * _ASPECT)
    slope = np.linspace(40, 200, width)[np.newaxis, :, np.newaxis]
    noise = np.random.default_rng(seed).integers(0, 48, (height, width, 3))
    return (slope + noise).astype(np.uint8)


def _arrays(model: str, seed: int) -> dict[int, list[float]]:
    upscaler = upres.Upscaler.load(
        model, scale=_SCALE, engine="openvino", precision="fp32", threads=_THREADS
    )
    pictures = {size: picture(size, seed) for size in _MEGAPIXELS}
    seconds: dict[int, list[float]] = {size: [] for size in pictures}
    for count in range(_ROUNDS + 1):
        for size, pixels in pictures.items():
            started = time.perf_counter()
            upscaler(pixels)
            if count:  # the first round warms up
                seconds[size].append(time.perf_counter() - started)
    return seconds


def _files(model: str, seed: int) -> list[dict[str, float]]:
    """Run the whole command on a JPEG file of each size, in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in _MEGAPIXELS:
            data = encoded(Picture(pixels=picture(size, seed)), format="jpeg", quality=90)
            (folder / "in.jpg").write_bytes(data)
            words = ["enlarge", "in.jpg", "-o", f"{size}.jpg", "--scale", str(_SCALE)]
            words += ["--model", model, "--engine", "openvino", "--threads", str(_THREADS)]
            done = run(words, folder=folder, time_limit_s=_TIME_LIMIT_S)
            if done.code:
                raise RuntimeError(done.stderr)
            rows.append({"megapixels": size, "seconds": done.seconds, "peak_mb": done.peak_mb})
    return rows
