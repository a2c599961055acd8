"""What model names mean on the command line: a name, an id such as `edsr-x3`, or `auto`."""

from __future__ import annotations

from upres.errors import InvalidOption, ModelMissing, UpresError
from upres.models.catalogue import AUTO, AUTO_MODEL, BASELINES
from upres.models.spec import ModelSpec
from upres.workbench import Workbench


def networks_named(workbench: Workbench, name: str, *, scale: int | None = None) -> list[ModelSpec]:
    """Return the networks of a name: one where an id or a scale says so, else all its scales.

    Raises UnknownModel, and InvalidOption for interpolations, which have no file.
    """
    for spec in workbench.catalogue:
        if spec.id == name:
            if scale not in (None, spec.scale):
                raise InvalidOption("--scale", scale, f"{spec.scale}, as {name} says")
            return [spec]
    if name in BASELINES:
        raise InvalidOption("model", name, "a network; interpolation has no file")
    known = AUTO_MODEL if name == AUTO else name
    scales = workbench.catalogue.scales(known) if scale is None else (scale,)
    return [workbench.catalogue.get(known, one) for one in scales]


def fault_of(workbench: Workbench, spec: ModelSpec) -> UpresError | None:
    """Hash a model's files anew and return what is wrong with them, None when they are whole."""
    try:
        workbench.store.verify(spec)
    except UpresError as error:
        return error
    return None


def absent(fault: UpresError | None) -> bool:
    """Tell whether a model is simply not here."""
    return isinstance(fault, ModelMissing)
