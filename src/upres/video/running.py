"""What runs the network of a transcode, as the keys of results name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.engines import engine
from upres.models.reach import reach_px
from upres.storage.cache import NetworkUse
from upres.upscale.upscaler import Interpolation, Network

if TYPE_CHECKING:
    from upres.workbench import Runtime, Workbench


def network_use(
    workbench: Workbench, method: Network | Interpolation, *, runtime: Runtime
) -> NetworkUse | None:
    """Return what computes the frames; None for an interpolation."""
    if isinstance(method, Interpolation):
        return None
    name, precision, _ = workbench.choice(method.spec, runtime=runtime)
    return NetworkUse(
        model=method.spec,
        engine=name,
        engine_version=engine(name).version(),
        precision=precision,
        tile_memory_bytes=method.tile_memory_bytes,
    )


def network_reach_px(
    workbench: Workbench, method: Network | Interpolation, *, runtime: Runtime
) -> int | None:
    """Return how far what computes the frames looks, in source pixels; None: not known."""
    if isinstance(method, Interpolation):
        return None
    with workbench.graph(method.spec, runtime=runtime) as path:
        return reach_px(path) if path.suffix == ".onnx" else None
