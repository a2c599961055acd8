"""The super-resolution networks: trunks of 3x3 convolutions with a pixel-shuffle tail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

BlockKind = Literal["residual", "attention", "plain"]
ConvKind = Literal["plain", "branches", "expanded"]
ActivationKind = Literal["relu", "leaky", "silu", "prelu"]

INPUT_MEAN = 0.45
"""Subtracted from the RGB input (0..1), so that a dark zero border is not the network's grey."""

LEAKY_SLOPE = 0.1


@dataclass(frozen=True)
class NetworkSpec:
    """What a network is: enough to rebuild it from a checkpoint.

    `scale` is the enlargement (1 keeps the size), `features` the trunk's channels, `blocks` its
    depth. `conv` only says how the 3x3 kernels are parameterised while training: every kind folds
    to "plain". Blocks of the kind "plain" are one convolution each, with no sum inside or around
    the trunk: the fastest there is. Weights of a `symmetric` network are tied while training (see
    `Symmetry`): a picture turned or mirrored gives its result turned or mirrored.
    """

    scale: int
    features: int = 48
    blocks: int = 12
    block: BlockKind = "residual"
    conv: ConvKind = "plain"
    activation: ActivationKind = "relu"
    symmetric: bool = False


class FoldedConv(nn.Module):
    """A 3x3 convolution whose kernel is a linear function of several trained tensors.

    The kernel is put together before convolving, so that training costs about what the plain
    convolution costs and folding for export is exact.
    """

    def __init__(self, features: int, kind: ConvKind) -> None:
        super().__init__()
        self.kind = kind
        self.kernel = nn.Parameter(_scaled_normal(features, features, 3))
        self.bias = nn.Parameter(torch.zeros(features))
        self.point = nn.Parameter(torch.zeros(features, features))
        if kind == "expanded":
            wide = 2 * features
            self.enter = nn.Parameter(_scaled_normal(wide, features, 1)[:, :, 0, 0])
            self.middle = nn.Parameter(_scaled_normal(wide, wide, 3) * 0.5)
            self.leave = nn.Parameter(_scaled_normal(features, wide, 1)[:, :, 0, 0])

    def folded_kernel(self) -> Tensor:
        """Return the one kernel, (features, features, 3, 3) float32."""
        kernel = self.kernel + functional.pad(self.point[:, :, None, None], (1, 1, 1, 1))
        if self.kind == "expanded":
            middle = torch.einsum("omij,mc->ocij", self.middle, self.enter)
            kernel = kernel + torch.einsum("om,mcij->ocij", self.leave, middle)
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, features, H, W), zero padding, same size."""
        with torch.autocast("cpu", enabled=False):
            kernel = self.folded_kernel()
        return functional.conv2d(x, kernel, self.bias, padding=1)


class ResidualBlock(nn.Module):
    """x + conv(activation(conv(x)))."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.first = trunk_conv(spec)
        self.activation = make_activation(spec)
        self.second = trunk_conv(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        out: Tensor = x + self.second(self.activation(self.first(x)))
        return out


class PlainBlock(nn.Module):
    """activation(conv(x)), the kernel starting as identity plus noise.

    It trains like a residual block whose sum is folded into the kernel.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.first = trunk_conv(spec)
        self.activation = make_activation(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        out: Tensor = self.activation(self.first(x))
        return out


class AttentionBlock(nn.Module):
    """x + (x + y) * (sigmoid(y) - 0.5), y three convolutions deep: SPAN's parameter-free gate.

    SPAN itself has no `x +` in front: its signal then shrinks in every untrained block, which
    takes a long training to overcome.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.first = trunk_conv(spec)
        self.second = trunk_conv(spec)
        self.third = trunk_conv(spec)
        self.activation = make_activation(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        y = self.third(self.activation(self.second(self.activation(self.first(x)))))
        out: Tensor = x + (x + y) * (torch.sigmoid(y) - 0.5)
        return out


BLOCKS: dict[BlockKind, type[nn.Module]] = {
    "residual": ResidualBlock,
    "attention": AttentionBlock,
    "plain": PlainBlock,
}


class Network(nn.Module):
    """Enlarges RGB 0..1, (N, 3, H, W) to (N, 3, scale*H, scale*W), unclipped."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        block = BLOCKS[spec.block]
        self.head = nn.Conv2d(3, spec.features, 3, padding=1)
        self.blocks = nn.ModuleList(block(spec) for _ in range(spec.blocks))
        if spec.block == "plain":
            self.activation = make_activation(spec)
        else:
            self.merge = nn.Conv2d(spec.features, spec.features, 3, padding=1)
        self.tail = nn.Conv2d(spec.features, 3 * spec.scale**2, 3, padding=1)
        self._initialise()

    def _initialise(self) -> None:
        # Small residual branches: the untrained network starts near a plain enlargement.
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
                with torch.no_grad():
                    module.weight *= {"head": 1.0, "tail": 0.03}.get(name, 0.3)
        for block in self.blocks:
            if isinstance(block, PlainBlock):
                kernel = block.first.kernel if self.spec.conv != "plain" else block.first.weight
                assert isinstance(kernel, Tensor)
                with torch.no_grad():
                    kernel[:, :, 1, 1] += torch.eye(self.spec.features)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge a batch of RGB pictures in 0..1; the result is float32 and unclipped.

        Except in training it stays within `bounds`.
        """
        residual = self.tail(self._trunk(self.head(x - INPUT_MEAN))).float()
        # The picture itself goes to every sub-pixel: the trunk only has to learn the difference.
        subpixels = self.spec.scale**2
        total = residual + x.float().repeat_interleave(subpixels, 1)
        if not self.training:
            least, most = (bound.repeat_interleave(subpixels, 1) for bound in bounds(x.float()))
            total = torch.minimum(torch.maximum(total, least), most)
        enlarged: Tensor = functional.pixel_shuffle(total, self.spec.scale)
        return enlarged

    def _trunk(self, start: Tensor) -> Tensor:
        plain = self.spec.block == "plain"
        y = self.activation(start) if plain else start
        for block in self.blocks:
            y = block(y)
        out: Tensor = y if plain else start + self.merge(y)
        return out


def bounds(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the most that may come of each pixel of (N, 3, H, W), per channel.

    That is the range of the nine pixels around it, and once more its width on either side: room
    for what a thin line has lost by shrinking. Where the nine are one colour nothing else may come
    of them, not even at a picture's edge, where a trunk of zero-padded convolutions goes astray.
    """
    most = functional.max_pool2d(x, 3, 1, 1)
    least = -functional.max_pool2d(-x, 3, 1, 1)
    return 2 * least - most, 2 * most - least


def trunk_conv(spec: NetworkSpec) -> nn.Module:
    """Return one 3x3 convolution of the trunk, (N, features, H, W) to the same shape."""
    if spec.conv == "plain":
        return nn.Conv2d(spec.features, spec.features, 3, padding=1)
    return FoldedConv(spec.features, spec.conv)


def make_activation(spec: NetworkSpec) -> nn.Module:
    """Return the trunk's activation."""
    if spec.activation == "prelu":
        return nn.PReLU(spec.features, init=LEAKY_SLOPE)
    if spec.activation == "leaky":
        return nn.LeakyReLU(LEAKY_SLOPE)
    return nn.SiLU() if spec.activation == "silu" else nn.ReLU()


def fold(network: Network) -> Network:
    """Return the same function as a network of plain 3x3 convolutions."""
    folded = Network(replace(network.spec, conv="plain"))
    state = {k: v for k, v in network.state_dict().items() if k in folded.state_dict()}
    for name, module in network.named_modules():
        if isinstance(module, FoldedConv):
            state[f"{name}.weight"] = module.folded_kernel().detach().clone()
    folded.load_state_dict(state)
    return folded.eval()


def parameter_count(network: nn.Module) -> int:
    """Return how many numbers the network is made of."""
    return sum(p.numel() for p in network.parameters())


def _scaled_normal(outputs: int, inputs: int, size: int) -> Tensor:
    """He-normal kernel at 0.3: (outputs, inputs, size, size)."""
    fan_in = inputs * size * size
    kernel: Tensor = torch.randn(outputs, inputs, size, size) * (0.3 * (2.0 / fan_in) ** 0.5)
    return kernel
