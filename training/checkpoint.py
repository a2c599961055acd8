"""Reads and writes checkpoints: weights, averaged weights, optimizer and random state."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from training.networks import Network, NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path

State = dict[str, Any]


def write_atomically(state: State, path: Path) -> None:
    """Save so that a crash leaves either the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read(path: Path) -> State:
    """Load a checkpoint; only tensors and plain values, never pickled code."""
    state: State = torch.load(path, map_location="cpu", weights_only=True)
    return state


def load_network(path: Path) -> Network:
    """Rebuild the network of a checkpoint with its averaged weights."""
    return network_of(read(path))


def network_of(state: State) -> Network:
    """Build the network of a loaded checkpoint with its averaged weights."""
    network = Network(NetworkSpec(**state["spec"]))
    network.load_state_dict(state["ema"])
    return network.eval()
