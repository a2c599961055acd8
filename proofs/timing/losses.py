"""What int8 costs: PSNR-Y of the benchmark sets against the same network in fp32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from proofs.quality import psnr_y, read_rgb
from proofs.record import SHARED, Measure
from upres.errors import UnknownModel
from upres.library import Upscaler
from upres.upscale.resample import BICUBIC, resize
from upres.upscale.steps import quantized, to_planes

_MOST_DB = 0.05
_SCALE = 3

Pair = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]


def set5() -> Iterator[Pair]:
    """Yield name, low and high resolution of Set5, with the standard's own small pictures."""
    for path in sorted((SHARED / "bench/Set5/LR_bicubic/X3").glob("*.png")):
        name = path.stem.removesuffix("x3")
        yield name, read_rgb(path), read_rgb(SHARED / f"bench/Set5/HR/{name}.png")


def kodak24(first: int, last: int) -> Iterator[Pair]:
    """Yield the same of Kodak24's pictures from `first` to before `last`; bicubic made them small.

    Kept sizes are multiples of the factor.
    """
    for path in sorted((SHARED / "bench/Kodak24/HR").glob("*.png"))[first:last]:
        yield path.stem, *reduced(read_rgb(path))


def reduced(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture made three times smaller by bicubic, and what of it that came from."""
    height, width = (side // _SCALE for side in picture.shape[:2])
    truth = picture[: height * _SCALE, : width * _SCALE]
    planes = resize(to_planes(truth), height=height, width=width, kernel=BICUBIC)
    return np.concatenate(list(quantized([planes], sample_max=255))).astype(np.uint8), truth


def _measure(
    seed: int,  # noqa: ARG001 - nothing here is random
    *,
    models: tuple[str, ...],
    pairs: Callable[[], Iterator[Pair]],
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for model in models:
        try:
            scores = {each: _scores(model, each, pairs()) for each in ("fp32", "int8")}
        except UnknownModel:
            results[model] = "there is no such model"
            continue
        means = {each: float(np.mean(list(one.values()))) for each, one in scores.items()}
        results[model] = {
            "psnr_y_db": scores,
            "mean_db": means,
            "loss_db": means["fp32"] - means["int8"],
        }
    return {
        "models": results,
        "most_db": _MOST_DB,
        "passed": all(
            not isinstance(one, str) and one["loss_db"] <= _MOST_DB for one in results.values()
        ),
    }


def _scores(
    model: str, precision: Literal["fp32", "int8"], pairs: Iterator[Pair]
) -> dict[str, float]:
    upscaler = Upscaler.load(model, scale=_SCALE, engine="openvino", precision=precision)
    return {name: psnr_y(upscaler(small), truth, border_px=_SCALE) for name, small, truth in pairs}


set5_edsr: Measure = partial(_measure, models=("edsr",), pairs=set5)
set5_family: Measure = partial(_measure, models=("lite", "fast"), pairs=set5)
kodak24_edsr_first: Measure = partial(_measure, models=("edsr",), pairs=partial(kodak24, 0, 12))
kodak24_edsr_second: Measure = partial(_measure, models=("edsr",), pairs=partial(kodak24, 12, 24))
