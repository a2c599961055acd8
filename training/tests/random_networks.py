"""Networks whose every number is random, for tests."""

from __future__ import annotations

import torch

from training.networks import Network, NetworkSpec


def random_network(spec: NetworkSpec) -> Network:
    """Return an evaluable network with random biases and branches too."""
    torch.manual_seed(3)
    network = Network(spec).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return network
