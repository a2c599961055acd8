"""Pictures for the tests: noise, and something like a photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.data import Corpus, find_pictures

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from training.downscale import Picture


def noise(height: int, width: int, seed: int = 1) -> Picture:
    """Return (height, width, 3) of independent uniform levels."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3)).astype(np.uint8)


def scene(height: int, width: int, seed: int = 1) -> Picture:
    """Return (height, width, 3) with smooth shades, edges and texture, levels 40..215."""
    random = np.random.default_rng(seed)
    small = random.integers(40, 216, (height // 16 + 2, width // 16 + 2, 3)).astype(np.uint8)
    shades = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    blocks = Image.fromarray(small[::-1]).resize((width, height), Image.Resampling.NEAREST)
    mixed = np.asarray(shades) * 0.6 + np.asarray(blocks) * 0.3
    mixed += random.normal(12, 5, mixed.shape)
    levels: Picture = np.clip(np.rint(mixed), 40, 215).astype(np.uint8)
    return levels


def corpus_of(
    folder: Path, pictures: list[Picture], *, scale: int = 2, smallest_px: int = 12
) -> Corpus:
    """Store the pictures in a folder and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index}.png")
    return Corpus(find_pictures([folder]), scale, smallest_px)


def levels(batch: Tensor) -> Picture:
    """Return a batch as 8-bit levels, (N, H, W, 3)."""
    whole: Picture = np.rint(batch.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    return whole
