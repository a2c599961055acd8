"""Reads a model's training configuration from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from training.data import CropRule
from training.networks import NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Schedule:
    """Learning rate over the updates: a short warm-up, a constant part, a cosine to zero.

    `decay_updates` at or above `updates` gives the plain cosine schedule. A small one lets
    training go on over many sessions and be finished whenever wanted.
    """

    updates: int
    decay_updates: int
    learning_rate: float
    warmup_updates: int = 300
    optimizer: Literal["adam", "muon"] = "adam"
    average: float = 0.999
    clip_norm: float = 1.0


@dataclass(frozen=True)
class Config:
    """Everything that decides what a training run computes, apart from the pictures."""

    name: str
    network: NetworkSpec
    schedule: Schedule
    crops: CropRule = field(default_factory=CropRule)
    exclude: tuple[str, ...] = ()
    seed: int = 0


def read_config(path: Path) -> Config:
    """Read a configuration; an unknown or missing entry is an error."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    return Config(
        name=path.stem,
        network=NetworkSpec(**table.pop("network")),
        schedule=Schedule(**table.pop("schedule")),
        crops=CropRule(**table.pop("crops", {})),
        exclude=tuple(table.pop("exclude", ())),
        **table,
    )
