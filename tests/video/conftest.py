from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from upres.image.limits import Limits
from upres.upscale.resample import BICUBIC
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Interpolation
from upres.video.transcode import Outcome, Transcode, VideoOptions

pytest.importorskip("av")


@pytest.fixture
def enlarge(tmp_path: Path) -> Callable[..., tuple[Path, Outcome]]:
    """Return a function that enlarges a clip twice with bicubic, and gives the result's path.

    `enlarge(clip, "out.mp4", codec=..., stretch=...)`: names are those of VideoOptions.
    """

    def run(clip: Path, name: str = "out.mkv", **options: Any) -> tuple[Path, Outcome]:
        output = tmp_path / name
        run_options = {
            key: options.pop(key) for key in ("resume", "cancel", "progress") if key in options
        }
        method = options.pop("method", Interpolation(kernel=BICUBIC))
        size = options.pop("size", SizeRequest(factor=2))
        work = Transcode(clip, output, size=size, options=VideoOptions(**options), limits=Limits())
        return output, work.run(method, network=None, **run_options)

    return run
