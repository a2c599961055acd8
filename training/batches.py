"""Batches of random crops, prepared one ahead of the update that wants them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.degrade import GRID_PX, KERNEL_MARGIN_PX, Degradation, degrade, toned
from training.variation import Variation, shrunk, varied_region

if TYPE_CHECKING:
    from training.data import Corpus
    from training.downscale import Picture
    from training.strengths import Strengths

Batch = tuple[Tensor, Tensor]

FLAT_GRADIENT = 2.0
"""Mean step between neighbouring low-resolution pixels (0..255) under which a crop is flat."""

MAX_REDRAWS = 8

BICUBIC_MARGIN_PX = 2
"""Low-resolution pixels around a crop that the bicubic downscale reaches into."""


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
        self,
        corpus: Corpus,
        rule: CropRule,
        seed: int,
        degradation: Degradation | None = None,
        variation: Variation | None = None,
        strengths: Strengths | None = None,
    ) -> None:
        self.corpus = corpus
        self.rule = rule
        self.seed = seed
        self.degradation = degradation
        self.variation = variation or Variation()
        self.strengths = strengths
        areas = np.array([one.shape[0] * one.shape[1] for one in corpus.pictures], np.float64)
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
        clean = self._clean_share(update)
        crops = [self._crop(random, clean) for _ in range(self.rule.batch)]
        low = torch.from_numpy(np.stack([low for low, _ in crops]))
        high = torch.from_numpy(np.stack([high for _, high in crops]))
        # Interleaved pictures are channels_last already: permuting is free, copying is not.
        return low.permute(0, 3, 1, 2).float() / 255, high.permute(0, 3, 1, 2).float() / 255

    def _clean_share(self, update: int) -> float:
        """Return the share of an update's crops that are not degraded."""
        clean = self.degradation.clean if self.degradation else 1.0
        strength = self.strengths.at(self.seed, update) if self.strengths else 1.0
        return 1 - strength * (1 - clean)

    def _crop(self, random: np.random.Generator, clean: float) -> tuple[Picture, Picture]:
        size, scale = self.rule.patch_px, self.corpus.scale
        if self.rule.solid and random.random() < self.rule.solid:
            colour = solid_colour(random)
            return np.tile(colour, (size, size, 1)), np.tile(
                colour, (size * scale, size * scale, 1)
            )
        degraded = self.degradation and random.random() >= clean
        patch, truth = self._pair(random, self.degradation if degraded else None)
        turn = int(random.integers(8))
        return orient(patch, turn), orient(truth, turn)

    def _pair(
        self, random: np.random.Generator, degradation: Degradation | None
    ) -> tuple[Picture, Picture]:
        """Return a crop with some detail, and what it should be enlarged to.

        To be degraded it is part of a larger one, so that the compression grid lies anywhere
        over it.
        """
        size, scale = self.rule.patch_px, self.corpus.scale
        margin, room = _margin_and_room(degraded=degradation is not None)
        for _ in range(MAX_REDRAWS):
            index = int(np.searchsorted(self._share, random.random()))
            high = self.corpus.pictures[min(index, len(self._share) - 1)]
            side = (size + room + 2 * margin) * scale
            region = varied_region(high, side, self.variation, random)
            rule = degradation
            if rule and random.random() < rule.prints:
                region, rule = toned(region, random), rule.of_prints()
            top, left = (int(random.integers(room + 1)) for _ in range(2))
            truth = region[
                (margin + top) * scale : (margin + top + size) * scale,
                (margin + left) * scale : (margin + left + size) * scale,
            ]
            if not is_flat(truth[::scale, ::scale]) or random.random() >= self.rule.flat_rejection:
                break
        low = degrade(region, scale, rule, random) if rule else shrunk(region, scale, margin)
        return low[top : top + size, left : left + size], truth


def smallest_side_px(rule: CropRule, *, degraded: bool) -> int:
    """Return the low-resolution side that a picture must have for crops to be drawn from it."""
    margin, room = _margin_and_room(degraded=degraded)
    return rule.patch_px + room + 2 * margin


def _margin_and_room(*, degraded: bool) -> tuple[int, int]:
    """Return what is cut around a crop, and how far it may lie from the corner of the rest."""
    return (KERNEL_MARGIN_PX, GRID_PX) if degraded else (BICUBIC_MARGIN_PX, 0)


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
