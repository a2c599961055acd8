"""Fitting the rule of `auto`: it finds the ramp that separates, and leaves alone the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from training import fit_auto
from training.damages import DAMAGES, louder_than_bicubic
from training.export import export
from training.fit_auto import Sample, fit, report, samples, score, strengths, written
from training.networks import Network, NetworkSpec
from training.tests.pictures import noise
from upres.condition.choice import LEVELS, parse_rule
from upres.condition.measure import Condition

if TYPE_CHECKING:
    from pathlib import Path


def sample(damage: str, *, better: float, **changes: float) -> Sample:
    """Return a picture that gains `better` dB for all of `photo`."""
    values = {"blocks": 0.0, "noise": 0.2, "grain": 0.5, "sharpness": 0.3} | changes
    return Sample(damage, Condition(**values), tuple(30 + better * level for level in LEVELS))


def test_damage_weighs_one_in_all() -> None:
    """Almost half of it clean or nearly so."""
    assert sum(damage.weight for damage in DAMAGES.values()) == pytest.approx(1)
    assert DAMAGES["clean"].weight + DAMAGES["camera"].weight == pytest.approx(0.45)


def test_the_ramp_that_separates_is_found() -> None:
    """Clean pictures lose with photo and noisy ones gain: noise decides, nothing else."""
    table = [sample(name, better=-1, noise=0.3) for name in DAMAGES if name != "noisy"]
    table += [sample("noisy", better=2, noise=level) for level in (3.2, 6.0)]
    causes = fit(table)
    moved = {cause.name for cause in causes if cause.strength(table[-1].condition) > 0}
    assert moved == {"noise"}
    ideal = sum(
        DAMAGES[name].weight * np.mean([max(one.psnr_db) for one in table if one.damage == name])
        for name in DAMAGES
    )
    assert score(table, causes) == pytest.approx(ideal)
    assert "| noisy | 32.00 | 30.00 |" in report(table, causes)


def test_old_photographs_must_not_become_noisier() -> None:
    """A strength that lifts their noise over bicubic's is not taken, whatever its PSNR."""
    grainy = {"noise": 0.9, "grain": 0.9, "colours": 1.0}
    table = [sample(name, better=-1) for name in DAMAGES if name != "print"]
    table += [replace(sample("print", better=-0.2, **grainy), louder=(0.3, 0.2, 0.1, 0.0, -0.1))]
    causes = fit(table)
    assert max(cause.strength(table[-1].condition) for cause in causes) == pytest.approx(0.75, 0.17)
    assert max(cause.strength(table[0].condition) for cause in causes) == 0


@given(st.floats(0.2, 3.0))
def test_louder_is_told_in_levels_against_bicubic(times: float) -> None:
    """The bicubic enlargement itself is as loud; with more of its noise it is louder."""
    low = np.clip(120 + 4 * np.random.default_rng(1).standard_normal((48, 48, 1)), 0, 255)
    small = np.repeat(np.rint(low), 3, axis=2).astype(np.uint8)
    plain = np.asarray(Image.fromarray(small).resize((144, 144), Image.Resampling.BICUBIC))
    assert louder_than_bicubic([plain], small) == (0,)
    more = np.clip(np.rint(120 + times * (plain - 120.0)), 0, 255).astype(np.uint8)
    found, itself = louder_than_bicubic([more, 0 * plain + 120], small)
    assert found == pytest.approx(-itself * (times - 1), abs=0.3)  # rounded to levels


def test_pictures_are_damaged_measured_and_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With networks between two files; what is written is a rule."""
    monkeypatch.setattr(fit_auto, "LOW_PX", 48)
    files = []
    for seed in (1, 2):
        network = Network(NetworkSpec(scale=3, features=4, blocks=1))
        files.append(tmp_path / f"{seed}.onnx")
        export(network.eval(), files[-1])
    picture = tmp_path / "a.png"
    Image.fromarray(noise(220, 230)).save(picture)
    table = samples([picture], strengths(*files))
    assert {one.damage for one in table} == set(DAMAGES)
    assert all(len(one.psnr_db) == len(LEVELS) for one in table)
    again = samples([picture], strengths(*files))
    assert again == table
    rule = parse_rule(written(fit_auto.ramps("noise")[:1], *files))
    assert rule.lite != rule.photo
