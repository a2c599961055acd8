"""What a network is punished for: the distance of each sample, and a shift of a crop's colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

    `kind` is the distance of samples: "l1", or "charbonnier", which is rounded off around zero
    within `epsilon`. `colour_shift` weighs the mean over a crop of each channel's error.
    """

    kind: Literal["l1", "charbonnier"] = "l1"
    epsilon: float = 1e-3
    colour_shift: float = 0.0

    def __call__(self, result: Tensor, truth: Tensor) -> Tensor:
        """Return the scalar loss of (N, 3, H, W) in 0..1."""
        if self.kind == "l1":
            loss = functional.l1_loss(result, truth)
        else:
            loss = torch.sqrt((result - truth) ** 2 + self.epsilon**2).mean()
        if self.colour_shift:
            shift = (result - truth).mean(dim=(2, 3)).abs().mean()
            loss = loss + self.colour_shift * shift
        return loss
