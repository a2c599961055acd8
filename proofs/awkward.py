"""Every awkward and every real picture through the command: a right picture or one clear error.

What is right is judged by Pillow, which shares no decoder code with upres.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from proofs.record import SHARED
from proofs.watched import Run, run

_TIME_LIMIT_S = 60
_MEMORY_LIMIT_MB = 2000
_SCALE = 2
_PIXEL_LIMIT = 100_000_000
_EXPLAINED = re.compile(
    r"is animated|has \d+ pages|it is an? [\w /.-]+ file|both sides must be|is too large|"
    r"is not supported: "
)
"""Reasons for which a picture that Pillow reads may be refused."""
_DAMAGED = {
    "invalid_multiframe.gif": "an unknown block follows the fourth frame",
    "clusterfuzz-testcase-minimized-fuzzer_script_tiff-5026894169374720.tif": "JPEG data is cut",
    "xcsn0g01.png": "made with a wrong checksum of its pixels",
}
"""Damaged files that Pillow shows all the same and upres refuses."""
_PNG = b"\x89PNG"
_MEAN_LEVELS = 2.0
"""How far the mean of |upres - Pillow's bicubic| may be, in levels of 255."""
_BLOCK_PX = 16
"""For networks, which sharpen, the means of such squares are compared."""


def measure_bicubic(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Enlarge every file of both folders twice with bicubic interpolation into PNG."""
    files = _pictures(SHARED / "awkward") + _pictures(SHARED / "real")
    return _table(files, model="bicubic")


def measure_lite(seed: int) -> dict[str, Any]:  # noqa: ARG001
    """Enlarge the real pictures twice with lite into PNG."""
    return _table(_pictures(SHARED / "real"), model="lite")


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".tsv", ".bin")
    )


def _table(files: list[Path], *, model: str) -> dict[str, Any]:
    rows = {str(path.relative_to(SHARED)): _row(path, model=model) for path in files}
    return {
        "scale": _SCALE,
        "model": model,
        "limit of input pixels": _PIXEL_LIMIT,
        "files": len(rows),
        "outcomes": dict(Counter(row["outcome"] for row in rows.values())),
        "peak_mb": max(row["peak_mb"] for row in rows.values()),
        "slowest_s": max(row["seconds"] for row in rows.values()),
        "table": rows,
        "passed": all(row["passed"] for row in rows.values()),
    }


def _row(path: Path, *, model: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ran = run(
            ["enlarge", str(path), *f"--scale {_SCALE} --model {model} -o out.png".split()],
            folder=folder,
            time_limit_s=_TIME_LIMIT_S,
        )
        left = sorted(entry.name for entry in folder.iterdir())
        reference = _reference(path)
        if ran.code == 0:
            wrong = _wrong(folder / "out.png", reference, network=model != "bicubic")
            outcome = "picture" if reference else "picture, nothing to hold it against"
        else:
            sound = reference is not None and path.name not in _DAMAGED
            wrong = _wrong_refusal(ran, left, readable=sound)
            outcome = "refused"
    if ran.seconds > _TIME_LIMIT_S or ran.peak_mb > _MEMORY_LIMIT_MB:
        wrong.append("too slow or too large")
    return {
        "outcome": outcome,
        "said": ran.stderr.strip(),
        "exit": ran.code,
        "seconds": ran.seconds,
        "peak_mb": ran.peak_mb,
        "wrong": wrong,
        "passed": not wrong,
    }


def _wrong_refusal(ran: Run, left: list[str], *, readable: bool) -> list[str]:
    wrong = []
    if ran.code not in (3, 5) or len(ran.stderr.strip().splitlines()) != 1 or left:
        wrong.append(f"exit {ran.code}, left {left}")
    if readable and not _EXPLAINED.search(ran.stderr):
        wrong.append("Pillow reads it")
    return wrong


def _reference(path: Path) -> Image.Image | None:
    """Return what Pillow makes of a file, upright; None where it cannot read it whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(path)
            if picture.width * picture.height > _PIXEL_LIMIT:
                return None
            picture.load()
            upright = ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - whatever Pillow raises, it cannot read the file
        return None
    head = path.read_bytes()[:26]
    if head.startswith(_PNG):  # Pillow has no name for gray of 16 bits with alpha
        upright.info |= {"gray": head[25] in (0, 4), "deep": head[24] == 16}  # noqa: PLR2004
    else:
        upright.info |= {"gray": _gray(upright), "deep": upright.mode == "I;16"}
    return upright


def _wrong(result: Path, reference: Image.Image | None, *, network: bool) -> list[str]:
    """Name what a result has wrong: size, planes, bits, profile, colours."""
    ours = Image.open(result)
    ours.load()
    if reference is None:
        return []
    wrong = []
    size = (reference.width * _SCALE, reference.height * _SCALE)
    if ours.size != size:
        return [f"size {ours.size}, not {size}"]
    bits, colour = result.read_bytes()[24:26]  # of the PNG's header
    if reference.info["gray"] != (colour in (0, 4)):
        wrong.append(f"PNG of colour type {colour} from {reference.mode}")
    if _transparent(reference) and colour not in (4, 6):
        wrong.append(f"no alpha: PNG of colour type {colour} from {reference.mode}")
    if reference.info["deep"] and bits != 16:  # noqa: PLR2004
        wrong.append(f"16 bits became {bits}")
    profile = reference.info.get("icc_profile")
    if profile and reference.mode != "CMYK" and ours.info.get("icc_profile") != profile:
        wrong.append("another profile")
    distance = _distance(ours, reference, block_px=_BLOCK_PX if network else 1)
    if distance > _MEAN_LEVELS:
        wrong.append(f"colours: {distance:.1f} levels from Pillow's")
    return wrong


def _gray(picture: Image.Image) -> bool:
    if picture.mode == "P":
        return False
    return picture.mode in ("1", "L", "LA", "I;16", "I", "F")


def _transparent(picture: Image.Image) -> bool:
    if picture.mode in ("RGBA", "LA", "PA"):
        return True
    return "transparency" in picture.info


def _distance(ours: Image.Image, reference: Image.Image, *, block_px: int) -> float:
    """Mean difference of blocks from Pillow's own bicubic enlargement, where both are opaque."""
    here, source = _rgba(ours), _rgba(reference)
    opaque = [
        np.asarray(one.getchannel("A").resize(ours.size, Image.Resampling.BICUBIC)) == 255  # noqa: PLR2004
        for one in (here, source)
    ]
    seen = _blocks(opaque[0] & opaque[1], block_px) == 1
    if not seen.any():
        return 0.0
    apart = [np.abs(_blocks(_excess(here, source, name), block_px))[seen].mean() for name in "RGB"]
    return float(np.mean(apart))


def _excess(ours: Image.Image, source: Image.Image, name: str) -> NDArray[np.float64]:
    """Ours above theirs, enlarged in floating point: with integers Pillow rounds in between."""
    channel = source.getchannel(name).convert("F").resize(ours.size, Image.Resampling.BICUBIC)
    theirs = np.asarray(channel, np.float64).clip(0, 255)
    return np.asarray(np.asarray(ours.getchannel(name), np.float64) - theirs)


def _blocks(plane: NDArray[Any], side_px: int) -> NDArray[np.float64]:
    """Means of squares; what does not fill a square at the right and below is left out."""
    height, width = (length // side_px * side_px for length in plane.shape)
    squares = plane[:height, :width].reshape(height // side_px, side_px, -1, side_px)
    return np.asarray(squares.mean(axis=(1, 3)), np.float64)


def _rgba(picture: Image.Image) -> Image.Image:
    """Return 8-bit RGBA; 16-bit samples by their upper byte, which Pillow would clip instead."""
    if picture.mode.startswith("I;16"):
        high = np.asarray(picture).astype(np.uint32) // 257
        return Image.fromarray(high.astype(np.uint8)).convert("RGBA")
    return picture.convert("RGBA")
