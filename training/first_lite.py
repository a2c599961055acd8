"""Gives the tensors of the first trained start the names that a checkpoint has.

python -m training.first_lite ../shared/checkpoints/lite_x3_feasibility.pt first.pt
python -m training.export first.pt src/upres/models/weights/lite_x3.onnx
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import torch

from training.checkpoint import read, write_atomically
from training.networks import Network, NetworkSpec


def renamed(state: dict[str, torch.Tensor], network: Network) -> dict[str, torch.Tensor]:
    """Give each tensor the name it has in `network`: both list them from input to output.

    Raises ValueError where number or shapes differ.
    """
    names = network.state_dict()
    shapes = [tuple(tensor.shape) for tensor in names.values()]
    if shapes != [tuple(tensor.shape) for tensor in state.values()]:
        raise ValueError("the checkpoint is not of this network")
    return dict(zip(names, state.values(), strict=True))


def main(source: str, target: str) -> None:
    """Write `target` with the averaged weights of `source`."""
    spec = NetworkSpec(3, features=48, blocks=12)
    state = renamed(read(Path(source)), Network(spec))
    write_atomically({"spec": asdict(spec), "ema": state}, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
