"""Engines in turns, and what their speeds are multiples of."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from upres.bench import speed
from upres.bench.speed import Speed, SpeedRequest, default_speed_models, measure_speed
from upres.engines import ENGINE_NAMES
from upres.errors import ModelMissing, UnknownModel
from upres.workbench import Workbench


def run(workbench: Workbench, *models: str, **options: Any) -> Speed:
    told: list[str] = []
    request = SpeedRequest(models=models, **({"rounds": 2, "tile_px": 16, "threads": 1} | options))
    result, _ = measure_speed(request, workbench=workbench, tell=told.append)
    assert result.notes == told
    return result


def test_every_engine_and_arithmetic(workbench: Workbench) -> None:
    """Without edsr: multiples of the default model in the same engine, in fp32."""
    result = run(workbench, "fsrcnn-small")
    assert result.baseline is not None
    assert result.baseline.startswith("lite-x3 fp32 in the same engine")
    assert "upres models pull edsr" in result.baseline
    exact = {(one.model, one.engine): one for one in result.engines if one.precision == "fp32"}
    assert set(exact) == {
        (model, engine) for model in ("fsrcnn-small-x3", "lite-x3") for engine in ENGINE_NAMES
    }
    for one in result.engines:
        assert len(one.seconds) == 2
        assert one.median_s == median(one.seconds)
        base = exact["lite-x3", one.engine].seconds
        ratios = [theirs / own for own, theirs in zip(one.seconds, base, strict=True)]
        assert one.ratio is not None
        assert one.ratio.median == pytest.approx(median(ratios))
        assert (one.ratio.lowest, one.ratio.highest) == (min(ratios), max(ratios))
    assert (result.scale, result.tile_px, result.threads) == (3, 16, 1)


def test_the_usual_way_is_the_measure(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its one engine joins the turns though another was asked for; all are multiples of it."""
    monkeypatch.setattr(speed, "USUAL_MODEL", "fsrcnn")
    result = run(workbench, "fsrcnn-small", "bicubic", engines=("onnxruntime",), scale=2)
    assert [(one.model, one.engine, one.precision) for one in result.engines] == [
        ("fsrcnn-small-x2", "onnxruntime", "fp32"),
        ("fsrcnn-x2", "opencv", "fp32"),
    ]
    own, base = result.engines
    assert base.ratio is not None
    assert (base.ratio.median, base.ratio.lowest, base.ratio.highest) == (1, 1, 1)
    assert own.ratio is not None
    assert own.ratio.lowest <= own.ratio.median <= own.ratio.highest
    assert result.baseline == "fsrcnn-x2 in OpenCV's dnn_superres"


def test_the_measure_is_not_measured_twice(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was asked for; its missing engine joins."""
    monkeypatch.setattr(speed, "USUAL_MODEL", "fsrcnn")
    for engines in (("opencv",), ("onnxruntime",)):
        result = run(workbench, "fsrcnn", engines=engines, scale=2, rounds=1)
        found = [(one.model, one.engine) for one in result.engines]
        assert sorted(found) == [("fsrcnn-x2", engine) for engine in sorted({*engines, "opencv"})]


def test_nothing_to_compare_with(workbench: Workbench) -> None:
    """At a factor that neither edsr (not here) nor the default model has: seconds alone."""
    result = run(workbench, "fsrcnn-small", engines=("onnxruntime",), scale=4, rounds=1)
    if workbench.catalogue.scales("lite") == (3,):
        assert result.baseline is None
        assert [one.ratio for one in result.engines] == [None]


def test_interpolations_have_no_engine(workbench: Workbench) -> None:
    """Nothing is timed, nothing is pulled for it."""
    result = run(workbench, "bicubic")
    assert (result.engines, result.baseline) == ([], None)


def test_refused(workbench: Workbench) -> None:
    """Models that are unknown or not here."""
    with pytest.raises(ModelMissing):
        run(workbench, "edsr")
    with pytest.raises(UnknownModel):
        run(workbench, "nonesuch")


def test_edsr_is_measured_where_it_is(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default, and only then."""
    assert default_speed_models(workbench, ("lite",)) == ("lite",)
    monkeypatch.setattr(workbench.store, "installed", lambda _: True)
    assert default_speed_models(workbench, ("lite",)) == ("lite", "edsr")
