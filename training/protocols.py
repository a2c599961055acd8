"""Scores on pictures as people have them: compressed, shrunk without smoothing, noisy."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.compression import jpeg
from training.degrade import to_levels
from training.downscale import Picture, crop_to_multiple, downscale
from training.evaluate import Enlarge, luma_psnr_db, open_model, read_picture
from training.sampling import apply, downscale_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

JPEG_QUALITY = 40
NOISE_LEVELS = 10.0


@dataclass(frozen=True)
class Part:
    """Every `step`-th picture of a set, its middle of at most `low_px` low-resolution pixels."""

    step: int = 1
    low_px: int | None = None


WHOLE = Part()
SUBSET = Part(step=6, low_px=128)
"""Cheap enough to be scored during training."""


@dataclass(frozen=True)
class Score:
    """Mean luma PSNR in dB under a protocol: the network's, and a plain bicubic enlargement's.

    Without enlargement the latter is the degraded picture itself.
    """

    protocol: str
    result_db: float
    bicubic_db: float


def _noisy(low: Picture) -> Picture:
    noise = np.random.default_rng(0).normal(0, NOISE_LEVELS, low.shape)
    noisy: Picture = np.clip(np.rint(low + noise), 0, 255).astype(np.uint8)
    return noisy


def _aliased(high: Picture, scale: int) -> Picture:
    """Shrink as OpenCV's INTER_CUBIC does: without smoothing."""
    planes = high.transpose(2, 0, 1).astype(np.float32)
    rows, columns = (downscale_matrix("cubic", n // scale, scale, 0) for n in high.shape[:2])
    return to_levels(apply(planes, [(rows, columns)]))


PROTOCOLS: dict[str, Callable[[Picture, int], Picture]] = {
    "clean": downscale,
    "jpeg40": lambda high, scale: jpeg(downscale(high, scale), JPEG_QUALITY),
    "cubic": _aliased,
    "noise10": lambda high, scale: _noisy(downscale(high, scale)),
}
"""How each protocol makes the low-resolution picture: MATLAB's bicubic and nothing else; JPEG
(4:2:0) after it; OpenCV's cubic, which does not smooth; Gaussian noise after bicubic."""


def bicubic(low: Picture, scale: int) -> Picture:
    """Enlarge by Keys' kernel with a = -0.5, MATLAB's."""
    size = (low.shape[1] * scale, low.shape[0] * scale)
    return np.asarray(Image.fromarray(low).resize(size, Image.Resampling.BICUBIC))


@lru_cache(maxsize=2)
def _truths(folder: Path, scale: int, part: Part) -> list[Picture]:
    found = []
    for path in sorted((folder / "HR").glob("*.png"))[:: part.step]:
        high = read_picture(path)
        if part.low_px is not None:
            side = part.low_px * scale
            top, left = (max(0, (whole - side) // 2) for whole in high.shape[:2])
            high = high[top : top + side, left : left + side]
        found.append(crop_to_multiple(high, scale))
    if not found:
        raise FileNotFoundError(f"no pictures in {folder / 'HR'}")
    return found


def degraded_scores(enlarge: Enlarge, folder: Path, scale: int, part: Part = WHOLE) -> list[Score]:
    """Score under every protocol that changes a picture at this scale, "clean" always."""
    scores = []
    for name, make in PROTOCOLS.items():
        if scale == 1 and name == "cubic":
            continue
        results, plain = [], []
        for high in _truths(folder, scale, part):
            low = make(high, scale)
            results.append(luma_psnr_db(enlarge(low), high, scale))
            plain.append(luma_psnr_db(bicubic(low, scale), high, scale))
        scores.append(Score(name, float(np.mean(results)), float(np.mean(plain))))
    return scores


def main() -> None:
    """Print a model's and bicubic's scores on degraded pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a checkpoint (.pt) or an exported .onnx")
    parser.add_argument("folder", type=Path, help="a folder holding HR/*.png, such as Kodak24")
    parser.add_argument("--scale", type=int, default=3, help="the enlargement of an .onnx")
    parser.add_argument("--subset", action="store_true", help="the part scored during training")
    options = parser.parse_args()
    enlarge, scale = open_model(options.model, options.scale)
    part = SUBSET if options.subset else WHOLE
    for score in degraded_scores(enlarge, options.folder, scale, part):
        gain = score.result_db - score.bicubic_db
        print(
            f"{options.folder.name} x{scale} {score.protocol}: {score.result_db:.3f} dB, "
            f"bicubic {score.bicubic_db:.3f} dB, gain {gain:+.3f} dB",
            flush=True,
        )


if __name__ == "__main__":
    main()
