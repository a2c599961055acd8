"""The list of models: the one that ships, and the user's own additions beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from math import inf
from pathlib import Path
from typing import Any

from upres.errors import ModelFolderNotReadable, ModelRefused, UnknownModel
from upres.models.blend import between
from upres.models.spec import Channels, ModelFile, ModelSpec, Source

BASELINES = ("bicubic", "lanczos")
"""Names that stand for interpolation: no file, any factor."""

_PLAIN_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(onnx|pb)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_SCALE = 16
_MAX_HALO_PX = 120
"""Twice this and something must fit the tile sides there are."""

AUTO = "auto"
AUTO_MODEL = "lite"
"""What `auto` stands for where nothing was measured, and for clean pictures."""
CLEAN_MODEL = "photo"
"""The same network for photographs as people have them; a strength lies between the two."""


class Catalogue:
    """Model specs by name and scale."""

    def __init__(self, specs: Iterable[ModelSpec], *, refused: Iterable[ModelRefused] = ()) -> None:
        self._specs = {(spec.name, spec.scale): spec for spec in specs}
        self.refused = tuple(refused)
        """Additions that could not be read; they must not stop work with the others."""

    @classmethod
    def load(cls, *, added: Path | None = None) -> Catalogue:
        """Read the catalogue that ships, then every `*.toml` in the folder `added`.

        An addition cannot take the name of a model that ships, nor another addition's name and
        scale; such and unreadable ones are left out and named in `refused`. Raises
        ModelFolderNotReadable.
        """
        shipped = resources.files("upres.models").joinpath("catalogue.toml").read_text("utf-8")
        specs = list(parse(shipped))
        taken = {spec.name for spec in specs} | {*BASELINES, AUTO}
        refused: list[ModelRefused] = []
        for path in _additions(added):
            try:
                specs += _read_addition(path, names=taken, ids={spec.id for spec in specs})
            except ModelRefused as error:
                refused.append(error)
        return cls(specs, refused=refused)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._specs.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that `--model` takes, `auto` and the baselines included."""
        return (AUTO, *dict.fromkeys(spec.name for spec in self._specs.values()), *BASELINES)

    def scales(self, name: str) -> tuple[int, ...]:
        """Return the factors that a model exists for, ascending.

        Raises UnknownModel, and ModelRefused where a refused addition may be the one meant.
        """
        found = sorted(spec.scale for spec in self._specs.values() if spec.name == name)
        if not found:
            if self.refused:
                raise self.refused[0]
            raise UnknownModel(name, self.names)
        return tuple(found)

    def get(self, name: str, scale: int) -> ModelSpec:
        """Return one network. Raises UnknownModel."""
        if scale not in self.scales(name):
            known = [f"{name} x{factor}" for factor in self.scales(name)]
            raise UnknownModel(name, known, scale=scale)
        return self._specs[name, scale]

    def nearest(self, name: str, factor: float) -> ModelSpec:
        """Return the network for a factor: the nearest at or above, else the largest.

        An id such as `edsr-x3` means that network whatever the factor.
        """
        for spec in self:
            if spec.id == name:
                return spec
        scales = self.scales(name)
        return self.get(name, next((scale for scale in scales if scale >= factor), scales[-1]))

    def strength(self, factor: float, clean: float) -> ModelSpec:
        """Return the network at a strength from 0 (`lite`) to 1 (`photo`), as near as `nearest`.

        At x1, which `lite` does not know, all of `photo` is its own x1, and less goes through x2.
        Raises UnknownModel where a strength is wanted and there are not both at one scale.
        """
        if clean == 0:
            return self.nearest(AUTO_MODEL, factor)
        if clean == 1:
            return self.nearest(CLEAN_MODEL, factor)
        scales = sorted({*self.scales(AUTO_MODEL)} & {*self.scales(CLEAN_MODEL)})
        if not scales:
            known = [f"{CLEAN_MODEL} x{scale}" for scale in self.scales(CLEAN_MODEL)]
            raise UnknownModel(CLEAN_MODEL, known, scale=self.nearest(AUTO_MODEL, factor).scale)
        scale = next((one for one in scales if one >= factor), scales[-1])
        return between(self.get(AUTO_MODEL, scale), self.get(CLEAN_MODEL, scale), clean)

    def has_strengths(self) -> bool:
        """Tell whether there is anything to choose between for a picture."""
        names = {(spec.name, spec.scale) for spec in self}
        return any((CLEAN_MODEL, scale) in names for name, scale in names if name == AUTO_MODEL)


def parse(text: str, *, source: str = "catalogue") -> list[ModelSpec]:
    """Turn catalogue text into specs; raises ModelRefused naming source and entry."""
    try:
        tables = tomllib.loads(text).get("model", [])
    except tomllib.TOMLDecodeError as error:
        raise ModelRefused(source, " ".join(str(error).split())) from error
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ModelRefused(source, "it has no [[model]] tables")
    return [_spec(table, source=source) for table in tables]


def _additions(folder: Path | None) -> list[Path]:
    try:
        return sorted(folder.glob("*.toml")) if folder and folder.is_dir() else []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelFolderNotReadable(error.filename or str(folder), reason) from error


def _read_addition(path: Path, *, names: set[str], ids: set[str]) -> list[ModelSpec]:
    """Read one file of additions; raises ModelRefused, also for names or ids that are taken."""
    try:
        specs = parse(path.read_text("utf-8"), source=path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRefused(path.name, str(error)) from error
    for spec in specs:
        if spec.name in names or spec.id in ids:
            raise ModelRefused(path.name, f"the name {spec.name} is taken")
    return specs


def _spec(table: Mapping[str, Any], *, source: str) -> ModelSpec:
    entry = dict(table)
    try:
        file = dict(entry.pop("file"))
        file["sources"] = tuple(Source(**source) for source in file.get("sources", ()))
        entry["channels"] = Channels(entry["channels"])
        entry["mean"] = tuple(entry.get("mean", ()))
        return _checked(ModelSpec(file=ModelFile(**file), **entry))
    except (KeyError, TypeError, ValueError) as error:
        name = f"{source}, entry {table.get('name', '?')} x{table.get('scale', '?')},"
        raise ModelRefused(name, " ".join(str(error).split())) from error


def _checked(spec: ModelSpec) -> ModelSpec:
    """Raise ValueError for what could not run, so that no picture has to find out."""
    rules = {
        "name": isinstance(spec.name, str) and bool(_PLAIN_NAME.fullmatch(spec.name)),
        "scale": _whole(spec.scale) and 1 <= spec.scale <= _MAX_SCALE,
        "value_max": isinstance(spec.value_max, float | int) and spec.value_max > 0,
        "halo_px": _whole(spec.halo_px) and 0 <= spec.halo_px <= _MAX_HALO_PX,
        "working_bytes_per_px": _whole(spec.working_bytes_per_px) and spec.working_bytes_per_px > 0,
        "flat_below": isinstance(spec.flat_below, float | int) and 0 <= spec.flat_below < inf,
        "symmetric": isinstance(spec.symmetric, bool),
        "file.name": isinstance(spec.file.name, str)
        and bool(_PLAIN_FILE.fullmatch(spec.file.name)),
        "file.bytes": _whole(spec.file.bytes) and spec.file.bytes > 0,
        "file.sha256": isinstance(spec.file.sha256, str)
        and bool(_SHA256.fullmatch(spec.file.sha256)),
    }
    wrong = [name for name, right in rules.items() if not right]
    if wrong:
        raise ValueError(f"{' and '.join(wrong)} cannot be so")
    return spec


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
