"""The trainer: resuming is exact, the schedule ends at zero, test sets are refused."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest
import torch
from PIL import Image

from training.batches import CropRule
from training.checkpoint import read, write_atomically
from training.config import Config, read_config
from training.data import Corpus, find_pictures
from training.losses import Loss
from training.networks import NetworkSpec
from training.schedule import Schedule, learning_rate, timed_learning_rate
from training.session import Limits, Session
from training.tests.pictures import corpus_of, noise
from training.tests.resuming import (
    advance,
    assert_resuming_changes_nothing,
    assert_same_weights,
)
from training.train import CONFIGS
from training.trainer import Trainer
from training.variation import Variation

if TYPE_CHECKING:
    from pathlib import Path

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
    return corpus_of(tmp_path / "pictures", [noise(40, 50, seed) for seed in (1, 2)])


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_resuming_changes_nothing(
    corpus: Corpus, tmp_path: Path, optimizer: Literal["adam", "muon"]
) -> None:
    """A stopped and continued run has the very weights of an uninterrupted one."""
    config = replace(CONFIG, schedule=replace(SCHEDULE, optimizer=optimizer))
    assert_resuming_changes_nothing(lambda: Trainer(config, corpus), tmp_path / "run.pt")


def test_a_checkpoint_of_the_first_kind_continues_exactly(corpus: Corpus, tmp_path: Path) -> None:
    """It lacks everything that was added to checkpoints later."""
    straight, second = (Trainer(CONFIG, corpus) for _ in range(2))
    advance(straight, 3)
    state = straight.state()
    for added in ("config", "total_minutes", "finished", "folders", "ancestors"):
        del state[added]
    write_atomically(state, tmp_path / "run.pt")
    second.restore(read(tmp_path / "run.pt"))
    for trainer in (straight, second):
        trainer.advance()
    assert_same_weights(second, straight)


def test_a_session_saves_and_logs(corpus: Corpus, tmp_path: Path) -> None:
    """Stopping leaves a checkpoint and a log line."""
    session = Session(Trainer(CONFIG, corpus), tmp_path / "out", tmp_path)
    session.run(Limits(updates=2))
    state = read(session.checkpoint)
    assert state["update"] == 2
    assert not state["finished"]
    assert state["folders"] == {"pictures": 2}
    assert '"update": 2' in session.log.read_text("utf-8")


def test_a_signal_stops_after_the_update(corpus: Corpus, tmp_path: Path) -> None:
    """With the checkpoint saved, and the process' own handler back in place."""
    trainer = Trainer(CONFIG, corpus)
    session = Session(trainer, tmp_path / "out", tmp_path)
    make_update, before = trainer.advance, signal.getsignal(signal.SIGTERM)

    def advance_and_be_stopped() -> None:
        make_update()
        signal.raise_signal(signal.SIGTERM)

    trainer.advance = advance_and_be_stopped  # type: ignore[method-assign]
    session.run(Limits())
    assert read(session.checkpoint)["update"] == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_ends_with_its_schedule(corpus: Corpus, tmp_path: Path) -> None:
    """And is marked as finished."""
    session = Session(Trainer(CONFIG, corpus), tmp_path / "out", tmp_path)
    session.run(Limits())
    assert read(session.checkpoint)["update"] == SCHEDULE.updates
    assert read(session.checkpoint)["finished"]


def test_a_run_taken_up_again_yields_the_mean_of_its_ends(corpus: Corpus, tmp_path: Path) -> None:
    """The second half goes on from the first end, as it would alone; the mean is of both ends."""
    schedule = replace(SCHEDULE, mean_of_ends=True)
    config = replace(CONFIG, schedule=schedule)
    longer = replace(config, schedule=replace(schedule, updates=16))
    Session(Trainer(config, corpus), tmp_path, tmp_path).run(Limits())
    first, copy = (read(tmp_path / "tiny.pt") for _ in range(2))
    again = Trainer(longer, corpus)
    again.restore(copy)
    Session(again, tmp_path, tmp_path).run(Limits())
    second = read(tmp_path / "tiny.pt")
    alone = Trainer(replace(longer, schedule=replace(longer.schedule, mean_of_ends=False)), corpus)
    alone.restore(first)
    advance(alone, 8)
    assert len(first["ends"]) == 1
    for name, end in alone.average.state_dict().items():
        assert torch.equal(first["ends"][0][name], first["ema"][name])
        assert torch.equal(second["ends"][1][name], end), name
        assert torch.allclose(second["ema"][name], (first["ema"][name] + end) / 2), name


def test_ends_do_not_disturb_stopping_and_going_on(corpus: Corpus, tmp_path: Path) -> None:
    """Stopped on the way to its second end a run resumes exactly; finished, it keeps the mean."""
    schedule = replace(SCHEDULE, mean_of_ends=True)
    config = replace(CONFIG, schedule=schedule)
    Session(Trainer(config, corpus), tmp_path, tmp_path).run(Limits())
    longer = replace(config, schedule=replace(schedule, updates=16))
    straight, stopped, resumed, opened = (Trainer(longer, corpus) for _ in range(4))
    for trainer in (straight, stopped):
        trainer.restore(read(tmp_path / "tiny.pt"))
    advance(straight, 8)
    advance(stopped, 3)
    write_atomically(stopped.state(), tmp_path / "stopped.pt")
    resumed.restore(read(tmp_path / "stopped.pt"))
    advance(resumed, 5)
    write_atomically(straight.state(), tmp_path / "finished.pt")
    opened.restore(read(tmp_path / "finished.pt"))
    for name, expected in straight.average.state_dict().items():
        assert torch.equal(resumed.average.state_dict()[name], expected), name
        assert torch.equal(opened.average.state_dict()[name], expected), name
    assert not torch.equal(straight.ends[0]["head.weight"], straight.ends[1]["head.weight"])


def test_a_schedule_cut_off_behind_the_run_is_refused(corpus: Corpus) -> None:
    """It would end at a high learning rate and count as finished."""
    first = Trainer(CONFIG, corpus)
    advance(first, 3)
    shorter = replace(CONFIG, schedule=replace(SCHEDULE, updates=2))
    with pytest.raises(ValueError, match="has not decayed"):
        Trainer(shorter, corpus).restore(first.state())


def test_the_schedule_warms_up_holds_and_ends_at_zero() -> None:
    """Rates rise, stay, fall and end."""
    rates = [learning_rate(SCHEDULE, update) for update in range(9)]
    assert rates[0] < rates[1] == rates[4] > rates[5] > rates[7] > rates[8] == 0


def test_a_timed_schedule_ends_at_zero_when_the_time_is_over(corpus: Corpus) -> None:
    """However many updates there were; a short one does not stay in its warm-up."""
    slow = replace(SCHEDULE, warmup_updates=10**6)
    rates = [timed_learning_rate(slow, 10, elapsed) for elapsed in (0.01, 0.05, 0.5, 0.99, 1)]
    assert rates[0] < rates[1] > rates[2] > rates[3] > rates[4] == 0
    assert rates[2] == pytest.approx(slow.learning_rate / 2)
    trainer = Trainer(CONFIG, corpus, total_minutes=2)
    trainer.seconds = 60
    trainer.update = 3
    assert trainer.rate == pytest.approx(CONFIG.schedule.learning_rate / 2)
    assert not trainer.finished
    trainer.seconds = 120
    assert trainer.finished


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_another_scale_takes_the_trunk(corpus: Corpus, scale: int, tmp_path: Path) -> None:
    """Everything but the last convolution; the same scale takes that too."""
    parent = Trainer(CONFIG, corpus)
    parent.advance()
    config = replace(CONFIG, name="child", network=replace(CONFIG.network, scale=scale), seed=9)
    own = corpus_of(tmp_path / "own", [noise(60, 60)], scale=scale)
    child, fresh = (Trainer(config, own) for _ in range(2))
    child.start_from(parent.state())
    for name, tensor in child.network.state_dict().items():
        taken = scale == 2 or not name.startswith("tail")
        source = parent.average if taken else fresh.network
        assert torch.equal(tensor, source.state_dict()[name]), name
        assert torch.equal(tensor, child.average.state_dict()[name]), name
    assert [run["name"] for run in child.state()["ancestors"]] == ["tiny"]


def test_a_shift_adds_what_another_pair_learnt(corpus: Corpus, tmp_path: Path) -> None:
    """The trunk moves by the difference of two runs; the last convolution stays as it was."""
    before = Trainer(CONFIG, corpus)
    before.advance()
    after = Trainer(replace(CONFIG, name="after"), corpus)
    after.start_from(before.state())
    after.advance()
    config = replace(CONFIG, name="start", network=replace(CONFIG.network, scale=3), seed=9)
    own = corpus_of(tmp_path / "own", [noise(60, 60)], scale=3)
    start, child = Trainer(config, own), Trainer(replace(config, name="child"), own)
    child.start_from(start.state(), before.state(), after.state())
    states = [one.average.state_dict() for one in (start, before, after)]
    for name, tensor in child.network.state_dict().items():
        expected, low, high = (state[name] for state in states)
        if not name.startswith("tail"):
            assert not torch.equal(low, high), name
            expected = expected + high - low
        assert torch.equal(tensor, expected), name
    assert [run["name"] for run in child.ancestors] == ["start", "tiny", "after"]


def test_a_shallower_trunk_takes_the_first_blocks(corpus: Corpus) -> None:
    """A deeper parent gives as many blocks as there are."""
    deeper = replace(CONFIG, network=replace(CONFIG.network, blocks=CONFIG.network.blocks + 1))
    parent = Trainer(deeper, corpus)
    child = Trainer(CONFIG, corpus)
    child.start_from(parent.state())
    for name, tensor in child.network.state_dict().items():
        assert torch.equal(tensor, parent.average.state_dict()[name]), name


def test_another_trunk_is_refused(corpus: Corpus) -> None:
    """A different width, or blocks that are missing, are not this model's trunk."""
    parent = Trainer(CONFIG, corpus).state()
    deeper = replace(CONFIG, network=replace(CONFIG.network, blocks=CONFIG.network.blocks + 1))
    with pytest.raises(ValueError, match="does not fit"):
        Trainer(deeper, corpus).start_from(parent)


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
    paths = sorted(CONFIGS.glob("*.toml"))
    assert paths
    for path in paths:
        config = read_config(path)
        assert config.name == path.stem
        assert path.stem.endswith(f"-x{config.network.scale}")
        assert (config.degradation is not None) == path.stem.startswith("photo")


def test_the_oldest_entries_keep_their_meaning(tmp_path: Path) -> None:
    """Entries that were added to configurations later have the values that runs began with."""
    path = tmp_path / "fast-x3.toml"
    path.write_text(
        '[network]\nscale = 3\nfeatures = 28\nblocks = 8\nblock = "plain"\n'
        "[schedule]\nupdates = 9\ndecay_updates = 9\nlearning_rate = 1e-3\n",
        "utf-8",
    )
    config = read_config(path)
    assert config.loss == Loss("l1", luma=0, colour_shift=0)
    assert config.degradation is None
    assert config.start_from is None
    assert config.network == NetworkSpec(3, 28, 8, "plain", "plain", "relu")
    assert config.crops == CropRule(48, 16, 0.8, solid=0)
    assert config.variation == Variation(resize=0, permute=0, invert=0)
