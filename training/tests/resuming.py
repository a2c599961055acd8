"""Runs some updates on; a stopped and continued run beside one that was never stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from training.checkpoint import read, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.trainer import Trainer


def advance(trainer: Trainer, updates: int) -> None:
    """Make that many updates."""
    for _ in range(updates):
        trainer.advance()


def assert_resuming_changes_nothing(begin: Callable[[], Trainer], file: Path) -> None:
    """Stop one of three runs after three updates, let another take over, compare with the third.

    Weights and averaged weights must be equal to the last bit.
    """
    straight, first, second = (begin() for _ in range(3))
    advance(straight, 6)
    advance(first, 3)
    write_atomically(first.state(), file)
    second.restore(read(file))
    advance(second, 3)
    assert_same_weights(second, straight)


def assert_same_weights(run: Trainer, expected: Trainer) -> None:
    """Compare weights and averaged weights to the last bit."""
    for kind in ("weights", "ema"):
        for name, weights in expected.state()[kind].items():
            assert torch.equal(run.state()[kind][name], weights), (kind, name)
