"""Which results are the same: the key of what this process would compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.engines import engine
from upres.storage.cache import NetworkUse, result_key

if TYPE_CHECKING:
    from upres.jobs.job import JobOptions
    from upres.models.spec import ModelSpec
    from upres.service.parts import Service


def content_key(
    service: Service, source_key: str, options: JobOptions, spec: ModelSpec | None
) -> str:
    """Return the key of a result; `spec` is the network, None for an interpolation.

    Raises EngineMissing.
    """
    network = None
    if spec is not None:
        name, precision, _ = service.workbench.choice(spec, runtime=service.runtime)
        version = engine(name).version()
        network = NetworkUse(model=spec, engine=name, engine_version=version, precision=precision)
    return result_key(source_key, options=options.canonical(), network=network)
