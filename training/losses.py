"""What a network is punished for: the distance of samples and of luma, and a shift of colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

    `kind` is the distance of samples: "l1", or "charbonnier", which is rounded off around zero
    within `epsilon`. `luma` weighs the same distance of luma, which eyes and PSNR-Y go by;
    `colour_shift` weighs the mean over a crop of each channel's error.
    """

    kind: Literal["l1", "charbonnier"] = "l1"
    epsilon: float = 1e-3
    luma: float = 0.0
    colour_shift: float = 0.0

    def __call__(self, result: Tensor, truth: Tensor) -> Tensor:
        """Return the scalar loss of (N, 3, H, W) in 0..1."""
        error = result.float() - truth
        loss = self._distance(error)
        if self.luma:
            loss = loss + self.luma * self._distance(_luma(error))
        if self.colour_shift:
            loss = loss + self.colour_shift * error.mean(dim=(2, 3)).abs().mean()
        return loss

    def _distance(self, error: Tensor) -> Tensor:
        if self.kind == "l1":
            return error.abs().mean()
        return torch.sqrt(error**2 + self.epsilon**2).mean()


def _luma(error: Tensor) -> Tensor:
    weights = torch.tensor(LUMA).view(1, 3, 1, 1)
    return (error * weights).sum(dim=1, keepdim=True)
