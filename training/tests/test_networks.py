"""Networks: shapes, folding, and the exported graph computing the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from training.config import Config, read_config
from training.export import build_model, export
from training.networks import ConvKind, Network, NetworkSpec, fold, parameter_count
from training.tests.random_networks import random_network
from training.train import CONFIGS

if TYPE_CHECKING:
    from pathlib import Path

SPECS = [
    NetworkSpec(scale=1, features=8, blocks=1),
    NetworkSpec(scale=2, features=8, blocks=2, activation="prelu"),
    NetworkSpec(scale=3, features=8, blocks=2, conv="expanded", activation="leaky"),
    NetworkSpec(scale=4, features=8, blocks=1, block="attention", activation="silu"),
    NetworkSpec(scale=3, features=8, blocks=2, conv="branches"),
    NetworkSpec(scale=2, features=8, blocks=3, block="plain"),
    NetworkSpec(scale=3, features=8, blocks=2, block="plain", conv="expanded", activation="prelu"),
]


@pytest.fixture
def picture() -> torch.Tensor:
    """Return a small batch of one random picture."""
    torch.manual_seed(5)
    return torch.rand(1, 3, 13, 9)


@pytest.mark.parametrize("spec", SPECS)
def test_enlarges_by_its_scale(spec: NetworkSpec, picture: torch.Tensor) -> None:
    """The result is `scale` times as high and as wide."""
    result = random_network(spec)(picture)
    assert result.shape == (1, 3, 13 * spec.scale, 9 * spec.scale)


@pytest.mark.parametrize("spec", SPECS)
def test_folding_changes_nothing(spec: NetworkSpec, picture: torch.Tensor) -> None:
    """Folded kernels compute what the trained branches compute."""
    network = random_network(spec)
    with torch.no_grad():
        assert torch.allclose(fold(network)(picture), network(picture), atol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_export_equals_torch(spec: NetworkSpec, picture: torch.Tensor) -> None:
    """The ONNX graph, run by its reference, computes what torch computes."""
    network = random_network(spec)
    evaluator = ReferenceEvaluator(build_model(network))
    (result,) = evaluator.run(["output"], {"input": picture.numpy()})
    assert np.abs(result - network(picture).detach().numpy()).max() < 1e-4


def test_export_is_deterministic(tmp_path: Path) -> None:
    """The same network gives the same bytes."""
    network = random_network(SPECS[2])
    digests = {export(network, tmp_path / f"{turn}.onnx") for turn in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("conv", ["plain", "expanded"])
def test_a_plain_trunk_starts_around_identity(conv: ConvKind) -> None:
    """The middle of each untrained kernel has ones on its diagonal, beside the noise."""
    torch.manual_seed(0)
    network = fold(Network(NetworkSpec(2, features=32, blocks=4, block="plain", conv=conv)))
    state = network.state_dict()
    for index in range(4):
        middle = state[f"blocks.{index}.first.weight"][:, :, 1, 1].numpy()
        diagonal = np.diagonal(middle)
        assert diagonal.mean() == pytest.approx(1, abs=0.1)
        assert (middle.sum() - diagonal.sum()) / 32**2 == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("name", ["fast-x2", "fast-x3", "fast-x4"])
def test_fast_keeps_to_its_size(name: str) -> None:
    """At most 65 thousand parameters, biases included."""
    assert parameter_count(fold(Network(config_of(name).network))) <= 65_000


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_photo_is_lite_again(scale: int) -> None:
    """The same tensors: a strength between the two is an interpolation of weights."""
    lite, photo = (Network(config_of(f"{name}-x{scale}").network) for name in ("lite", "photo"))
    assert parameter_count(lite) <= 600_000
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (lite, photo)]
    assert shapes[0] == shapes[1]


def config_of(name: str) -> Config:
    """Read a committed configuration."""
    return read_config(CONFIGS / f"{name}.toml")


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (12, 130, 201)])
def test_one_colour_stays_at_the_very_edge(scale: int, colour: tuple[int, int, int]) -> None:
    """Whatever the weights: here they are random and large."""
    network = Network(NetworkSpec(scale=scale, features=4, blocks=1)).eval()
    with torch.no_grad():
        network.tail.weight.normal_()
        plain = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 6, 7) / 255
        result = network(plain)
        assert torch.equal(result, plain[..., :1, :1].expand_as(result))
        (graph,) = ReferenceEvaluator(build_model(network)).run(None, {"input": plain.numpy()})
    assert np.array_equal(graph, result.numpy())


def test_a_result_may_pass_the_pixels_around_by_their_range(picture: torch.Tensor) -> None:
    """Exactly by it where the weights ask for more; training itself is free."""
    network = Network(NetworkSpec(scale=2, features=4, blocks=1)).eval()
    with torch.no_grad():
        network.tail.weight.zero_()
        assert network.tail.bias is not None
        network.tail.bias.fill_(9)
        result = network(picture)
        free = network.train()(picture)
    around = torch.nn.functional.unfold(picture, 3, padding=1).view(*picture.shape[:2], 9, -1)
    inside = around[..., picture.shape[-1] + 1]
    most = 2 * inside.amax(2) - inside.amin(2)
    assert torch.allclose(result[0, :, 2, 2], most[0])
    assert float(free.min()) >= 9
