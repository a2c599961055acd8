"""Preparing pictures: photographs are shrunk, graphics kept as they are, over white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from training.prepare import SMALLEST_PX, output_name, settle, shrink


def test_a_photograph_is_always_shrunk() -> None:
    """A small one by the least factor, a large one to its longest side."""
    assert shrink(Image.new("RGB", (400, 200)), 1680).size == (300, 150)
    assert shrink(Image.new("RGB", (4000, 2000)), 1000).size == (1000, 500)


def test_a_lossless_graphic_stays_as_it_is_over_white() -> None:
    """What is opaque keeps its samples, what is transparent becomes white."""
    random = np.random.default_rng(5)
    samples = random.integers(0, 256, (300, 280, 4), dtype=np.uint8)
    samples[:150, :, 3], samples[150:, :, 3] = 255, 0
    settled = settle(Image.fromarray(samples, "RGBA"), Path("a.png"), 800)
    assert settled is not None
    flat = np.asarray(settled)
    assert np.array_equal(flat[:150], samples[:150, :, :3])
    assert (flat[150:] == 255).all()


def test_a_lossy_graphic_is_shrunk() -> None:
    """Its artefacts are not to be learnt."""
    settled = settle(Image.new("RGB", (800, 400)), Path("a.jpg"), 800)
    assert settled is not None
    assert settled.size == (600, 300)


def test_small_graphics_are_left_out() -> None:
    """Before they are shrunk, and when they would be too small after it."""
    assert settle(Image.new("RGB", (900, SMALLEST_PX - 1)), Path("a.png"), 800) is None
    assert settle(Image.new("RGB", (4000, 1000)), Path("a.png"), 800) is None
    assert settle(Image.new("RGB", (400, 300)), Path("a.jpg"), 800) is None


def test_names_tell_folders_apart() -> None:
    """Files of one name in two folders do not overwrite each other."""
    assert output_name(Path("elves/archer.png")) != output_name(Path("orcs/archer.png"))
    assert output_name(Path("wallpapers/Kite/contents/images/2560x1600.jpg")) == "Kite"
