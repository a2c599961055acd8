"""Ties a network's weights: a picture turned or mirrored gives its result turned or mirrored.

Features come in groups of eight, one for each way to lay a square on itself. Turning the picture
turns every kernel and permutes the features within their groups, and the weights that such a move
exchanges are kept equal (a group-equivariant network, Cohen and Welling 2016). The file holds a
plain network all the same. Every crop then teaches as much as its eight orientations would.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from training.networks import Network

Indices = NDArray[np.int64]

MOVES: tuple[Indices, ...] = tuple(
    np.array(rows)
    for one, two in product((1, -1), repeat=2)
    for rows in ([[one, 0], [0, two]], [[0, one], [two, 0]])
)
"""The eight ways to lay a square on itself, as matrices of (row, column) around its middle."""

_COLOURS = 3


class Symmetry:
    """Which weights of a network are exchanged by turning and mirroring, and so must be equal."""

    def __init__(self, network: Network) -> None:
        """Raise ValueError where kernels have branches, or features form no groups of eight."""
        spec = network.spec
        if spec.conv != "plain":
            raise ValueError(f"kernels of the kind {spec.conv} cannot be tied")
        if spec.features % len(MOVES):
            raise ValueError(f"{spec.features} features do not come in groups of {len(MOVES)}")
        trunk = [_features_after(move, spec.features) for move in MOVES]
        colours = [np.arange(_COLOURS)] * len(MOVES)
        subpixels = [_subpixels_after(move, spec.scale) for move in MOVES]
        known: dict[tuple[bool, bool, torch.Size], Tensor] = {}
        self._orbits: list[tuple[torch.nn.Parameter, Tensor]] = []
        for name, param in network.named_parameters():
            ends = (name.startswith("head."), name.startswith("tail."))
            key = (*ends, param.shape)
            if key not in known:
                inputs, outputs = colours if ends[0] else trunk, subpixels if ends[1] else trunk
                known[key] = _orbits(param.shape, outputs, inputs)
            self._orbits.append((param, known[key]))
        self._sizes = {id(orbits): torch.bincount(orbits).float() for orbits in known.values()}

    @torch.no_grad()
    def begin(self) -> None:
        """Give all weights of each orbit the value of its first: random ones stay as wide."""
        for param, orbits in self._orbits:
            flat = param.detach().contiguous().view(-1)
            first = torch.zeros(len(self._sizes[id(orbits)]))
            first[orbits.flip(0)] = flat.flip(0)  # of several the last is kept
            param.copy_(first[orbits].view(param.shape))

    @torch.no_grad()
    def keep(self) -> None:
        """Put the mean of each orbit's weights in their places: rounding drives them apart."""
        for param, orbits in self._orbits:
            param.copy_(self._mean(param, orbits))

    @torch.no_grad()
    def share_gradients(self) -> None:
        """Put the mean of each orbit's gradients in their places."""
        for param, orbits in self._orbits:
            assert param.grad is not None
            param.grad.copy_(self._mean(param.grad, orbits))

    def _mean(self, values: Tensor, orbits: Tensor) -> Tensor:
        sizes = self._sizes[id(orbits)]
        flat = values.detach().contiguous().view(-1)
        means = torch.zeros(len(sizes)).index_add_(0, orbits, flat) / sizes
        return means[orbits].view(values.shape)


def _orbits(shape: torch.Size, outputs: list[Indices], inputs: list[Indices]) -> Tensor:
    """Return for each weight the number of its orbit: those that moves exchange it with."""
    places = []
    for move, output, source in zip(MOVES, outputs, inputs, strict=True):
        if len(shape) == 1:
            places.append(output)
            continue
        taps = _cells_after(move, shape[2])
        rows = (output[:, np.newaxis] * shape[1] + source).reshape(-1, 1)
        places.append((rows * len(taps) + taps).reshape(-1))
    _, orbits = np.unique(np.min(places, axis=0), return_inverse=True)
    return torch.from_numpy(orbits)


def _features_after(move: Indices, features: int) -> Indices:
    """Return where each feature comes to: within its group, as the move follows its own."""
    after = np.array([_number(move @ own) for own in MOVES])
    groups = np.arange(features) // len(MOVES) * len(MOVES)
    return groups + after[np.arange(features) % len(MOVES)]


def _number(move: Indices) -> int:
    return next(k for k, other in enumerate(MOVES) if np.array_equal(move, other))


def _subpixels_after(move: Indices, scale: int) -> Indices:
    """Return where each of the last convolution's outputs comes to (pixel_shuffle's order)."""
    cells = _cells_after(move, scale)
    return np.concatenate([colour * len(cells) + cells for colour in range(_COLOURS)])


def _cells_after(move: Indices, side: int) -> Indices:
    """Return where each cell of a square comes to, numbered row by row."""
    around = np.array(list(product(range(side), repeat=2))) * 2 - (side - 1)
    moved = (around @ move.T + side - 1) // 2
    cells: Indices = moved[:, 0] * side + moved[:, 1]
    return cells
