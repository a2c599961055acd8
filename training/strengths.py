"""Trains a network at places between another one's weights and its own, as strengths mix them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.func import functional_call

if TYPE_CHECKING:
    from torch import Tensor

    from training.networks import Network

STREAM = 1
"""Sets the strengths' random numbers apart from those that draw the crops."""


@dataclass(frozen=True)
class Strengths:
    """How often an update is made between the weights of the model `other` and the network's own.

    The share `share` of the updates is at a random strength, from 0 (all of the other) to 1; the
    rest is at 1. The less of the network there is, the more of the crops stay clean.
    """

    other: str
    share: float = 0.5

    def at(self, seed: int, update: int) -> float:
        """Return the strength of an update: a function of the seed and its number alone."""
        random = np.random.default_rng([seed, update, STREAM])
        return float(random.random()) if random.random() < self.share else 1.0


def enlarge_between(
    other: dict[str, Tensor], network: Network, strength: float, low: Tensor
) -> Tensor:
    """Enlarge with weights between the other ones (0) and the network's (1).

    The network's gradients are those of the mixture, times the strength.
    """
    weights = {
        name: torch.lerp(other[name], own, strength) for name, own in network.named_parameters()
    }
    result: Tensor = functional_call(network, weights, (low,))
    return result
