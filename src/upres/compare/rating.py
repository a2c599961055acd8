"""How near A and B are to the truth, in numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from upres.bench.scores import SSIM_WINDOW_PX, psnr_y, ssim_y
from upres.compare.display import eight_bit, over_gray, srgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.compare.pictures import Side

_TILE_PX = 512
"""Scores are taken tile by tile: the memory for their fractions follows the tile."""

Complain = Callable[[str, str], None]
"""Takes a picture's name and what is odd about it."""


def rated(side: Side, truth: Side, *, complain: Complain) -> dict[str, float]:
    """Return PSNR-Y in dB and, where its window fits in, SSIM-Y of the whole picture.

    Both are taken as 8-bit RGB, what is transparent laid over white. Samples are compared as they
    are encoded; where the profiles differ, both become sRGB first.
    """
    alike = side.picture.metadata.icc == truth.picture.metadata.icc
    one, other = (_levels(each, as_srgb=not alike, complain=complain) for each in (side, truth))
    scores = {"PSNR-Y": _psnr(one, other)}
    if min(one.shape[:2]) >= SSIM_WINDOW_PX:
        scores["SSIM-Y"] = _ssim(one, other)
    return scores


def _psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Put the whole's PSNR together from tiles', by their mean squared errors."""
    error = sum(
        10 ** (-psnr_y(one[tile], other[tile], border_px=0) / 10) * one[tile].size
        for tile in _tiles(one, overlap=0)
    )
    return -10 * math.log10(error / one.size) if error else math.inf


def _ssim(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Put the whole's SSIM together from tiles', by the places that the window has in them."""
    spare = SSIM_WINDOW_PX - 1
    total = places = 0.0
    for tile in _tiles(one, overlap=spare):
        height, width = one[tile].shape[:2]
        inside = (height - spare) * (width - spare)
        total += ssim_y(one[tile], other[tile], border_px=0) * inside
        places += inside
    return total / places


def _tiles(picture: NDArray[np.uint8], *, overlap: int) -> Iterator[tuple[slice, slice]]:
    """Yield tiles that cover a picture; neighbours share `overlap` pixels."""
    rows, columns = (
        [slice(at, at + _TILE_PX + overlap) for at in range(0, side - overlap, _TILE_PX)]
        for side in picture.shape[:2]
    )
    yield from product(rows, columns)


def _levels(side: Side, *, as_srgb: bool, complain: Complain) -> NDArray[np.uint8]:
    if as_srgb:
        picture = srgb(side.picture, complain=partial(complain, side.name))
    else:
        picture = eight_bit(side.picture)
    flat = over_gray(picture, level=255)
    return np.repeat(flat, 3, axis=2) if picture.gray else flat
