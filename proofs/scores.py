"""PSNR-Y of every model on the standard Set5, through the library, fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from proofs.quality import psnr_y, read_rgb
from proofs.record import SHARED
from upres.config import Settings
from upres.library import Upscaler
from upres.models.catalogue import BASELINES, Catalogue
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Options
from upres.workbench import Runtime, Workbench

_SCALES = (2, 3, 4)
_BICUBIC_DB = {2: 33.64, 3: 30.39, 4: 28.42}
"""Published figures of bicubic interpolation; the check that this is the standard protocol."""
_TOLERANCE_DB = 0.05
"""Published figures round luma to whole levels before comparing, which costs 0.01 to 0.04 dB."""


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Score every installed model at its own factors, and the interpolations."""
    workbench = Workbench(Settings.from_environment())
    here = [spec for spec in Catalogue.load() if workbench.store.installed(spec)]
    pairs = [(name, scale) for name in BASELINES for scale in _SCALES]
    pairs += [(spec.name, spec.scale) for spec in here if spec.scale in _SCALES]
    scores = {f"{name}-x{scale}": _score(workbench, name, scale) for name, scale in pairs}
    means = {name: float(np.mean(list(each.values()))) for name, each in scores.items()}
    bicubic_right = all(
        abs(means[f"bicubic-x{scale}"] - published) <= _TOLERANCE_DB
        for scale, published in _BICUBIC_DB.items()
    )
    complete = {"edsr-x3", "lite-x3", "fsrcnn-x3", "espcn-x3"} <= set(scores)
    return {"psnr_y_db": scores, "mean_db": means, "passed": bicubic_right and complete}


def _score(workbench: Workbench, name: str, scale: int) -> dict[str, float]:
    upscaler = Upscaler(
        workbench=workbench,
        model=name,
        size=SizeRequest(factor=scale),
        options=Options(),
        runtime=Runtime(engine="openvino", precision="fp32"),
    )
    return {
        path.stem: psnr_y(upscaler(read_rgb(path)), read_rgb(_truth(path, scale)), border_px=scale)
        for path in sorted((SHARED / f"bench/Set5/LR_bicubic/X{scale}").glob("*.png"))
    }


def _truth(path: Path, scale: int) -> Path:
    return SHARED / "bench/Set5/HR" / f"{path.stem.removesuffix(f'x{scale}')}.png"
