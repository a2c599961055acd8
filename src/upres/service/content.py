"""Which results are the same: the key of what this process would compute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from upres.condition.choice import rule_version
from upres.engines import engine
from upres.models.catalogue import AUTO_MODEL, CLEAN_MODEL
from upres.storage.cache import NetworkUse, result_key
from upres.workbench import spares_flat

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
    rule = None
    if service.workbench.measures(options.model, options.clean):
        rule = _rule(service)
    if spec is not None:
        runtime = replace(service.runtime, exact=options.exact)
        name, precision, _ = service.workbench.choice(spec, runtime=runtime)
        version = engine(name).version()
        network = NetworkUse(
            model=spec,
            engine=name,
            engine_version=version,
            precision=precision,
            tile_memory_bytes=service.workbench.tile_memory_bytes(spec, runtime=runtime),
            spares_flat=spares_flat(spec, runtime),
        )
    return result_key(source_key, options=options.canonical(), network=network, rule=rule)


def _rule(service: Service) -> str:
    """Return what the choice for a picture follows from, and what may be chosen."""
    names = (AUTO_MODEL, CLEAN_MODEL)
    hashes = [spec.file.sha256 for spec in service.workbench.catalogue if spec.name in names]
    return " ".join([rule_version(), *sorted(hashes)])
