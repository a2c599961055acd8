"""More pictures out of few: crops at other sizes, off the grid, in other colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.sampling import downscale_matrix
from training.weave import woven

if TYPE_CHECKING:
    from numpy.random import Generator

    from training.downscale import Picture
    from training.sampling import Planes


@dataclass(frozen=True)
class Variation:
    """How crops differ from what is in the pictures; none of it changes how they are shrunk.

    The share `resize` of the crops is taken from a picture made smaller first, to between
    `least_size` and all of its sides: the same things with more detail to a pixel. `permute` have
    their channels in another order, `invert` are negatives, `woven` get fine cloth over them. Every
    crop begins at any pixel of the large picture, so the small one's grid lies anywhere over it.
    """

    resize: float = 0.0
    least_size: float = 0.4
    permute: float = 0.0
    invert: float = 0.0
    woven: float = 0.0


def varied_region(high: Picture, side_px: int, rule: Variation, random: Generator) -> Picture:
    """Return a square (side_px, side_px, 3) of a large picture, varied by the rule.

    The picture's sides must be at least `side_px`. A function of the arguments and the
    generator's state alone.
    """
    region = _region(high, side_px, _size(high, side_px, rule, random), random)
    if random.random() < rule.permute:
        region = region[..., random.permutation(3)]
    if random.random() < rule.invert:
        region = 255 - region
    if rule.woven and random.random() < rule.woven:  # runs without it keep their crops
        region = woven(region, random)
    return region


def shrunk(region: Picture, scale: int, margin_px: int) -> Picture:
    """Return MATLAB's bicubic of a region without its margin (in small pixels) on each side.

    It rounds after each pass, as `downscale` does.
    """
    rows, columns = (
        downscale_matrix("bicubic", side // scale - 2 * margin_px, scale, margin_px * scale)
        for side in region.shape[:2]
    )
    first = _levels(np.matmul(rows, region.transpose(2, 0, 1).astype(np.float32)))
    planes = _levels(first @ columns.T)
    return np.ascontiguousarray(planes.transpose(1, 2, 0).astype(np.uint8))


def _levels(values: Planes) -> Planes:
    return np.clip(np.floor(values + np.float32(0.5)), 0, 255)


def _size(high: Picture, side: int, rule: Variation, random: Generator) -> float:
    """Draw the share of the picture's sides at which the crop is taken."""
    if random.random() >= rule.resize:
        return 1.0
    least = max(rule.least_size, side / min(high.shape[:2]))
    return float(random.uniform(least, 1.0))


def _region(high: Picture, side: int, size: float, random: Generator) -> Picture:
    """Cut a square that is `side` pixels wide once the picture has `size` of its sides."""
    wide = min(round(side / size), *high.shape[:2])
    top, left = (int(random.integers(whole - wide + 1)) for whole in high.shape[:2])
    cut = high[top : top + wide, left : left + wide]
    if wide == side:
        return cut
    smaller = Image.fromarray(cut).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(smaller)
