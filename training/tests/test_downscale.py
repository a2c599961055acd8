"""The downscale equals the standard low-resolution pictures, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.downscale import crop_to_multiple, downscale
from training.evaluate import luma_psnr_db, read_picture

SET5 = Path(__file__).parents[3] / "shared" / "bench" / "Set5"


@pytest.mark.skipif(not SET5.is_dir(), reason="needs the Set5 benchmark in ../shared/bench")
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["baby", "bird", "butterfly", "head", "woman"])
def test_equals_the_published_pictures(name: str, scale: int) -> None:
    """Every Set5 picture shrinks to the published low-resolution one."""
    low = downscale(crop_to_multiple(read_picture(SET5 / "HR" / f"{name}.png"), scale), scale)
    published = SET5 / "LR_bicubic" / f"X{scale}" / f"{name}x{scale}.png"
    assert np.array_equal(low, read_picture(published))


def test_keeps_a_constant() -> None:
    """White stays white up to the border."""
    white = np.full((25, 31, 3), 255, np.uint8)
    assert np.array_equal(downscale(white, 3), np.full((9, 11, 3), 255, np.uint8))


def test_psnr_of_one_level() -> None:
    """One grey level of 255 is 219/255 of a luma level."""
    black = np.zeros((20, 20, 3), np.uint8)
    grey = black + np.uint8(1)
    assert luma_psnr_db(black, grey, 3) == pytest.approx(20 * np.log10(255 / (219 / 255)))
