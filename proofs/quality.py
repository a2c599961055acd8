"""Pictures and scores for the proofs, as `upres bench quality` reads and counts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from upres.bench.pictures import read_rgb as read_rgb_within
from upres.bench.scores import psnr_y
from upres.image.limits import Limits

__all__ = ["psnr_y", "read_rgb"]


def read_rgb(path: Path) -> NDArray[Any]:
    """Return a picture file as 8-bit (H, W, 3) RGB, gray repeated."""
    return read_rgb_within(path, limits=Limits(), tell=print)
