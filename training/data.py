"""Training pictures in memory and the batches of random crops drawn from them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from training.downscale import Picture, crop_to_multiple, downscale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})

TEST_SETS = frozenset({"set5", "set14", "kodak24", "b100", "bsd100", "urban100", "mcmaster"})
"""Folders that are never trained on, whatever the command line says."""

FLAT_GRADIENT = 2.0
"""Mean step between neighbouring low-resolution pixels (0..255) under which a crop is flat."""

MAX_REDRAWS = 8


@dataclass(frozen=True)
class CropRule:
    """How crops are drawn: low-resolution side in pixels, and how often a flat one is refused."""

    patch_px: int = 48
    batch: int = 16
    flat_rejection: float = 0.8


def find_pictures(folders: Iterable[Path], exclude: Sequence[str] = ()) -> list[Path]:
    """List the pictures below the folders, sorted, without excluded or test-set folders."""
    refused = TEST_SETS | {name.lower() for name in exclude}
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            names = {part.lower() for part in (folder.name, *path.relative_to(folder).parts[:-1])}
            if path.suffix.lower() in SUFFIXES and not names & refused:
                found.append(path)
    return sorted(found, key=lambda path: (path.parent.name, path.name))


class Corpus:
    """Pairs of low- and high-resolution pictures, kept as 8-bit arrays."""

    def __init__(self, paths: Sequence[Path], scale: int, patch_px: int) -> None:
        self.scale = scale
        self.pairs: list[tuple[Picture, Picture]] = []
        with ThreadPoolExecutor(2) as pool:
            for pair in pool.map(lambda path: _load_pair(path, scale), paths):
                if pair is not None and min(pair[0].shape[:2]) >= patch_px:
                    self.pairs.append(pair)
        if not self.pairs:
            raise ValueError("no usable training pictures found")
        areas = np.array([low.shape[0] * low.shape[1] for low, _ in self.pairs], np.float64)
        self.share = np.cumsum(areas / areas.sum())

    @property
    def megapixels(self) -> float:
        """Return the high-resolution size of the corpus in millions of pixels."""
        return sum(high.size for _, high in self.pairs) / 3e6

    def batch(self, rule: CropRule, seed: int, update: int) -> tuple[Tensor, Tensor]:
        """Return (low, high) as float32 (N, 3, H, W) in 0..1.

        The batch depends on the seed and the update's number alone: training resumes with the
        very crops it would have seen.
        """
        random = np.random.default_rng([seed, update])
        crops = [self._crop(rule, random) for _ in range(rule.batch)]
        low = torch.from_numpy(np.stack([low for low, _ in crops]))
        high = torch.from_numpy(np.stack([high for _, high in crops]))
        # Interleaved pictures are channels_last already: permuting is free, copying is not.
        return low.permute(0, 3, 1, 2).float() / 255, high.permute(0, 3, 1, 2).float() / 255

    def _crop(self, rule: CropRule, random: np.random.Generator) -> tuple[Picture, Picture]:
        size, scale = rule.patch_px, self.scale
        for _ in range(MAX_REDRAWS):
            index = min(int(np.searchsorted(self.share, random.random())), len(self.pairs) - 1)
            low, high = self.pairs[index]
            top = int(random.integers(low.shape[0] - size + 1))
            left = int(random.integers(low.shape[1] - size + 1))
            patch = low[top : top + size, left : left + size]
            if not is_flat(patch) or random.random() >= rule.flat_rejection:
                break
        top, left = top * scale, left * scale
        truth = high[top : top + size * scale, left : left + size * scale]
        turn = int(random.integers(8))
        return orient(patch, turn), orient(truth, turn)


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


def _load_pair(path: Path, scale: int) -> tuple[Picture, Picture] | None:
    try:
        with Image.open(path) as image:
            high = crop_to_multiple(np.asarray(image.convert("RGB")), scale)
    except (OSError, UnidentifiedImageError):
        return None  # A damaged picture is no reason to lose a night's training.
    return downscale(high, scale), high
