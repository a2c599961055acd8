"""ONNX graphs made on this machine from TensorFlow files, each with a stamp that vouches for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Protocol

from upres.errors import InputNotReadable, ModelDamaged, ModelFolderNotWritable
from upres.models.hashes import Content, size_of
from upres.models.landing import locked, place, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from upres.models.hashes import Hashes
    from upres.models.spec import ModelSpec

CONVERTER_VERSION: Final = "1"
"""Raised whenever convert.py makes other bytes of the same graph: kept graphs are then made anew.

It stands here, not in convert.py, so that finding a graph does not import onnx.
"""

_STAMP_LOCK_S = 10.0
"""Only a sweep takes this lock besides, for a moment: the graph's own lock keeps writers apart."""


class Converter(Protocol):
    """Turns a TensorFlow GraphDef into an ONNX graph."""

    def __call__(self, graph: bytes, /, *, spec: ModelSpec) -> bytes:
        """Return the ONNX file's bytes."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What a graph was made from and by, and what its file must hold; kept beside it as JSON."""

    source_sha256: str
    converter_version: str
    sha256: str
    bytes: int

    @classmethod
    def beside(cls, graph: Path) -> Stamp | None:
        """Read a graph's stamp; None where there is none that can be read."""
        try:
            return cls(**json.loads(stamp_path(graph).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def content(self) -> Content:
        """What the graph's file must hold."""
        return Content(self.bytes, self.sha256)


def stamp_path(graph: Path) -> Path:
    """Return where the stamp of a graph lies."""
    return graph.with_name(f"{graph.name}.json")


class ConvertedGraphs:
    """Tells whether a kept graph may be used, and makes it where it may not."""

    def __init__(self, *, hashes: Hashes, convert: Converter | None, version: str) -> None:
        self._hashes = hashes
        self._convert = convert
        self._version = version

    def good(self, spec: ModelSpec, graph: Path) -> bool:
        """Tell whether the file is what today's converter made from the model's pinned file."""
        stamp = self._stamp(spec, graph)
        return (
            stamp is not None
            and size_of(graph) == stamp.bytes
            and self._hashes.of(graph) == stamp.content
        )

    def check(self, spec: ModelSpec, graph: Path) -> None:
        """Raise for a damaged graph; one that is missing or out of date is merely made anew."""
        stamp = self._stamp(spec, graph)
        if stamp is None or size_of(graph) is None:
            return
        found = self._hashes.of(graph)
        if found is not None and found != stamp.content:
            raise ModelDamaged(graph, expected=str(stamp.content), actual=str(found))

    def make(self, spec: ModelSpec, *, source: Path, target: Path, lock_timeout_s: float) -> None:
        """Convert the verified file `source` to `target`, unless another process just has."""
        try:
            prepare(target.parent)
            with locked(target, timeout_s=lock_timeout_s):
                if not self.good(spec, target):
                    self._make(spec, source=source, target=target)
        except ModelFolderNotWritable as error:
            raise ModelFolderNotWritable(
                target.parent,
                f"{_os_words(error)}; {target.name} is made there once from {source.name}, "
                f"by `upres models pull {spec.id}` as a user who may write there",
            ) from error

    def _make(self, spec: ModelSpec, *, source: Path, target: Path) -> None:
        try:
            graph = source.read_bytes()
        except OSError as error:
            raise InputNotReadable(source, error.strerror or str(error)) from error
        found = Content(len(graph), hashlib.sha256(graph).hexdigest())
        if found.sha256 != spec.file.sha256:  # it changed since it was verified
            expected = Content(spec.file.bytes, spec.file.sha256)
            raise ModelDamaged(source, expected=str(expected), actual=str(found))
        onnx = (self._convert or _converter())(graph, spec=spec)
        stamp = Stamp(
            source_sha256=spec.file.sha256,
            converter_version=self._version,
            sha256=hashlib.sha256(onnx).hexdigest(),
            bytes=len(onnx),
        )
        # A crash between the two leaves a graph that its old stamp does not vouch for: made anew.
        place(target, onnx)
        with locked(stamp_path(target), timeout_s=_STAMP_LOCK_S):
            place(stamp_path(target), json.dumps(asdict(stamp), indent=2).encode() + b"\n")

    def _stamp(self, spec: ModelSpec, graph: Path) -> Stamp | None:
        """Return the graph's stamp if it is of this model's file and this converter."""
        stamp = Stamp.beside(graph)
        wanted = (spec.file.sha256, self._version)
        if stamp is None or (stamp.source_sha256, stamp.converter_version) != wanted:
            return None
        return stamp


def _os_words(error: ModelFolderNotWritable) -> str:
    cause = error.__cause__
    return getattr(cause, "strerror", None) or str(cause)


def _converter() -> Converter:
    from upres.models.convert import convert_graphdef

    return convert_graphdef
