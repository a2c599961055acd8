"""Training pictures in memory."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from training.downscale import Picture

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
    """High-resolution pictures, (H, W, 3) 8-bit arrays, for training at a scale.

    Pictures whose sides are under `smallest_px` once shrunk by the scale are left out. `folders`
    counts the pictures of each folder.
    """

    def __init__(self, paths: Sequence[Path], scale: int, smallest_px: int) -> None:
        self.scale = scale
        self.pictures: list[Picture] = []
        self.folders: Counter[str] = Counter()
        with ThreadPoolExecutor(2) as pool:
            for path, picture in zip(paths, pool.map(_load, paths), strict=True):
                if picture is not None and min(picture.shape[:2]) >= smallest_px * scale:
                    self.pictures.append(picture)
                    self.folders[path.parent.name] += 1
        if not self.pictures:
            raise ValueError("no usable training pictures found")

    @property
    def megapixels(self) -> float:
        """Return the size of the corpus in millions of pixels."""
        return sum(picture.size for picture in self.pictures) / 3e6


def _load(path: Path) -> Picture | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError):
        return None  # A damaged picture is no reason to lose a night's training.
