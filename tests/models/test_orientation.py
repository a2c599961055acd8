"""Models that say so: a picture turned or mirrored gives its result turned or mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from upres.config import Settings
from upres.engines import engine, installed
from upres.models.catalogue import Catalogue
from upres.models.store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from upres.models.spec import ModelSpec

    Planes = NDArray[np.float32]

SYMMETRIC = [spec for spec in Catalogue.load() if spec.symmetric]


def oriented(planes: Planes) -> Iterator[Planes]:
    """Yield (1, C, h, w) in all eight orientations."""
    for turns in range(4):
        turned = np.rot90(planes, turns, (2, 3))
        yield np.ascontiguousarray(turned)
        yield np.ascontiguousarray(turned[..., ::-1])


@pytest.mark.skipif("onnxruntime" not in installed(), reason="onnxruntime is not installed")
@pytest.mark.parametrize("spec", SYMMETRIC, ids=lambda spec: spec.id)
def test_orientation_does_not_matter(spec: ModelSpec) -> None:
    """To within rounding, on noise, which leaves no weight unused."""
    planes = np.random.default_rng(8).random((1, 3, 21, 30), np.float32)
    path = ModelStore(Settings.from_environment().store).find(spec)
    with engine("onnxruntime").open(path, spec, precision="fp32", threads=2) as session:
        results = [session.run(one) for one in oriented(planes)]
    for expected, result in zip(oriented(results[0]), results, strict=True):
        assert np.abs(result - expected).max() < 1e-3
