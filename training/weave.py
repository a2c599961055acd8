"""Draws cloth over crops: stripes and checks so fine that shrinking makes others of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import Generator

    from training.downscale import Picture

Field = NDArray[np.floating]
"""A value for each pixel of a region, (H, W)."""

PERIOD_PX = (3.0, 8.0)
"""From thread to thread in the large picture. At x3 shrinking loses what is under six."""

CHECKED = 0.6
"""Share of the cloths with threads in two directions; the others have one."""


def woven(region: Picture, random: Generator) -> Picture:
    """Return an (H, W, 3) region with cloth over it, or over a part of it with a soft border.

    The threads have one colour, cover more or less of the picture, and bend like cloth in folds.
    """
    down, right = np.mgrid[: region.shape[0], : region.shape[1]].astype(np.float32)
    angle = random.uniform(0, np.pi)
    period = float(np.exp(random.uniform(*np.log(PERIOD_PX))))
    threads = _threads(down, right, angle, period, random)
    if random.random() < CHECKED:
        across = angle + np.pi / 2 + random.normal(0, 0.15)
        others = _threads(down, right, across, period * random.uniform(0.7, 1.4), random)
        threads = _crossed(threads, others, random)
    cover = random.uniform(0.1, 1.0) * _extent(down, right, random)
    share = (cover * threads)[..., np.newaxis]
    mixed = region + share * (_colour(random) - region)
    cloth: Picture = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return cloth


def _threads(down: Field, right: Field, angle: float, period: float, random: Generator) -> Field:
    """Return parallel threads, 0..1, somewhere between a sine and hard edges."""
    phase = _along(down, right, angle) * (2 * np.pi / period)
    fold = random.uniform(0, np.pi)
    along = _along(down, right, fold) / max(down.shape)
    depth = random.exponential(1.5) * np.sin(2 * np.pi * (random.uniform(0.3, 2) * along))
    wave = np.sin(phase + depth + random.uniform(0, 2 * np.pi))
    hardness = np.exp(random.uniform(-1.5, 1.5))
    threads: Field = 0.5 + 0.5 * np.tanh(hardness * wave) / np.tanh(hardness)
    return threads


def _along(down: Field, right: Field, angle: float) -> Field:
    """Return how far each pixel lies in a direction, `angle` in radians from rightwards."""
    way: Field = np.cos(angle) * right + np.sin(angle) * down
    return way


def _crossed(one: Field, other: Field, random: Generator) -> Field:
    """Lay threads of two directions over each other: dots, their mean, a net, or chess fields."""
    both = one * other
    ways = (both, (one + other) / 2, one + other - both, one + other - 2 * both)
    return ways[int(random.integers(len(ways)))]


def _extent(down: Field, right: Field, random: Generator) -> Field:
    """Return where the cloth is, 0..1: half of the time everywhere, else beyond a line."""
    if random.random() < 0.5:
        return np.ones_like(down)
    angle = random.uniform(0, 2 * np.pi)
    beyond = _along(down - down.mean(), right - right.mean(), angle)
    beyond -= random.uniform(-0.3, 0.3) * max(down.shape)
    extent: Field = np.clip(beyond / random.uniform(1, 12) + 0.5, 0, 1)
    return extent


def _colour(random: Generator) -> Field:
    """Return a colour, (3,) 0..255: gray half of the time."""
    if random.random() < 0.5:
        return np.full(3, random.uniform(0, 255))
    return random.uniform(0, 255, 3)
