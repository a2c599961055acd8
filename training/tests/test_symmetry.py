"""Tied weights: turning a picture turns its result, and training keeps it so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from training.batches import CropRule
from training.config import Config
from training.networks import Network, NetworkSpec
from training.schedule import Schedule
from training.symmetry import Symmetry
from training.tests.pictures import corpus_of, noise
from training.tests.random_networks import random_network
from training.tests.resuming import advance
from training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPECS = [
    NetworkSpec(scale=1, features=8, blocks=1),
    NetworkSpec(scale=2, features=16, blocks=2, block="plain"),
    NetworkSpec(scale=3, features=16, blocks=2, activation="prelu"),
    NetworkSpec(scale=4, features=8, blocks=1, block="attention"),
]


def oriented(picture: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield (N, C, H, W) in all eight orientations."""
    for turns in range(4):
        turned = torch.rot90(picture, turns, (2, 3))
        yield turned
        yield turned.flip(3)


def asymmetry(network: Network) -> float:
    """Return how far results of oriented pictures are from oriented results, at most."""
    torch.manual_seed(6)
    picture = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        pairs = zip(map(network, oriented(picture)), oriented(network(picture)), strict=True)
        return max(float((one - other).abs().max()) for one, other in pairs)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("how", ["begin", "keep"])
def test_tied_weights_make_orientation_irrelevant(spec: NetworkSpec, how: str) -> None:
    """All eight ways, at every scale; without ties they matter."""
    network = random_network(spec).train()  # bounds, which hide much, are off
    assert asymmetry(network) > 1e-3
    getattr(Symmetry(network), how)()
    assert asymmetry(network) < 1e-5
    assert all(param.std() > 0 for name, param in network.named_parameters() if param.dim() > 1)


@pytest.mark.parametrize("spec", SPECS)
def test_a_shared_gradient_is_that_of_all_orientations(spec: NetworkSpec) -> None:
    """A crop teaches what the mean over its eight orientations would."""
    network = random_network(spec).train()  # bounds, which hide much, are off
    symmetry = Symmetry(network)
    symmetry.begin()
    picture, truth = torch.rand(2, 3, 6, 6), torch.rand(2, 3, 6 * spec.scale, 6 * spec.scale)

    def gradients(picture: torch.Tensor, truth: torch.Tensor) -> list[torch.Tensor]:
        network.zero_grad()
        ((network(picture) - truth) ** 2).mean().backward()
        found = [param.grad for param in network.parameters()]
        return [gradient.clone() for gradient in found if gradient is not None]

    pairs = zip(oriented(picture), oriented(truth), strict=True)
    every = [gradients(*pair) for pair in pairs]
    gradients(picture, truth)
    symmetry.share_gradients()
    for param, *many in zip(network.parameters(), *every, strict=True):
        assert param.grad is not None
        assert torch.allclose(param.grad, torch.stack(many).mean(0), atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_training_keeps_the_ties(optimizer: str, tmp_path: Path) -> None:
    """Weights and their average, whatever the optimizer; others' are tied on taking over."""
    config = Config(
        name="tied",
        network=NetworkSpec(scale=2, features=8, blocks=1, symmetric=True),
        schedule=Schedule(9, 9, 1e-2, warmup_updates=1, optimizer=optimizer),  # type: ignore[arg-type]
        crops=CropRule(patch_px=12, batch=2),
    )
    corpus = corpus_of(tmp_path, [noise(60, 60)])
    trainer = Trainer(config, corpus)
    before = [param.detach().clone() for param in trainer.network.parameters()]
    advance(trainer, 3)
    assert asymmetry(trainer.network.train()) < 1e-5
    assert asymmetry(trainer.average.train()) < 1e-5
    after = trainer.network.parameters()
    assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    free = Trainer(replace(config, network=replace(config.network, symmetric=False)), corpus)
    child = Trainer(config, corpus)
    child.start_from(free.state())
    assert asymmetry(free.network.train()) > 1e-3
    assert asymmetry(child.network.train()) < 1e-5


def test_what_cannot_be_tied_is_refused() -> None:
    """Features that come in no groups of eight, and kernels that are put together."""
    for spec in (
        NetworkSpec(scale=2, features=12, blocks=1),
        NetworkSpec(scale=2, features=8, blocks=1, conv="branches"),
    ):
        with pytest.raises(ValueError, match=r"groups of 8|tied"):
            Symmetry(Network(spec))


def test_random_weights_stay_as_wide() -> None:
    """A mean over each orbit would shrink what a network begins with."""
    network = Network(NetworkSpec(scale=2, features=48, blocks=1))
    before = network.merge.weight.detach().std()
    Symmetry(network).begin()
    after = network.merge.weight.detach().std()
    assert float(after) == pytest.approx(float(before), rel=0.1)
