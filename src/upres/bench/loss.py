"""How well a network does on the sample pictures, to tell what faster arithmetic costs."""

from __future__ import annotations

from importlib import resources
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from upres.bench.pictures import read_rgb
from upres.bench.scores import psnr_y
from upres.image.limits import Limits
from upres.upscale.resample import BICUBIC, resize
from upres.upscale.steps import network_function, quantized, to_planes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from upres.engines.base import Session
    from upres.models.spec import ModelSpec

_SAMPLES = ("photo", "text")
_LEVELS = 255


def sample_score(spec: ModelSpec) -> Callable[[Session], float]:
    """Return what scores a session of that network: mean PSNR-Y in dB over the sample pictures.

    Each is made smaller by the network's factor with bicubic, rounded, and enlarged again.
    """
    pairs = list(_pairs(spec.scale))

    def score(session: Session) -> float:
        enlarge = network_function(spec, session)
        return mean(
            psnr_y(_rounded(enlarge(to_planes(small))), truth, border_px=spec.scale)
            for small, truth in pairs
        )

    return score


def _pairs(scale: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    for name in _SAMPLES:
        with resources.as_file(resources.files("upres.samples") / f"{name}.png") as path:
            truth = read_rgb(path, limits=Limits(), tell=lambda _: None)
        height, width = (side // scale for side in truth.shape[:2])
        truth = truth[: height * scale, : width * scale]
        small = resize(to_planes(truth), height=height, width=width, kernel=BICUBIC)
        yield _rounded(small), truth


def _rounded(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.concatenate(list(quantized([planes], sample_max=_LEVELS))).astype(np.uint8)
