"""The list of models: the one that ships, and the user's own additions beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from upres.errors import ModelRefused, UnknownModel
from upres.models.spec import Channels, ModelFile, ModelSpec, Source

BASELINES = ("bicubic", "lanczos")
"""Names that stand for interpolation: no file, any factor."""

AUTO = "auto"
AUTO_MODEL = "lite"
"""What `auto` stands for while there is one model of ours."""


class Catalogue:
    """Model specs by name and scale."""

    def __init__(self, specs: Iterable[ModelSpec]) -> None:
        self._specs = {(spec.name, spec.scale): spec for spec in specs}

    @classmethod
    def load(cls, *, added: Path | None = None) -> Catalogue:
        """Read the catalogue that ships, then every `*.toml` in the folder `added`.

        An addition cannot take the name of a model that ships. Raises ModelRefused.
        """
        shipped = resources.files("upres.models").joinpath("catalogue.toml").read_text("utf-8")
        specs = list(parse(shipped))
        taken = {spec.name for spec in specs} | {*BASELINES, AUTO}
        for path in sorted(added.glob("*.toml")) if added and added.is_dir() else ():
            for spec in _read_addition(path):
                if spec.name in taken:
                    raise ModelRefused(path.name, f"the name {spec.name} is taken")
                specs.append(spec)
        return cls(specs)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._specs.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that `--model` takes, `auto` and the baselines included."""
        return (AUTO, *dict.fromkeys(spec.name for spec in self._specs.values()), *BASELINES)

    def scales(self, name: str) -> tuple[int, ...]:
        """Return the factors that a model exists for, ascending. Raises UnknownModel."""
        found = sorted(spec.scale for spec in self._specs.values() if spec.name == name)
        if not found:
            raise UnknownModel(name, self.names)
        return tuple(found)

    def get(self, name: str, scale: int) -> ModelSpec:
        """Return one network. Raises UnknownModel."""
        if scale not in self.scales(name):
            known = [f"{name} x{factor}" for factor in self.scales(name)]
            raise UnknownModel(name, known, scale=scale)
        return self._specs[name, scale]

    def nearest(self, name: str, factor: float) -> ModelSpec:
        """Return the network for a factor: the nearest at or above, else the largest."""
        scales = self.scales(name)
        return self.get(name, next((scale for scale in scales if scale >= factor), scales[-1]))


def parse(text: str) -> list[ModelSpec]:
    """Turn catalogue text into specs; raises ModelRefused naming the entry that is wrong."""
    try:
        tables = tomllib.loads(text).get("model", [])
    except tomllib.TOMLDecodeError as error:
        raise ModelRefused("catalogue", str(error)) from error
    return [_spec(table) for table in tables]


def _read_addition(path: Path) -> list[ModelSpec]:
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRefused(path.name, str(error)) from error


def _spec(table: Mapping[str, Any]) -> ModelSpec:
    entry = dict(table)
    try:
        file = dict(entry.pop("file"))
        file["sources"] = tuple(Source(**source) for source in file.get("sources", ()))
        entry["channels"] = Channels(entry["channels"])
        entry["mean"] = tuple(entry.get("mean", ()))
        return ModelSpec(file=ModelFile(**file), **entry)
    except (KeyError, TypeError, ValueError) as error:
        name = f"catalogue entry {table.get('name', '?')} x{table.get('scale', '?')}"
        raise ModelRefused(name, str(error)) from error
