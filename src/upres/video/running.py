"""What runs the network of a transcode, as the keys of results name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.engines import engine
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
