"""Errors of the machine or the installation: mend it, then call again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.errors.tree import SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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


class ExtraMissing(SetupError, ImportError):
    """A part of upres needs libraries that are not installed."""

    code = "extra-missing"

    def __init__(self, part: str, *, module: str, extra: str) -> None:
        super().__init__(
            f"{part} needs {module}, which is not here; run `pip install 'upres[{extra}]'`"
        )


class PrecisionUnavailable(SetupError, ValueError):
    """An engine on this machine has no such arithmetic."""

    code = "precision-unavailable"

    def __init__(self, engine: str, precision: str, available: Sequence[str]) -> None:
        super().__init__(
            f"engine {engine} has no {precision} on this machine; available: {', '.join(available)}"
        )


class DatabaseUnusable(SetupError, OSError):
    """The database cannot be opened, read or written, for a reason that waiting does not mend."""

    code = "database-unusable"

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(f"cannot use the database {database}: {reason}")


class DatabaseTooNew(SetupError, RuntimeError):
    """A newer upres made the database's tables; this one would damage them."""

    code = "database-too-new"

    def __init__(self, database: str, *, found: int, known: int) -> None:
        super().__init__(
            f"the database {database} has tables of version {found} and this upres knows "
            f"version {known}; update upres, or give it another database"
        )


class BlobMissing(SetupError, KeyError):
    """The store has no such blob: it was evicted or deleted."""

    code = "blob-missing"

    def __init__(self, key: str) -> None:
        super().__init__(f"blob {key} is not stored; it may have been removed to make room")

    def __str__(self) -> str:
        """Return the text without the quotes that KeyError would add."""
        return str(self.args[0])


class SandboxUnavailable(SetupError):
    """Uploads cannot be decoded apart from the service on this machine, so they are not decoded."""

    code = "sandbox-unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the sandbox for decoding does not work here: {reason}")
