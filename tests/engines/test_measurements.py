"""Measurements on disk: kept under exact conditions, never trusted when damaged."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from upres.engines.measurements import (
    Conditions,
    Measurement,
    Setting,
    kept_setting,
    load,
    save,
)
from upres.errors import OutputNotWritable

if TYPE_CHECKING:
    from pathlib import Path

CONDITIONS = Conditions(
    cpu="some CPU",
    threads=2,
    engines=(("openvino", "2026.4"), ("opencv", "5.0")),
    model="lite-x3",
    sha256="ab12",
)
MEASUREMENTS = (
    Measurement(
        engine="openvino", precision="bf16", seconds=(0.1, 0.125), max_level_difference=1.5
    ),
    Measurement(engine="opencv", precision="fp32", failure="it broke"),
)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """In a folder that did not exist before, and again after it was overwritten."""
    folder = tmp_path / "cache" / "upres"
    assert load(conditions=CONDITIONS, folder=folder) == ()
    path = save(MEASUREMENTS, conditions=CONDITIONS, folder=folder)
    assert load(conditions=CONDITIONS, folder=folder) == MEASUREMENTS
    save(MEASUREMENTS[:1], conditions=CONDITIONS, folder=folder)
    assert load(conditions=CONDITIONS, folder=folder) == MEASUREMENTS[:1]
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "another"},
        {"threads": 3},
        {"engines": (("openvino", "2026.5"), ("opencv", "5.0"))},
        {"engines": (("openvino", "2026.4"),)},
        {"model": "lite-x2"},
        {"sha256": "cd34"},
    ],
    ids=str,
)
def test_other_conditions_have_measurements_of_their_own(
    change: dict[str, Any], tmp_path: Path
) -> None:
    """Another CPU, an engine's new version, more threads or a new model: measured again."""
    save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path)
    other = replace(CONDITIONS, **change)
    assert load(conditions=other, folder=tmp_path) == ()
    save(MEASUREMENTS[:1], conditions=other, folder=tmp_path)
    assert load(conditions=CONDITIONS, folder=tmp_path) == MEASUREMENTS


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[: len(content) // 2],
        lambda _: b"[]",
        lambda content: b"\xff" + content,
        lambda content: content.replace(b'"format": 3', b'"format": 0'),
        lambda content: content.replace(b"some CPU", b"forged"),
        lambda content: content.replace(b"bf16", b"int4"),
        lambda content: content.replace(b"0.125", b"-1"),
        lambda content: content.replace(b"0.125", b'"x"'),
        lambda content: content.replace(b'"seconds"', b'"minutes"'),
        lambda content: content.replace(b"it broke", b"").replace(b'""', b"null"),
    ],
)
def test_a_damaged_file_counts_as_none_and_is_written_anew(damage: Any, tmp_path: Path) -> None:
    """Whatever is in it: no error, no half-believed figures."""
    path = save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    assert load(conditions=CONDITIONS, folder=tmp_path) == ()
    save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path)
    assert load(conditions=CONDITIONS, folder=tmp_path) == MEASUREMENTS


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    """For whoever looks into the folder: the model in its name, the conditions in it."""
    path = save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path)
    assert path.name.startswith("engines-lite-x3-")
    assert json.loads(path.read_text())["conditions"]["cpu"] == "some CPU"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """As OutputNotWritable, with the reason."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputNotWritable):
        save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path / "file" / "cache")


def test_the_median_of_the_rounds_counts() -> None:
    """One slow round does not; an engine that failed is infinitely slow."""
    rounds = Measurement(engine="opencv", precision="fp32", seconds=(0.2, 9.0, 0.1))
    assert rounds.median_s == 0.2
    assert MEASUREMENTS[1].median_s > sys.float_info.max


SETTING = Setting(
    engine="openvino",
    precision="bf16",
    threads=1,
    tile_px=256,
    processes=2,
    processes_gain=1.25,
)


def test_how_an_engine_is_run_is_kept_beside(tmp_path: Path) -> None:
    assert kept_setting(conditions=CONDITIONS, folder=tmp_path) is None
    save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path)
    assert kept_setting(conditions=CONDITIONS, folder=tmp_path) is None
    save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path, setting=SETTING)
    assert kept_setting(conditions=CONDITIONS, folder=tmp_path) == SETTING


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 0},
        {"threads": True},
        {"tile_px": -1},
        {"tile_px": "256"},
        {"processes": 1.5},
        {"processes_gain": "much"},
        {"precision": "fp8"},
        {"engine": 7},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_setting_is_none(change: dict[str, Any], tmp_path: Path) -> None:
    """The measurements beside it still count."""
    path = save(MEASUREMENTS, conditions=CONDITIONS, folder=tmp_path, setting=SETTING)
    content = json.loads(path.read_bytes())
    content["setting"] |= change
    path.write_text(json.dumps(content), "utf-8")
    assert kept_setting(conditions=CONDITIONS, folder=tmp_path) is None
    assert load(conditions=CONDITIONS, folder=tmp_path) == MEASUREMENTS
