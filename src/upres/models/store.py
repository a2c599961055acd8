"""The model store: finds model files on this machine, pulls them when asked, trusts only hashes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upres.errors import InvalidOption, ModelDamaged, ModelMissing
from upres.models.calibration import calibration_of
from upres.models.converted import CONVERTER_VERSION, ConvertedGraphs
from upres.models.download import download, labels
from upres.models.fetch import Limits
from upres.models.hashes import Content, Hashes, size_of
from upres.models.landing import locked, prepare, sweep

if TYPE_CHECKING:
    from upres.models.calibration import Calibration
    from upres.models.converted import Converter
    from upres.models.download import Progress
    from upres.models.spec import ModelSpec

_BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """Where models are kept and how they may be fetched."""

    folder: Path
    """Data folder; the only one that is written."""
    mirror: str | None = None
    """Base URL or folder that holds model files under their own names; tried first."""
    package_index: str | None = None
    """Base URL of the user's simple-API package index; None is the index library's default."""
    connect_timeout_s: float = 5.0
    """After this a source that does not connect is given up."""
    stall_timeout_s: float = 30.0
    """After this a source that sends nothing, or next to nothing, is given up."""
    lock_timeout_s: float = 3600.0
    """Longest wait for another process that is pulling the same file."""


class ModelStore:
    """Model files by spec: the bundled folder, then the data folder, then (only `pull`) sources."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        bundled: Path | None = None,
        convert: Converter | None = None,
        converter_version: str = CONVERTER_VERSION,
    ) -> None:
        self._settings = settings
        self._bundled = bundled or _BUNDLED
        self._hashes = Hashes()
        self._convert = convert
        self._converter_version = converter_version
        self._graphs = ConvertedGraphs(
            hashes=self._hashes, convert=convert, version=converter_version
        )

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._settings.folder

    def find(
        self,
        spec: ModelSpec,
        *,
        format: Literal["onnx", "pb", "int8"] = "onnx",  # noqa: A002
    ) -> Path:
        """Return the verified file of a model; the network is never touched.

        `int8` is the ONNX graph's quantized twin. What is made on this machine, from the model's
        pinned file, is made here when it is missing, damaged or by another version of its maker.
        """
        if format == "int8":
            return self._twin(spec)
        if format == spec.file.format:
            return self._whole(spec)
        if format == "pb":
            raise InvalidOption("format", format, f"onnx: {spec.id} has no TensorFlow graph")
        # A good graph vouches for itself; the file it came from need only be there.
        self._right_size(spec)
        for graph in self._places(spec.onnx_name):
            if self._graphs.good(spec, graph):
                return graph
        return self._converted(spec)

    def pull(self, spec: ModelSpec, *, progress: Progress | None = None) -> Path:
        """Return the verified ONNX file of a model, downloaded first where it is not here whole."""
        sweep(self.folder)
        try:
            self._whole(spec)
        except (ModelMissing, ModelDamaged):
            self._fetch(spec, progress=progress)
        return self.find(spec)

    def installed(self, spec: ModelSpec) -> bool:
        """Tell by name and length alone whether a model's file is here."""
        return all(
            any(size_of(path) == part.file.bytes for path in self._places(part.file.name))
            for part in spec.parts
        )

    def verify(self, spec: ModelSpec) -> Path:
        """Hash a model's file, and the ONNX graph made from it, anew from the disk."""
        self._hashes.forget()
        path = self._whole(spec)
        if spec.converted is not None:
            for graph in self._places(spec.converted):
                self._graphs.check(spec, graph)
        calibration = calibration_of(spec)
        if calibration is not None:
            self._twins(calibration).check(spec, self._twin_path(spec))
        return path

    def _whole(self, spec: ModelSpec) -> Path:
        """Return the first copy of a model's file that has its pinned hash."""
        wanted = Content(spec.file.bytes, spec.file.sha256)
        for path in self._places(spec.file.name):
            if size_of(path) == wanted.bytes and self._hashes.of(path) == wanted:
                return path
        raise self._nothing_whole(spec)

    def _right_size(self, spec: ModelSpec) -> None:
        """Raise unless a copy of a model's file has its pinned length."""
        if not self.installed(spec):
            raise self._nothing_whole(spec)

    def _nothing_whole(self, spec: ModelSpec) -> ModelDamaged | ModelMissing:
        """Say what is wrong with a model that has no good file here."""
        wanted = Content(spec.file.bytes, spec.file.sha256)
        for path in self._places(spec.file.name):
            size_bytes = size_of(path)
            if size_bytes is not None:
                found = self._hashes.of(path) if size_bytes == wanted.bytes else None
                actual = str(found) if found else f"{size_bytes} bytes"
                return ModelDamaged(path, expected=str(wanted), actual=actual)
        return ModelMissing(
            spec.id,
            file=spec.file.name,
            sha256=spec.file.sha256,
            sources=labels(spec.file, mirror=self._settings.mirror),
            folder=self.folder,
        )

    def _converted(self, spec: ModelSpec) -> Path:
        target = self.folder / spec.onnx_name
        self._graphs.make(
            spec,
            source=self._whole(spec),
            target=target,
            lock_timeout_s=self._settings.lock_timeout_s,
        )
        return target

    def _twin(self, spec: ModelSpec) -> Path:
        """Return a model's int8 graph, made where it is not kept."""
        calibration = calibration_of(spec)
        if calibration is None:
            raise InvalidOption("precision", "int8", f"fp32 or bf16: {spec.id} has no int8 twin")
        self._right_size(spec)
        twins = self._twins(calibration)
        target = self._twin_path(spec)
        if not twins.good(spec, target):
            timeout_s = self._settings.lock_timeout_s
            twins.make(spec, source=self._whole(spec), target=target, lock_timeout_s=timeout_s)
        return target

    def twin_bytes(self, spec: ModelSpec) -> bytes:
        """Return a model's int8 graph without keeping it, for folders that cannot be written."""
        calibration = calibration_of(spec)
        assert calibration is not None  # noqa: S101 - `find` was asked first
        return quantized_file(self._whole(spec).read_bytes(), spec, calibration, self._convert)

    def _twins(self, calibration: Calibration) -> ConvertedGraphs:
        def make(file: bytes, *, spec: ModelSpec) -> bytes:
            return quantized_file(file, spec, calibration, self._convert)

        version = f"{self._converter_version} int8 {calibration.version}"
        return ConvertedGraphs(hashes=self._hashes, convert=make, version=version)

    def _fetch(self, spec: ModelSpec, *, progress: Progress | None) -> None:
        settings = self._settings
        target = self.folder / spec.file.name
        prepare(self.folder)
        with locked(target, timeout_s=settings.lock_timeout_s):
            # Whoever held the lock before may have brought the file.
            with suppress(ModelMissing, ModelDamaged):
                self._whole(spec)
                return
            download(
                spec.file,
                target=target,
                mirror=settings.mirror,
                package_index=settings.package_index,
                limits=Limits(
                    connect_timeout_s=settings.connect_timeout_s,
                    stall_timeout_s=settings.stall_timeout_s,
                ),
                progress=progress,
            )

    def _twin_path(self, spec: ModelSpec) -> Path:
        return self.folder / f"{Path(spec.onnx_name).stem}.int8.onnx"

    def _places(self, name: str) -> tuple[Path, ...]:
        """Return every path where a file may lie, in search order."""
        # Names come from catalogues, one of which people may edit.
        if not name or name.startswith(".") or set(name) & set("/\\:\0"):
            raise ValueError(f"{name!r} is not a plain file name")
        folders = dict.fromkeys((self._bundled, self.folder))
        return tuple(folder / name for folder in folders)


def quantized_file(
    file: bytes, spec: ModelSpec, calibration: Calibration, convert: Converter | None
) -> bytes:
    """Return the int8 graph of a model's pinned file, converted first where it is a GraphDef."""
    from upres.models.convert import convert_graphdef
    from upres.models.quantize import quantized_graph

    graph = (convert or convert_graphdef)(file, spec=spec) if spec.converted else file
    return quantized_graph(graph, calibration)
