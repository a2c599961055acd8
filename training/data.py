"""Training pictures in memory, as pairs of low and high resolution."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from training.downscale import Picture, crop_to_multiple, downscale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})

TEST_SETS = frozenset({"set5", "set14", "kodak24", "b100", "bsd100", "urban100", "mcmaster"})
"""Folders that are never trained on, whatever the command line says."""

RESEARCH_ONLY = frozenset({"bsds500", "t91", "div2k", "flickr2k", "lsdir"})
"""Folders whose pictures are meant for research: a model card names them."""


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
    """Pairs of low- and high-resolution pictures, kept as 8-bit arrays.

    Low resolution is MATLAB's bicubic. Pictures with a low-resolution side under `smallest_px`
    are left out. `folders` counts the pictures of each folder.
    """

    def __init__(self, paths: Sequence[Path], scale: int, smallest_px: int) -> None:
        self.scale = scale
        self.pairs: list[tuple[Picture, Picture]] = []
        self.folders: Counter[str] = Counter()
        with ThreadPoolExecutor(2) as pool:
            loaded = pool.map(lambda path: _load_pair(path, scale), paths)
            for path, pair in zip(paths, loaded, strict=True):
                if pair is not None and min(pair[0].shape[:2]) >= smallest_px:
                    self.pairs.append(pair)
                    self.folders[path.parent.name] += 1
        if not self.pairs:
            raise ValueError("no usable training pictures found")

    @property
    def megapixels(self) -> float:
        """Return the high-resolution size of the corpus in millions of pixels."""
        return sum(high.size for _, high in self.pairs) / 3e6


def _load_pair(path: Path, scale: int) -> tuple[Picture, Picture] | None:
    try:
        with Image.open(path) as image:
            high = crop_to_multiple(np.asarray(image.convert("RGB")), scale)
    except (OSError, UnidentifiedImageError):
        return None  # A damaged picture is no reason to lose a night's training.
    return (downscale(high, scale) if scale > 1 else high), high
