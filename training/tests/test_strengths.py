"""Strengths: updates between another model's weights and a run's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from training.batches import Batches, CropRule
from training.config import Config
from training.degrade import Degradation
from training.downscale import downscale
from training.networks import Network, NetworkSpec
from training.schedule import Schedule
from training.strengths import Strengths, enlarge_between
from training.tests.pictures import corpus_of, levels, noise, scene
from training.tests.resuming import assert_resuming_changes_nothing
from training.train import Places, train
from training.trainer import Trainer

if TYPE_CHECKING:
    from pathlib import Path

SPEC = NetworkSpec(scale=2, features=8, blocks=1)
CONFIG = Config(
    name="tiny",
    network=SPEC,
    schedule=Schedule(updates=40, decay_updates=40, learning_rate=1e-3, warmup_updates=2),
    crops=CropRule(patch_px=12, batch=2),
    strengths=Strengths("other", share=0.7),
)


def networks() -> tuple[dict[str, torch.Tensor], Network]:
    """Return the weights of one random network, and another."""
    torch.manual_seed(1)
    return Network(SPEC).state_dict(), Network(SPEC)


def test_the_ends_are_the_networks_themselves() -> None:
    """At 0 the other one, at 1 the run's own."""
    other, network = networks()
    low = torch.rand(1, 3, 9, 7)
    assert torch.allclose(enlarge_between(other, network, 1.0, low), network(low), atol=1e-6)
    expected = Network(SPEC)
    expected.load_state_dict(other)
    assert torch.equal(enlarge_between(other, network, 0.0, low), expected(low))


def test_gradients_are_the_mixtures_times_the_strength() -> None:
    """A weight of which little is used moves little."""
    other, network = networks()
    low = torch.rand(1, 3, 9, 7)
    enlarge_between(other, network, 0.25, low).square().sum().backward()
    middle = Network(SPEC)
    own = network.state_dict()
    middle.load_state_dict({name: torch.lerp(other[name], own[name], 0.25) for name in own})
    middle(low).square().sum().backward()
    for moved, mixed in zip(network.parameters(), middle.parameters(), strict=True):
        assert moved.grad is not None
        assert mixed.grad is not None
        assert torch.allclose(moved.grad, 0.25 * mixed.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_strengths_are_drawn_as_often_as_asked(share: float) -> None:
    """Evenly from 0 to 1, the same for the same update; the rest is at 1."""
    rule = Strengths("other", share)
    drawn = [rule.at(5, update) for update in range(2000)]
    assert drawn == [rule.at(5, update) for update in range(2000)]
    partial = [strength for strength in drawn if strength < 1]
    assert abs(len(partial) / len(drawn) - share) < 0.04
    if partial:
        assert np.allclose(np.quantile(partial, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.06)


def test_the_less_strength_the_more_crops_are_clean(tmp_path: Path) -> None:
    """Three quarters of them below one half, a quarter above."""
    corpus = corpus_of(tmp_path, [scene(120, 120)], smallest_px=60)
    rule = CropRule(patch_px=12, batch=8, flat_rejection=0)
    strengths = Strengths("other", share=1.0)
    batches = Batches(corpus, rule, 3, Degradation(clean=0, noise=1), strengths=strengths)
    clean: dict[bool, list[float]] = {True: [], False: []}
    for update in range(60):
        low, high = (levels(each) for each in batches.make(update))
        wanted = np.stack([downscale(truth, 2) for truth in high])
        off = np.abs(low.astype(int) - wanted)[:, 2:-2, 2:-2].max((1, 2, 3))
        clean[strengths.at(3, update) < 0.5].append(float((off <= 1).mean()))
    assert 0.65 < np.mean(clean[True]) < 0.85
    assert 0.15 < np.mean(clean[False]) < 0.35


def test_resuming_changes_nothing(tmp_path: Path) -> None:
    """A stopped and continued run has the very weights of an uninterrupted one."""
    corpus = corpus_of(tmp_path / "pictures", [noise(40, 50)])
    other = {"ema": networks()[0]}

    def begin() -> Trainer:
        trainer = Trainer(CONFIG, corpus)
        trainer.mix_with(other)
        return trainer

    assert_resuming_changes_nothing(begin, tmp_path / "run.pt")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    """Before anything is trained."""
    corpus_of(tmp_path / "pictures", [noise(60, 60)])
    places = Places((tmp_path / "pictures",), tmp_path, tmp_path, tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match="other"):
        train(replace(CONFIG, degradation=None), places, limits=None)  # type: ignore[arg-type]
