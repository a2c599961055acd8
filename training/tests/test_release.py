"""From a run to a model file: timed runs, export with a card, the plan of the family."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from training.batches import CropRule
from training.checkpoint import read
from training.config import Config
from training.degrade import Degradation
from training.family import PLAN, is_finished, read_plan, run
from training.networks import NetworkSpec
from training.protocols import Part, bicubic, degraded_scores
from training.schedule import Schedule
from training.session import Limits
from training.tests.pictures import noise, scene
from training.train import Places, train

if TYPE_CHECKING:
    from pathlib import Path

    from training.downscale import Picture

CONFIG = Config(
    name="tiny-x2",
    network=NetworkSpec(scale=2, features=4, blocks=1),
    schedule=Schedule(updates=4, decay_updates=4, learning_rate=1e-3, warmup_updates=1),
    crops=CropRule(patch_px=12, batch=2),
)
CHILD = replace(
    CONFIG,
    name="child-x1",
    network=replace(CONFIG.network, scale=1),
    start_from="tiny-x2",
    degradation=Degradation(),
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return folders with two training pictures, one of a research set, and small test sets."""
    for name, picture in (
        ("train/photos/a", noise(80, 90)),
        ("train/t91/b", noise(80, 90, 2)),
        ("bench/Set5/HR/baby", scene(32, 40)),
        ("bench/Kodak24/HR/one", scene(48, 48)),
    ):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return Places(
        pictures=(tmp_path / "train",),
        checkpoints=tmp_path / "checkpoints",
        parents=tmp_path / "checkpoints",
        models=tmp_path / "models",
        tests=tmp_path / "bench",
    )


def test_a_finished_run_is_exported_with_its_card(places: Places) -> None:
    """The card names data, research sets, updates, seed, scores and the file's sha256."""
    train(CONFIG, places, Limits())
    data = (places.models / "tiny_x2.onnx").read_bytes()
    card = " ".join((places.models / "tiny_x2.card.md").read_text("utf-8").split())
    for said in (
        "photos 1, t91 1",
        "research use only: t91",
        "4 updates",
        "Seed 0",
        CONFIG.digest()[:16],
        "Set5",
        "clean pictures",
        hashlib.sha256(data).hexdigest(),
    ):
        assert said in card
    assert "Kodak24 clean" not in card
    assert "tied" not in card


def test_the_card_says_that_weights_are_tied(places: Places) -> None:
    """People with pictures on their side may count on it."""
    network = replace(CONFIG.network, features=8, symmetric=True)
    train(replace(CONFIG, network=network), places, Limits())
    assert "Weights are tied" in (places.models / "tiny_x2.card.md").read_text("utf-8")


def test_an_unfinished_run_is_not_exported(places: Places) -> None:
    """It has a checkpoint only."""
    train(CONFIG, places, Limits(updates=2))
    assert read(places.checkpoints / "tiny-x2.pt")["update"] == 2
    assert not places.models.exists()


def test_a_timed_run_ends_in_time_and_then_begins_anew(places: Places) -> None:
    """One that was cut off is continued; its schedule lies over the whole time."""
    long = replace(CONFIG, schedule=replace(CONFIG.schedule, updates=10**9))
    train(long, places, Limits(updates=2), total_minutes=0.02)
    session = train(long, places, Limits(), total_minutes=0.02)
    assert session.trainer.finished
    assert session.trainer.update > 2
    assert (places.models / "tiny_x2.onnx").exists()
    lines = session.log.read_text("utf-8").splitlines()
    assert json.loads(lines[-1])["learning_rate"] == 0
    again = train(long, places, Limits(updates=1), total_minutes=0.02)
    assert again.trainer.update == 1
    assert len(again.log.read_text("utf-8").splitlines()) == 1


def test_the_family_goes_on_where_it_was(places: Places) -> None:
    """A session's end in the middle of a step, then the rest, then nothing is left to do."""
    steps = [CONFIG, CHILD]
    run(steps, places, minutes=0)
    assert not is_finished(CONFIG, places)
    run(steps, places)
    assert is_finished(CONFIG, places)
    assert is_finished(CHILD, places)
    card = (places.models / "child_x1.card.md").read_text("utf-8")
    assert "From the averaged weights of tiny-x2 after 4 updates" in " ".join(card.split())
    assert "Kodak24 jpeg40" in " ".join(card.split())
    (places.models / "child_x1.onnx").unlink()
    before = (places.checkpoints / "tiny-x2.pt").stat().st_mtime_ns
    run(steps, places)
    assert (places.checkpoints / "tiny-x2.pt").stat().st_mtime_ns == before
    assert (places.models / "child_x1.onnx").exists()


def test_a_longer_schedule_is_not_finished(places: Places) -> None:
    """Raising a configuration's updates takes the run up again."""
    train(CONFIG, places, Limits())
    longer = replace(CONFIG, schedule=replace(CONFIG.schedule, updates=6))
    assert not is_finished(longer, places)


def test_a_missing_start_is_an_error(places: Places) -> None:
    """It says what to train first."""
    with pytest.raises(FileNotFoundError, match="starts from tiny-x2"):
        train(CHILD, places, Limits(updates=1))


def test_the_committed_plan_is_in_order(tmp_path: Path) -> None:
    """Every model stands behind the one it starts from; lite x3 comes first."""
    assert read_plan(PLAN)[0].name == "lite-x3"
    wrong = tmp_path / "plan.toml"
    wrong.write_text('steps = ["photo-x3", "lite-x3"]', "utf-8")
    with pytest.raises(ValueError, match="stands before"):
        read_plan(wrong)


def test_bicubic_scores_as_bicubic(places: Places) -> None:
    """Given bicubic as the model, result and comparison agree, and harm is seen in the score."""

    def enlarge(low: Picture) -> Picture:
        return bicubic(low, 2)

    found = degraded_scores(enlarge, places.tests / "Kodak24", 2, Part(low_px=20))
    assert all(score.result_db == score.bicubic_db for score in found)
    scores = {score.protocol: score.result_db for score in found}
    assert set(scores) == {"clean", "jpeg40", "cubic", "noise10"}
    assert scores["clean"] > max(scores["jpeg40"], scores["noise10"])


def test_a_bicubic_enlargement_is_matlabs_inside() -> None:
    """Constants stay, and a ramp continues."""
    ramp = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None] * 6, (20, 8, 3))
    steps = np.diff(bicubic(ramp.copy(), 3)[9:-9, 0, 0].astype(int))
    assert set(steps) == {2}
