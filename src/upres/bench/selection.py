"""Which models a benchmark runs, at which factors: told or refused before any picture is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from upres.errors import InvalidOption
from upres.models.catalogue import AUTO, AUTO_MODEL, BASELINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.bench.pictures import Tell
    from upres.models.spec import ModelSpec
    from upres.workbench import PullNotice, Workbench


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A model at one of its factors, or an interpolation at any."""

    model: str
    scale: int
    spec: ModelSpec | None
    """None for interpolations."""


def default_models(workbench: Workbench) -> tuple[str, ...]:
    """Return the interpolations and the networks that ship with upres: none needs a download."""
    shipped = [
        spec.name
        for spec in workbench.catalogue
        if not spec.file.sources and workbench.store.installed(spec)
    ]
    return (*BASELINES, *dict.fromkeys(shipped))


def entrants(
    workbench: Workbench, names: Sequence[str], scales: Sequence[int], *, tell: Tell
) -> list[Entrant]:
    """Return everything that is to run, factor by factor.

    A name may be an id such as `edsr-x3`, which is that network alone. What a model has no network
    for is told and left out. Raises UnknownModel, and InvalidOption when nothing remains.
    """
    found: list[Entrant] = []
    for name in names:
        if name in BASELINES:
            found += [Entrant(model=name, scale=scale, spec=None) for scale in scales]
            continue
        networks = {spec.scale: spec for spec in _networks(workbench, name)}
        missing = ", ".join(f"x{scale}" for scale in scales if scale not in networks)
        if missing:
            known = ", ".join(f"x{scale}" for scale in networks)
            tell(f"{name} is left out at {missing}: it knows {known} only")
        found += [
            Entrant(model=networks[scale].name, scale=scale, spec=networks[scale])
            for scale in scales
            if scale in networks
        ]
    if not found:
        asked = ",".join(str(scale) for scale in scales)
        raise InvalidOption("scale", asked, "a factor that one of the models has a network for")
    return sorted(dict.fromkeys(found), key=lambda entrant: scales.index(entrant.scale))


def _networks(workbench: Workbench, name: str) -> list[ModelSpec]:
    named = [spec for spec in workbench.catalogue if spec.id == name]
    if named:
        return named
    plain = AUTO_MODEL if name == AUTO else name
    return [workbench.catalogue.get(plain, one) for one in workbench.catalogue.scales(plain)]


def make_present(workbench: Workbench, spec: ModelSpec, *, pull: PullNotice | None) -> None:
    """Pull a model that is not here when `pull` is given; else raise ModelMissing."""
    if workbench.store.installed(spec):
        return
    if pull is None:
        workbench.store.find(spec)
        return
    with pull(spec) as report:
        workbench.store.pull(spec, progress=report)
