"""From a finished run to a model that ships: file, card, and the catalogue's table."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from training import bundle as bundling
from training.batches import CropRule
from training.bundle import PACKAGE, Shelf, bundle, entered
from training.config import Config
from training.networks import NetworkSpec
from training.schedule import Schedule
from training.session import Limits
from training.tests.pictures import noise, scene
from training.train import Places, train
from upres.models.catalogue import parse
from upres.models.footprint import graph_working_bytes_per_px

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = Config(
    name="fast-x2",
    network=NetworkSpec(scale=2, features=4, blocks=1, block="plain"),
    schedule=Schedule(updates=3, decay_updates=3, learning_rate=1e-3, warmup_updates=1),
    crops=CropRule(patch_px=12, batch=2),
)
OTHERS = """# A remark.

[[model]]
name = "lite"
scale = 3
[model.file]
bytes = 10

[[model]]
name = "edsr"
scale = 2  # kept as it is
[model.file]
bytes = 99000000
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return folders with a training picture and a test picture."""
    for name, picture in (("train/a", noise(80, 90)), ("bench/Set5/HR/baby", scene(32, 40))):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    folder = tmp_path / "checkpoints"
    return Places(
        pictures=(tmp_path / "train",),
        checkpoints=folder,
        parents=folder,
        models=tmp_path / "models",
        tests=tmp_path / "bench",
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return a catalogue of two models whose files are of no matter here."""
    shelf = Shelf(weights=tmp_path / "weights", catalogue=tmp_path / "catalogue.toml")
    shelf.weights.mkdir()
    shelf.catalogue.write_text(OTHERS, "utf-8")
    return shelf


def test_a_finished_run_is_entered(places: Places, shelf: Shelf) -> None:
    """The table describes the file, as the tests of the catalogue want it; the card is beside."""
    train(CONFIG, places, Limits())
    entry = bundle("fast-x2", checkpoints=places.checkpoints, tests=places.tests, shelf=shelf)
    (spec,) = parse(entry)
    data = (shelf.weights / "fast_x2.onnx").read_bytes()
    assert spec.id == "fast-x2"
    assert (spec.file.bytes, spec.file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert spec.working_bytes_per_px == graph_working_bytes_per_px(data)
    assert spec.halo_px >= 1
    card = (shelf.weights / "fast_x2.card.md").read_text("utf-8")
    assert spec.file.sha256 in card
    assert "`fast_x2.onnx`" in card
    assert "Set5" in card
    text = shelf.catalogue.read_text("utf-8")
    assert entry in text
    assert text.startswith("# A remark.\n\n[[model]]\n")
    assert text.index('"fast"') < text.index('"lite"') < text.index('"edsr"')
    assert sorted(path.name for path in shelf.weights.iterdir()) == [
        "fast_x2.card.md",
        "fast_x2.onnx",
    ]
    again = bundle("fast-x2", checkpoints=places.checkpoints, tests=places.tests, shelf=shelf)
    assert again == entry
    assert shelf.catalogue.read_text("utf-8") == text


def test_an_unfinished_run_is_refused(places: Places, shelf: Shelf) -> None:
    """A high learning rate is no model; nothing is changed."""
    train(CONFIG, places, Limits(updates=2))
    with pytest.raises(ValueError, match="at update 2 and not finished"):
        bundle("fast-x2", checkpoints=places.checkpoints, tests=places.tests, shelf=shelf)
    assert not list(shelf.weights.iterdir())
    assert shelf.catalogue.read_text("utf-8") == OTHERS
    bundle(
        "fast-x2",
        checkpoints=places.checkpoints,
        tests=places.tests,
        shelf=shelf,
        unfinished=True,
    )
    card = (shelf.weights / "fast_x2.card.md").read_text("utf-8")
    assert "not finished" in " ".join(card.split())


def test_a_family_that_weighs_too_much_is_refused(
    places: Places, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others' models do not count; nothing is left of the new one."""
    monkeypatch.setattr(bundling, "FAMILY_BYTES", 100)
    train(CONFIG, places, Limits())
    with pytest.raises(ValueError, match="would weigh"):
        bundle("fast-x2", checkpoints=places.checkpoints, tests=places.tests, shelf=shelf)
    assert not list(shelf.weights.iterdir())
    assert shelf.catalogue.read_text("utf-8") == OTHERS


@pytest.mark.parametrize("name", ["edsr-x3", "fast", "fast-xx"])
def test_names_outside_the_family_are_refused(name: str, places: Places, shelf: Shelf) -> None:
    """Only ours are made here."""
    config = replace(CONFIG, name=name)
    assert config.name == name
    with pytest.raises(ValueError, match="is none of"):
        bundle(name, checkpoints=places.checkpoints, tests=places.tests, shelf=shelf)


def test_the_shipped_catalogue_survives_an_entry() -> None:
    """Put a table in the place of itself: not a byte changes."""
    text = (PACKAGE / "catalogue.toml").read_text("utf-8")
    start = text.index("[[model]]")
    first = text[start : text.index("\n\n[[model]]", start) + 1]
    assert entered(text, first) == text
