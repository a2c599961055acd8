"""Every error upres raises: one tree, each leaf with a stable code and a word on whose fault it is.

UpresError
├── CallerError            blame: caller (the picture or the request is at fault)
│   ├── UnreadablePicture      bad-picture
│   ├── UnsupportedPicture     unsupported-picture
│   ├── PictureTooLarge        picture-too-large
│   ├── InvalidOption          invalid-option
│   ├── UnknownModel           unknown-model
│   └── ModelRefused           model-refused
├── SetupError             blame: setup (this machine or installation is at fault)
│   ├── InputNotReadable       input-not-readable
│   ├── OutputNotWritable      output-not-writable
│   ├── ModelMissing           model-missing
│   ├── ModelDamaged           model-damaged
│   ├── ModelFolderNotWritable model-folder-not-writable
│   ├── ModelFolderNotReadable model-folder-not-readable
│   ├── DownloadFailed         download-failed
│   ├── EngineMissing          engine-missing
│   └── PrecisionUnavailable   precision-unavailable
├── CapacityError          blame: capacity (right request, too little room)
│   ├── DiskFull               disk-full
│   └── OutOfMemory            out-of-memory
├── EngineFailed           blame: bug (engine-failed)
├── EncodingFailed         blame: bug (encoding-failed)
└── Cancelled              blame: caller (cancelled)
"""

from __future__ import annotations

import errno
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Blame(Enum):
    """Whose fault an error is; callers map it to exit codes and HTTP statuses."""

    CALLER = "caller"
    SETUP = "setup"
    CAPACITY = "capacity"
    BUG = "bug"


class UpresError(Exception):
    """Root of every error that upres raises on purpose; its text is one line for people."""

    code: ClassVar[str] = "error"
    blame: ClassVar[Blame] = Blame.BUG

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes by the finished text: leaves build theirs from other words."""
        return _rebuilt, (type(self), self.args)


def _rebuilt(kind: type[UpresError], args: tuple[Any, ...]) -> UpresError:
    base = OSError if issubclass(kind, OSError) else Exception
    error = base.__new__(kind, *args)
    base.__init__(error, *args)
    return error


class CallerError(UpresError):
    """The picture or the request is at fault: the same call fails again."""

    blame = Blame.CALLER


class SetupError(UpresError):
    """The machine or the installation is at fault: mend it, then call again."""

    blame = Blame.SETUP


class CapacityError(UpresError):
    """A right request that found too little room: try later or make room."""

    blame = Blame.CAPACITY


class UnreadablePicture(CallerError, ValueError):
    """The bytes are not a whole picture of the format they claim."""

    code = "bad-picture"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name}: {reason}")


class UnsupportedPicture(CallerError, ValueError):
    """A picture of a kind that upres does not take."""

    code = "unsupported-picture"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is not supported: {reason}")


class PictureTooLarge(CallerError, ValueError):
    """Input or output pixels pass a stated limit."""

    code = "picture-too-large"

    def __init__(
        self, name: str, *, what: str, value: int, limit: int, unit: str = "pixels"
    ) -> None:
        super().__init__(f"{name} is too large: {what} {value} {unit}, the limit is {limit}")


class InvalidOption(CallerError, ValueError):
    """An option's value makes no sense."""

    code = "invalid-option"

    def __init__(self, option: str, value: object, expected: str) -> None:
        super().__init__(f"{option} is {value!r}; expected {expected}")


class UnknownModel(CallerError, LookupError):
    """No model of that name (and scale) is in the catalogue."""

    code = "unknown-model"

    def __init__(self, name: str, known: Sequence[str], *, scale: int | None = None) -> None:
        wanted = name if scale is None else f"{name} x{scale}"
        super().__init__(f"unknown model {wanted}; known: {', '.join(known)}")


class ModelRefused(CallerError, ValueError):
    """A file offered as a model could not be verified to be one that upres can run."""

    code = "model-refused"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be used as a model: {reason}")


class InputNotReadable(SetupError, OSError):
    """The input file is missing or may not be read."""

    code = "input-not-readable"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"cannot open {path}: {reason}")


class OutputNotWritable(SetupError, OSError):
    """The result cannot be written where it was asked for."""

    code = "output-not-writable"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")


class ModelMissing(SetupError, FileNotFoundError):
    """A model's file is not on this machine; the text says how to get it."""

    code = "model-missing"

    def __init__(
        self, model: str, *, file: str, sha256: str, sources: Sequence[str], folder: Path | str
    ) -> None:
        origins = ", ".join(sources) or "none"
        super().__init__(
            f"model {model} is not installed; run `upres models pull {model}`, "
            f"or put {file} (sha256 {sha256}) into {folder}; sources: {origins}"
        )


class ModelDamaged(SetupError, ValueError):
    """A model's file does not have the bytes that the catalogue pins."""

    code = "model-damaged"

    def __init__(self, path: Path | str, *, expected: str, actual: str) -> None:
        super().__init__(
            f"{path} is damaged: expected {expected}, found {actual}; delete it and pull it again"
        )


class ModelFolderNotWritable(SetupError, PermissionError):
    """The model folder takes no files."""

    code = "model-folder-not-writable"

    def __init__(self, folder: Path | str, reason: str) -> None:
        super().__init__(
            f"cannot write to the model folder {folder}: {reason}; "
            "set UPRES_MODEL_DIR to a folder that can be written"
        )


class ModelFolderNotReadable(SetupError, PermissionError):
    """The model folder, or what is in it, cannot be looked at."""

    code = "model-folder-not-readable"

    def __init__(self, folder: Path | str, reason: str) -> None:
        super().__init__(
            f"cannot read the model folder {folder}: {reason}; "
            "set UPRES_MODEL_DIR to a folder that can be read"
        )


class DownloadFailed(SetupError, ConnectionError):
    """No source delivered the file; the text names each source and its failure."""

    code = "download-failed"

    def __init__(
        self,
        file: str,
        *,
        sha256: str,
        failures: Sequence[tuple[str, str]],
        folder: Path | str,
    ) -> None:
        tried = "; ".join(f"{source}: {reason}" for source, reason in failures)
        super().__init__(
            f"cannot get {file} (sha256 {sha256}): {tried or 'no source'}; "
            f"to install it by hand put the file into {folder}"
        )


class EngineMissing(SetupError, ImportError):
    """An engine's library is not installed."""

    code = "engine-missing"

    def __init__(self, engine: str, package: str) -> None:
        super().__init__(f"engine {engine} is not installed; run `pip install {package}`")


class PrecisionUnavailable(SetupError, ValueError):
    """An engine on this machine has no such arithmetic."""

    code = "precision-unavailable"

    def __init__(self, engine: str, precision: str, available: Sequence[str]) -> None:
        super().__init__(
            f"engine {engine} has no {precision} on this machine; available: {', '.join(available)}"
        )


class DiskFull(CapacityError, OSError):
    """There is no room for the file; nothing was left behind."""

    code = "disk-full"

    def __init__(self, path: Path | str) -> None:
        super().__init__(errno.ENOSPC, f"no space left for {path}")

    def __str__(self) -> str:
        """Return the text without the errno prefix that OSError would add."""
        return str(self.args[1])


class OutOfMemory(CapacityError, MemoryError):
    """There is too little memory for the picture."""

    code = "out-of-memory"

    def __init__(self, name: str) -> None:
        super().__init__(f"too little memory for {name}; ask for a smaller result")


class EngineFailed(UpresError, RuntimeError):
    """An engine raised where it should not; its own words are in the text."""

    code = "engine-failed"

    def __init__(self, engine: str, model: str, reason: str) -> None:
        super().__init__(f"engine {engine} failed on model {model}: {reason}")


class EncodingFailed(UpresError, RuntimeError):
    """A format's encoder raised where it should not; its own words are in the text."""

    code = "encoding-failed"

    def __init__(self, format: str, reason: str) -> None:  # noqa: A002
        super().__init__(f"cannot write the {format} result: {reason}")


class Cancelled(UpresError):
    """The caller asked to stop; no result was written."""

    code = "cancelled"
    blame = Blame.CALLER

    def __init__(self) -> None:
        super().__init__("cancelled")
