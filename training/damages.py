"""What is done to pictures to fit the rule of `auto`, and how loud their noise gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.compression import jpeg
from training.degrade import KERNEL_MARGIN_PX, Degradation, degrade, toned
from training.downscale import Picture, downscale
from upres.bench.scores import flat_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

SCALE = 3
LOW_PX = 120
_EDGE_PX = KERNEL_MARGIN_PX * SCALE
_NOTHING = Degradation(clean=0, aliased=0, blur=0, noise=0, compress=0)


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
    "clean": Damage(0.3, _clean),
    "camera": Damage(0.15, _jpeg(88, 98)),
    "jpeg": Damage(0.1, _jpeg(30, 85)),
    "noisy": Damage(0.05, _degraded(replace(_NOTHING, noise=1))),
    "aliased": Damage(0.1, _degraded(replace(_NOTHING, aliased=1))),
    "soft": Damage(0.1, _degraded(replace(_NOTHING, blur=1))),
    "mixed": Damage(0.05, _degraded(Degradation(clean=0, aliased=0.4))),
    "print": Damage(0.15, _print, old=True),
}
"""Almost half of all are clean or nearly so."""


def louder_than_bicubic(results: Sequence[Picture], low: Picture) -> tuple[float, ...]:
    """Return by how many levels flat parts of each result are noisier than a bicubic one's."""
    size = (low.shape[1] * SCALE, low.shape[0] * SCALE)
    plain = np.asarray(Image.fromarray(low).resize(size, Image.Resampling.BICUBIC))
    usual = flat_noise(plain, low)
    return tuple(flat_noise(result, low) - usual for result in results)
