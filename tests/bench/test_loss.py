"""What int8 costs on the sample pictures, for the models that ship with a table of ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upres.bench.loss import sample_score
from upres.engines import engine, installed
from upres.engines.measurements import BUDGET_DB
from upres.models.calibration import calibration_of
from upres.models.catalogue import Catalogue
from upres.models.store import ModelStore, StoreSettings

if TYPE_CHECKING:
    from pathlib import Path

    from upres.models.spec import ModelSpec

_QUANTIZED = [spec for spec in Catalogue.load() if calibration_of(spec) is not None]


@pytest.mark.parametrize("spec", _QUANTIZED, ids=lambda spec: spec.id)
def test_int8_keeps_within_the_budget(spec: ModelSpec, tmp_path: Path) -> None:
    """It is what `auto` takes where nothing was measured."""
    store = ModelStore(StoreSettings(folder=tmp_path))
    if not store.installed(spec):
        pytest.skip(f"{spec.id} does not ship")
    if "openvino" not in installed():
        pytest.skip("engine openvino is not installed")
    score = sample_score(spec)
    scores = {}
    for precision, path in (
        ("fp32", store.find(spec)),
        ("int8", store.find(spec, format="int8")),
    ):
        with engine("openvino").open(path, spec, precision=precision, threads=2) as session:  # type: ignore[arg-type]
            scores[precision] = score(session)
    assert scores["fp32"] > (22 if spec.scale == 4 else 24)  # less is left of a small picture
    assert abs(scores["fp32"] - scores["int8"]) < BUDGET_DB
    assert scores["fp32"] != scores["int8"]
