"""Losses: the known values, and what each adds."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.losses import Loss


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a result and its truth, random."""
    torch.manual_seed(2)
    return torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)


def test_l1_is_exactly_torchs(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Runs that began before there was a choice continue bit for bit."""
    assert torch.equal(Loss()(*pair), functional.l1_loss(*pair))


def test_charbonnier_is_l1_rounded_off_at_zero(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Far from zero the two agree; at zero it is epsilon, with no slope."""
    loss = Loss("charbonnier", epsilon=1e-3)
    assert float(loss(*pair)) == pytest.approx(float(functional.l1_loss(*pair)), abs=1e-4)
    same = pair[0].clone().requires_grad_()
    value = loss(same, pair[0])
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == pytest.approx(1e-3)
    assert same.grad is not None
    assert not same.grad.any()


def test_a_colour_shift_costs_more_than_noise_of_the_same_size() -> None:
    """Errors that cancel within a crop are not a shift."""
    truth = torch.full((1, 3, 8, 8), 0.5)
    signs = torch.ones(8, 8)
    signs[:, ::2] = -1
    loss = Loss(colour_shift=0.5)
    assert float(loss(truth + 0.1 * signs, truth)) == pytest.approx(0.1)
    assert float(loss(truth + 0.1, truth)) == pytest.approx(0.15)


def test_luma_counts_once_more(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Green weighs most in luma, and an error that luma does not have adds nothing."""
    truth = pair[1]
    plain, weighed = Loss(), Loss(luma=2.0)
    green = torch.tensor([0.0, 0.1, 0.0]).view(1, 3, 1, 1)
    assert float(weighed(truth + green, truth) - plain(truth + green, truth)) == pytest.approx(
        2 * 0.0587, abs=1e-6
    )
    unseen = torch.tensor([0.0, 0.0114, -0.0587]).view(1, 3, 1, 1)
    assert float(weighed(truth + unseen, truth)) == pytest.approx(
        float(plain(truth + unseen, truth)), abs=1e-6
    )
