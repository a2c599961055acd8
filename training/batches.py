"""Batches of random crops, prepared one ahead of the update that wants them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.degrade import GRID_PX, KERNEL_MARGIN_PX, Degradation, degrade

if TYPE_CHECKING:
    from training.data import Corpus
    from training.downscale import Picture

Batch = tuple[Tensor, Tensor]

FLAT_GRADIENT = 2.0
"""Mean step between neighbouring low-resolution pixels (0..255) under which a crop is flat."""

MAX_REDRAWS = 8


@dataclass(frozen=True)
class CropRule:
    """How crops are drawn: low-resolution side in pixels, and how often a flat one is refused.

    Pictures are drawn in proportion to their area to the power `area_power`: 1 treats every pixel
    alike, 0 every picture. The share `solid` of the crops is a single colour, often a strong one:
    at a picture's edge the network must not take the zeros around it for something dark.
    """

    patch_px: int = 48
    batch: int = 16
    flat_rejection: float = 0.8
    solid: float = 0.0
    area_power: float = 1.0


class Batches:
    """The batches of a run; each depends on the seed and the update's number alone.

    So training resumes with the very crops it would have seen. While one batch is trained on, a
    thread prepares the next.
    """

    def __init__(
        self, corpus: Corpus, rule: CropRule, seed: int, degradation: Degradation | None = None
    ) -> None:
        self.corpus = corpus
        self.rule = rule
        self.seed = seed
        self.degradation = degradation
        areas = np.array([low.shape[0] * low.shape[1] for low, _ in corpus.pairs], np.float64)
        weights = areas**rule.area_power
        self._share = np.cumsum(weights / weights.sum())
        self._worker = ThreadPoolExecutor(1)
        self._ahead: dict[int, Future[Batch]] = {}

    def take(self, update: int) -> Batch:
        """Return (low, high) of an update as float32 (N, 3, H, W) in 0..1."""
        wanted = self._ahead.pop(update, None)
        self._ahead = {update + 1: self._worker.submit(self.make, update + 1)}
        return wanted.result() if wanted else self.make(update)

    def make(self, update: int) -> Batch:
        """Draw the crops of an update now."""
        random = np.random.default_rng([self.seed, update])
        crops = [self._crop(random) for _ in range(self.rule.batch)]
        low = torch.from_numpy(np.stack([low for low, _ in crops]))
        high = torch.from_numpy(np.stack([high for _, high in crops]))
        # Interleaved pictures are channels_last already: permuting is free, copying is not.
        return low.permute(0, 3, 1, 2).float() / 255, high.permute(0, 3, 1, 2).float() / 255

    def _crop(self, random: np.random.Generator) -> tuple[Picture, Picture]:
        pairs, size, scale = self.corpus.pairs, self.rule.patch_px, self.corpus.scale
        if self.rule.solid and random.random() < self.rule.solid:
            colour = solid_colour(random)
            return np.tile(colour, (size, size, 1)), np.tile(
                colour, (size * scale, size * scale, 1)
            )
        for _ in range(MAX_REDRAWS):
            index = min(int(np.searchsorted(self._share, random.random())), len(pairs) - 1)
            low, high = pairs[index]
            top = int(random.integers(low.shape[0] - size + 1))
            left = int(random.integers(low.shape[1] - size + 1))
            patch = low[top : top + size, left : left + size]
            if not is_flat(patch) or random.random() >= self.rule.flat_rejection:
                break
        truth = high[top * scale : (top + size) * scale, left * scale : (left + size) * scale]
        turn = int(random.integers(8))
        if self.degradation and random.random() >= self.degradation.clean:
            patch = self._degraded(high, (top, left), self.degradation, random)
        return orient(patch, turn), orient(truth, turn)

    def _degraded(
        self,
        high: Picture,
        corner: tuple[int, int],
        rule: Degradation,
        random: np.random.Generator,
    ) -> Picture:
        """Return the degraded crop at a low-resolution corner.

        A larger region is degraded, so that the compression grid lies anywhere over the crop.
        """
        size, scale = self.rule.patch_px, self.corpus.scale
        side = size + GRID_PX
        sides = (high.shape[0] // scale, high.shape[1] // scale)
        starts = [
            max(0, min(place - int(random.integers(GRID_PX)), whole - side))
            for place, whole in zip(corner, sides, strict=True)
        ]
        region = region_with_margin(high, starts, side, KERNEL_MARGIN_PX, scale)
        top, left = (place - start for place, start in zip(corner, starts, strict=True))
        small = degrade(region, scale, rule, random)
        return small[top : top + size, left : left + size]


def region_with_margin(
    high: Picture, starts: list[int], side_px: int, margin_px: int, scale: int
) -> Picture:
    """Cut a square out of (H, W, 3); starts, side and margin count low-resolution pixels.

    Beyond the picture its mirror image is taken.
    """
    spans = []
    for start, whole in zip(starts, high.shape[:2], strict=True):
        places = np.arange((start - margin_px) * scale, (start + side_px + margin_px) * scale)
        folded = np.abs(places)
        spans.append(np.where(folded < whole, folded, 2 * whole - 2 - folded))
    inside = all(span[-1] - span[0] == len(span) - 1 for span in spans)
    if inside:
        return high[spans[0][0] : spans[0][-1] + 1, spans[1][0] : spans[1][-1] + 1]
    mirrored: Picture = high[np.ix_(spans[0], spans[1])]
    return mirrored


def solid_colour(random: np.random.Generator) -> Picture:
    """Return a colour, (3,) 0..255: gray, or each channel black, white or anything."""
    if random.random() < 0.3:
        return np.full(3, random.integers(256), np.uint8)
    anything = random.integers(0, 256, 3)
    ends = random.integers(0, 2, 3) * 255
    return np.where(random.random(3) < 0.5, anything, ends).astype(np.uint8)


def is_flat(patch: Picture) -> bool:
    """Tell whether a (H, W, 3) crop has almost no detail to learn from."""
    green = patch[..., 1].astype(np.int16)
    steps = np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean()
    return bool(steps / 2 < FLAT_GRADIENT)


def orient(patch: Picture, turn: int) -> Picture:
    """Return one of the eight flips and rotations (turn 0..7) of a square crop."""
    if turn & 1:
        patch = patch[::-1]
    if turn & 2:
        patch = patch[:, ::-1]
    return np.ascontiguousarray(patch.swapaxes(0, 1) if turn & 4 else patch)
