"""Reads a model's training configuration from TOML."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from training.batches import CropRule
from training.degrade import Degradation
from training.losses import Loss
from training.networks import NetworkSpec
from training.schedule import Schedule
from training.strengths import Strengths
from training.variation import Variation

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Everything that decides what a training run computes, apart from the pictures.

    `start_from` names the model whose weights a new run takes over; of another scale, it gives
    its trunk. `shift` names two models: what turned the first's trunk into the second's is added
    to the trunk taken over. With `strengths` it is trained between another model's weights and its
    own as well. Without `degradation` low resolution is MATLAB's bicubic and nothing else.
    """

    name: str
    network: NetworkSpec
    schedule: Schedule
    crops: CropRule = field(default_factory=CropRule)
    variation: Variation = field(default_factory=Variation)
    degradation: Degradation | None = None
    loss: Loss = field(default_factory=Loss)
    exclude: tuple[str, ...] = ()
    start_from: str | None = None
    shift: tuple[str, str] | None = None
    strengths: Strengths | None = None
    seed: int = 0

    def digest(self) -> str:
        """Return a sha256 of all entries."""
        return digest_of(asdict(self))


def digest_of(entries: dict[str, Any]) -> str:
    """Return the sha256 of a configuration's entries, however they were written."""
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def read_config(path: Path) -> Config:
    """Read a configuration; an unknown or missing entry is an error."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    degradation = table.pop("degradation", None)
    strengths = table.pop("strengths", None)
    return Config(
        name=path.stem,
        network=NetworkSpec(**table.pop("network")),
        schedule=Schedule(**table.pop("schedule")),
        crops=CropRule(**table.pop("crops", {})),
        variation=Variation(**table.pop("variation", {})),
        degradation=None if degradation is None else _degradation(degradation),
        loss=Loss(**table.pop("loss", {})),
        exclude=tuple(table.pop("exclude", ())),
        strengths=None if strengths is None else Strengths(**strengths),
        shift=_pair(table.pop("shift", None)),
        **table,
    )


def _pair(names: list[str] | None) -> tuple[str, str] | None:
    if names is None:
        return None
    before, after = names
    return before, after


def _degradation(table: dict[str, Any]) -> Degradation:
    pairs = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
    return Degradation(**{**table, **pairs})
