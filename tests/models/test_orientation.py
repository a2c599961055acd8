"""Models with tied weights: a picture turned or mirrored gives its result turned or mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from upres.config import Settings
from upres.engines import engine, installed
from upres.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Planes = NDArray[np.float32]

TIED = [("lite", 3), ("photo", 3)]


def oriented(planes: Planes) -> Iterator[Planes]:
    """Yield (1, C, h, w) in all eight orientations."""
    for turns in range(4):
        turned = np.rot90(planes, turns, (2, 3))
        yield np.ascontiguousarray(turned)
        yield np.ascontiguousarray(turned[..., ::-1])


@pytest.mark.skipif("onnxruntime" not in installed(), reason="onnxruntime is not installed")
@pytest.mark.parametrize(("name", "scale"), TIED)
def test_orientation_does_not_matter(name: str, scale: int) -> None:
    """To within rounding, on noise, which leaves no weight unused."""
    workbench = Workbench(Settings.from_environment())
    spec = workbench.catalogue.get(name, scale)
    planes = np.random.default_rng(8).random((1, 3, 21, 30), np.float32)
    path = workbench.store.find(spec)
    with engine("onnxruntime").open(path, spec, precision="fp32", threads=2) as session:
        results = [session.run(one) for one in oriented(planes)]
    for expected, result in zip(oriented(results[0]), results, strict=True):
        assert np.abs(result - expected).max() < 1e-3
