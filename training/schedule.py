"""The learning rate over a run, laid out over updates or over a given time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

TIMED_WARMUP = 0.05
"""Longest share of a timed run that the warm-up may take."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate over the updates: a short warm-up, a constant part, a cosine to zero.

    `decay_updates` at or above `updates` gives the plain cosine schedule. A small one lets
    training go on over many sessions and be finished whenever wanted. With `mean_of_ends` a run
    that is taken up again after its end yields the mean of the weights at all its ends.
    """

    updates: int
    decay_updates: int
    learning_rate: float
    warmup_updates: int = 300
    optimizer: Literal["adam", "muon"] = "adam"
    average: float = 0.999
    clip_norm: float = 1.0
    mean_of_ends: bool = False


def learning_rate(schedule: Schedule, update: int) -> float:
    """Return the rate of an update (0-based): warm-up, constant, cosine to zero."""
    warm = min(1.0, (update + 1) / schedule.warmup_updates)
    left = (schedule.updates - update) / min(schedule.decay_updates, schedule.updates)
    return schedule.learning_rate * warm * _cosine(left)


def timed_learning_rate(schedule: Schedule, update: int, elapsed: float) -> float:
    """Return the rate when the share `elapsed` (0..1) of the run's time is gone: plain cosine."""
    warm = min(1.0, max((update + 1) / schedule.warmup_updates, elapsed / TIMED_WARMUP))
    return schedule.learning_rate * warm * _cosine(1 - elapsed)


def _cosine(left: float) -> float:
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, left)))
