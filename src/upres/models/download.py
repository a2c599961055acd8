"""Brings a file with known bytes from the first of its sources that delivers exactly those."""

from __future__ import annotations

import configparser
import hashlib
import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from upres.errors import DownloadFailed
from upres.models.fetch import Limits, SourceFailed, opened, shown
from upres.models.landing import Landing
from upres.models.sdist import opened_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from upres.models.spec import ModelFile, Source

    Progress = Callable[[int, int], None]
    """Told the bytes that have arrived and the bytes there will be."""

    Opener = Callable[[], AbstractContextManager[Iterator[bytes]]]

_CHUNK_BYTES = 2**16


def download(
    file: ModelFile,
    *,
    target: Path,
    mirror: str | None = None,
    package_index: str | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> None:
    """Bring `file` to `target`; it appears there whole and verified or not at all.

    The mirror comes first, then the file's own sources in order. Whoever calls holds the lock.
    """
    failures: list[tuple[str, str]] = []
    origins = _origins(file, mirror=mirror, package_index=package_index, limits=limits or Limits())
    for label, opener in origins:
        try:
            with Landing(target) as landing, opener() as chunks:
                _receive(chunks, file=file, landing=landing, progress=progress)
                landing.commit()
        except SourceFailed as failure:
            failures.append((label, str(failure)))
        else:
            return
    raise DownloadFailed(file.name, sha256=file.sha256, failures=failures, folder=target.parent)


def labels(file: ModelFile, *, mirror: str | None = None) -> list[str]:
    """Name the sources of a file, in the order they are tried, fit for messages."""
    places = [] if mirror is None else [_mirror_label(mirror)]
    return places + [source.label for source in file.sources]


def _receive(
    chunks: Iterator[bytes], *, file: ModelFile, landing: Landing, progress: Progress | None
) -> None:
    """Write what arrives, stop at the first byte too many, and check the hash at the end."""
    digest, arrived = hashlib.sha256(), 0
    for chunk in chunks:
        arrived += len(chunk)
        if arrived > file.bytes:
            raise SourceFailed(f"sends more than the expected {file.bytes} bytes")
        landing.write(chunk)
        digest.update(chunk)
        if progress is not None:
            progress(arrived, file.bytes)
    if arrived < file.bytes:
        raise SourceFailed(f"sent {arrived} bytes, expected {file.bytes}")
    if digest.hexdigest() != file.sha256:
        raise SourceFailed(f"sent a file with another sha256 ({digest.hexdigest()})")


def _origins(
    file: ModelFile, *, mirror: str | None, package_index: str | None, limits: Limits
) -> Iterator[tuple[str, Opener]]:
    """List every place to try, as its label and how to open it."""
    if mirror is not None and _is_web(mirror):
        address = f"{mirror.rstrip('/')}/{quote(file.name)}"
        yield _mirror_label(mirror), partial(_from_web, address, file=file, limits=limits)
    elif mirror is not None:
        yield _mirror_label(mirror), partial(_from_folder, Path(mirror), file=file)
    for source in file.sources:
        yield source.label, _opener(source, file=file, index=package_index, limits=limits)


def _opener(source: Source, *, file: ModelFile, index: str | None, limits: Limits) -> Opener:
    if source.url is not None:
        return partial(_from_web, source.url, file=file, limits=limits)
    if source.sdist is None or source.member is None:
        raise ValueError(f"a source of {file.name} has neither url nor sdist and member")
    return partial(
        opened_member,
        source.sdist,
        member=source.member,
        size_bytes=file.bytes,
        index=index,
        limits=limits,
    )


@contextmanager
def _from_web(url: str, *, file: ModelFile, limits: Limits) -> Iterator[Iterator[bytes]]:
    with opened(url, limits=limits) as answer:
        if answer.size_bytes not in {None, file.bytes}:
            raise SourceFailed(f"offers {answer.size_bytes} bytes, expected {file.bytes}")
        yield answer.chunks


@contextmanager
def _from_folder(folder: Path, *, file: ModelFile) -> Iterator[Iterator[bytes]]:
    path = folder / file.name
    if not path.is_file():
        raise SourceFailed(f"has no file {file.name}")
    yield _read(path)


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise SourceFailed(error.strerror or str(error)) from error


def _is_web(mirror: str) -> bool:
    return mirror.lower().startswith(("http://", "https://"))


def _mirror_label(mirror: str) -> str:
    return f"mirror {shown(mirror) if _is_web(mirror) else mirror}"


def configured_index(
    environ: Mapping[str, str], *, platform: str = sys.platform, prefix: Path | None = None
) -> str | None:
    """Find the package index that pip is set up to use; None where it uses its default.

    `PIP_INDEX_URL` comes first, then pip's configuration files in pip's order, where `[install]`
    counts more than `[global]` and a later file more than an earlier one.
    """
    if index := environ.get("PIP_INDEX_URL", "").strip():
        return index
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return None
    found: dict[str, str] = {}
    for path in _pip_files(environ, platform=platform, prefix=prefix or Path(sys.prefix)):
        found |= _index_urls(path)
    return found.get("install") or found.get("global") or None


def _index_urls(path: Path) -> dict[str, str]:
    """Read `index-url` from the sections of one pip configuration file."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return {}  # pip itself will complain; a model can still come from elsewhere
    found: dict[str, str] = {}
    for section in {"global", "install"} & set(parser.sections()):
        for name, value in parser.items(section):
            if name.replace("_", "-").removeprefix("--") == "index-url" and value:
                found[section] = value.strip()
    return found


def _pip_files(environ: Mapping[str, str], *, platform: str, prefix: Path) -> list[Path]:
    """List where pip looks on this platform: system, user, environment, then PIP_CONFIG_FILE."""
    home = Path(environ.get("USERPROFILE" if platform == "win32" else "HOME") or Path.home())
    if platform == "win32":
        name, legacy = "pip.ini", home / "pip"
        system = [Path(environ.get("PROGRAMDATA") or "C:/ProgramData") / "pip"]
        user = Path(environ.get("APPDATA") or home / "AppData/Roaming") / "pip"
    else:
        name, legacy = "pip.conf", home / ".pip"
        shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        system = [*(Path(folder) / "pip" for folder in shared), Path("/etc")]
        user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
    if platform == "darwin":
        system = [Path("/Library/Application Support/pip")]
        library = home / "Library/Application Support/pip"
        user = library if library.is_dir() else home / ".config/pip"
    own = environ.get("PIP_CONFIG_FILE")
    folders = [*system, *([] if own and Path(own).exists() else [legacy, user]), prefix]
    return [folder / name for folder in folders] + ([Path(own)] if own else [])
