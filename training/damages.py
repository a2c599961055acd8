"""What is done to pictures to fit the rule of `auto`, and how loud their noise gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.compression import jpeg
from training.degrade import KERNEL_MARGIN_PX, Degradation, degrade, toned
from training.downscale import Picture, downscale
from training.evaluate import LUMA_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.random import Generator
    from numpy.typing import NDArray

SCALE = 3
LOW_PX = 120
_EDGE_PX = KERNEL_MARGIN_PX * SCALE
_NOTHING = Degradation(clean=0, aliased=0, blur=0, noise=0, compress=0)
_BLOCK_PX = 8
_FLAT_SHARE = 0.05


@dataclass(frozen=True)
class Damaged:
    """A small picture, what it should become, and the quality that its file states."""

    low: Picture
    truth: Picture
    quality: float | None = None


@dataclass(frozen=True)
class Damage:
    """What is done to a region with a margin, its share of all, and whether noise counts too."""

    weight: float
    make: Callable[[Picture, Generator], Damaged]
    old: bool = False


def _clean(high: Picture, _random: Generator) -> Damaged:
    """Shrink by MATLAB's bicubic and nothing else."""
    truth = _inner(high)
    return Damaged(downscale(truth, SCALE), truth)


def _jpeg(least: int, most: int) -> Callable[[Picture, Generator], Damaged]:
    """Compress; every second picture comes with what its file states, the others as pixels."""

    def damage(high: Picture, random: Generator) -> Damaged:
        quality = int(random.integers(least, most + 1))
        truth = _inner(high)
        low = jpeg(downscale(truth, SCALE), quality)
        return Damaged(low, truth, float(quality) if random.random() < 0.5 else None)

    return damage


def _degraded(rule: Degradation) -> Callable[[Picture, Generator], Damaged]:
    return lambda high, random: Damaged(degrade(high, SCALE, rule, random), _inner(high))


def _print(high: Picture, random: Generator) -> Damaged:
    """Make an old photograph, every second one of one tint: grainy, perhaps compressed."""
    old = toned(high, random) if random.random() < 0.5 else high
    rule = Degradation(clean=0, aliased=0.1, blur=0.3, compress=0.6).of_prints()
    return Damaged(degrade(old, SCALE, rule, random), _inner(old))


def _inner(high: Picture) -> Picture:
    """Return a region without its margin."""
    return high[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX]


DAMAGES = {
    "clean": Damage(0.35, _clean),
    "camera": Damage(0.15, _jpeg(88, 98)),
    "jpeg": Damage(0.1, _jpeg(30, 85)),
    "noisy": Damage(0.05, _degraded(replace(_NOTHING, noise=1))),
    "aliased": Damage(0.1, _degraded(replace(_NOTHING, aliased=1))),
    "soft": Damage(0.1, _degraded(replace(_NOTHING, blur=1))),
    "mixed": Damage(0.05, _degraded(Degradation(clean=0, aliased=0.4))),
    "print": Damage(0.1, _print, old=True),
}
"""Half of all are clean or almost."""


def louder_than_bicubic(large: Picture, low: Picture) -> float:
    """Return by how many levels the flattest parts are noisier than those of a bicubic enlargement.

    Parts are blocks of 8x8 small pixels, noise is the standard deviation of luma from the plane
    that fits each.
    """
    size = (low.shape[1] * SCALE, low.shape[0] * SCALE)
    plain = np.asarray(Image.fromarray(low).resize(size, Image.Resampling.BICUBIC))
    flatness = _off_planes(low, _BLOCK_PX)
    chosen = flatness <= np.quantile(flatness, _FLAT_SHARE)
    ours, theirs = (_off_planes(each, _BLOCK_PX * SCALE)[chosen].mean() for each in (large, plain))
    return float(ours - theirs)


def _off_planes(picture: Picture, side: int) -> NDArray[Any]:
    luma = picture @ LUMA_WEIGHTS
    height, width = (size // side for size in luma.shape)
    blocks = luma[: height * side, : width * side].reshape(height, side, width, side)
    flat = blocks.swapaxes(1, 2).reshape(-1, side * side)
    down, right = np.mgrid[:side, :side].reshape(2, -1) - (side - 1) / 2
    plane = np.stack([np.ones(side * side), down, right], axis=1)
    deviation: NDArray[Any] = (flat - flat @ plane @ np.linalg.pinv(plane)).std(axis=1)
    return deviation
