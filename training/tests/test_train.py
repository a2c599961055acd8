"""The trainer: resuming is exact, the schedule ends at zero, test sets are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from training.checkpoint import read, write_atomically
from training.config import Config, Schedule, read_config
from training.data import Corpus, CropRule, find_pictures
from training.networks import NetworkSpec
from training.train import Limits, Session, Trainer, learning_rate

SCHEDULE = Schedule(updates=8, decay_updates=4, learning_rate=1e-3, warmup_updates=2)
CONFIG = Config(
    name="tiny",
    network=NetworkSpec(scale=2, features=8, blocks=1),
    schedule=SCHEDULE,
    crops=CropRule(patch_px=12, batch=2),
)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Return a corpus of two pictures of noise."""
    random = np.random.default_rng(1)
    for name in ("a", "b"):
        noise = random.integers(0, 256, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{name}.png")
    return Corpus(find_pictures([tmp_path]), 2, 12)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_resuming_changes_nothing(
    corpus: Corpus, tmp_path: Path, optimizer: Literal["adam", "muon"]
) -> None:
    """A stopped and continued run has the very weights of an uninterrupted one."""
    config = replace(CONFIG, schedule=replace(SCHEDULE, optimizer=optimizer))
    straight, first, second = (Trainer(config, corpus) for _ in range(3))
    for _ in range(6):
        straight.advance()
    for _ in range(3):
        first.advance()
    write_atomically(first.state(), tmp_path / "run.pt")
    second.restore(read(tmp_path / "run.pt"))
    for _ in range(3):
        second.advance()
    for kind in ("weights", "ema"):
        for name, expected in straight.state()[kind].items():
            assert torch.equal(second.state()[kind][name], expected), name


def test_a_session_saves_and_logs(corpus: Corpus, tmp_path: Path) -> None:
    """Stopping leaves a checkpoint and a log line."""
    session = Session(Trainer(CONFIG, corpus), tmp_path / "out", tests=[])
    session.run(Limits(updates=2))
    assert read(session.checkpoint)["update"] == 2
    assert '"update": 2' in session.log.read_text("utf-8")


def test_the_schedule_warms_up_holds_and_ends_at_zero() -> None:
    """Rates rise, stay, fall and end."""
    rates = [learning_rate(SCHEDULE, update) for update in range(9)]
    assert rates[0] < rates[1] == rates[4] > rates[5] > rates[7] > rates[8] == 0


def test_test_sets_and_excluded_folders_are_never_trained_on(tmp_path: Path) -> None:
    """Not below a given folder, and not when given as the folder itself."""
    for folder in ("photos", "Set5/HR", "research"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / folder / "p.png")
    found = find_pictures([tmp_path], exclude=["research"])
    assert found == [tmp_path / "photos" / "p.png"]
    assert find_pictures([tmp_path / "Set5"]) == []


def test_the_configurations_are_readable() -> None:
    """Every committed configuration parses into its types."""
    paths = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
    assert paths
    for path in paths:
        assert read_config(path).name == path.stem
