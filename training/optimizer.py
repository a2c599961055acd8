"""The optimizers: Adam, and Muon (orthogonalised momentum) for the trunk's kernels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.networks import Network

ADAM_BETAS = (0.9, 0.99)
NEWTON_STEPS = 5
NEWTON_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MATCH_ADAM_RMS = 0.2
"""Scales Muon's update to the size of Adam's, so that both share a learning rate."""


class Muon(Optimizer):
    """Momentum whose update is replaced by the nearest matrix with equal singular values.

    Kernels (outputs, inputs, 3, 3) count as matrices (outputs, inputs*9). Small directions of
    the gradient then move as fast as dominant ones, which Adam's element-wise scaling misses.
    """

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure here
        """Move every kernel once."""
        del closure
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for param in group["params"]:
                by_shape.setdefault(param.shape, []).append(param)
            for params in by_shape.values():
                self._step_alike(params, group["lr"], group["momentum"])

    def _step_alike(self, params: list[nn.Parameter], lr: float, momentum: float) -> None:
        updates = []
        for param in params:
            assert param.grad is not None
            velocity = self.state[param].setdefault("velocity", torch.zeros_like(param))
            velocity.lerp_(param.grad, 1 - momentum)
            updates.append(param.grad.lerp(velocity, momentum).reshape(len(param), -1))
        matrices = orthogonalise(torch.stack(updates))
        size = MATCH_ADAM_RMS * math.sqrt(max(matrices.shape[1:]))
        for param, matrix in zip(params, matrices, strict=True):
            param.add_(matrix.reshape(param.shape), alpha=-lr * size)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Push all singular values of (N, rows, columns) near one by a Newton-Schulz iteration."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-12)
    a, b, c = NEWTON_COEFFICIENTS
    for _ in range(NEWTON_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if tall else x
    return result


class Optimizers:
    """One or two optimizers stepped together."""

    def __init__(self, network: Network, kind: str) -> None:
        kernels = list(_trunk_kernels(network)) if kind == "muon" else []
        chosen = {id(kernel) for kernel in kernels}
        others = [p for p in network.parameters() if id(p) not in chosen]
        self.parts: list[Optimizer] = [Adam(others, lr=0.0, betas=ADAM_BETAS)]
        if kernels:
            self.parts.append(Muon(kernels, lr=0.0))

    def step(self, learning_rate: float) -> None:
        """Apply the gradients and clear them."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = learning_rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> list[dict[str, Any]]:
        """Return what `restore` needs to continue exactly."""
        return [part.state_dict() for part in self.parts]

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Continue from `state`."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def _trunk_kernels(network: Network) -> Iterator[nn.Parameter]:
    for name, param in network.named_parameters():
        # Head and tail meet pixels, not features: their rows are few and stay with Adam.
        if param.dim() == 4 and not name.startswith(("head", "tail")):
            yield param
