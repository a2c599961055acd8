"""Reads one URL as a stream of bytes, and gives up on servers that hang, trickle or wander off."""

from __future__ import annotations

import queue
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    import httpx

_MIB = 2**20


class SourceFailed(Exception):
    """One source did not deliver, and why; the next one is tried."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a download may take of time and bytes before its source is given up."""

    connect_timeout_s: float = 5.0
    """Name lookup, connection and TLS together, over all addresses of the host."""
    stall_timeout_s: float = 30.0
    """Longest silence, and the span over which `least_bytes_per_s` is measured."""
    least_bytes_per_s: int = 1024
    redirects: int = 5
    page_bytes: int = 32 * _MIB
    """Largest project page of a package index."""
    archive_bytes: int = 256 * _MIB
    """Most that is read of a source distribution."""
    unpacked_bytes: int = 1024 * _MIB
    """Most that a source distribution may unpack to on the way to the wanted file."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """An answer whose body has yet to be read."""

    url: str
    """Where it came from in the end."""
    size_bytes: int | None
    """Length that the server announces."""
    content_type: str
    charset: str | None
    chunks: Iterator[bytes]


def shown(url: str) -> str:
    """Return an address fit for messages: without name, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def opened(url: str, *, limits: Limits, accept: str = "*/*") -> Iterator[Download]:
    """Open a URL; the body is read as it arrives and the connection closed on leaving."""
    import httpx

    timeout = httpx.Timeout(limits.stall_timeout_s, connect=limits.connect_timeout_s)
    headers = {"User-Agent": "upres", "Accept": accept, "Accept-Encoding": "identity"}
    try:
        with httpx.Client(timeout=timeout, headers=headers, verify=_trust()) as client:
            response = _followed(client, client.build_request("GET", url), limits=limits)
            try:
                yield _as_download(response, limits=limits)
            finally:
                response.close()
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        raise SourceFailed(_reason(error)) from error


def _trust() -> ssl.SSLContext:
    """Trust what httpx trusts (SSL_CERT_FILE, else certifi), and what the system's owner added."""
    import httpx

    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


def _as_download(response: httpx.Response, *, limits: Limits) -> Download:
    if response.status_code != 200:  # noqa: PLR2004 - the only answer that carries the file
        raise SourceFailed(f"answers {response.status_code} {response.reason_phrase}".rstrip())
    length = response.headers.get("Content-Length", "")
    return Download(
        url=str(response.url),
        size_bytes=int(length) if length.isdecimal() else None,
        content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        charset=response.charset_encoding,
        chunks=_steady(response.iter_raw(), limits=limits),
    )


def _followed(client: httpx.Client, request: httpx.Request, *, limits: Limits) -> httpx.Response:
    """Follow a few redirects, never from https to http."""
    for _ in range(limits.redirects + 1):
        response = _answer(client, request, limits=limits)
        following = response.next_request
        if following is None:
            return response
        response.close()
        if request.url.scheme == "https" and following.url.scheme != "https":
            raise SourceFailed("redirects from https to http")
        request = following
    raise SourceFailed(f"redirects more than {limits.redirects} times")


def _answer(client: httpx.Client, request: httpx.Request, *, limits: Limits) -> httpx.Response:
    """Send a request and wait for the answer's head, within two deadlines.

    It runs on a thread of its own: the client's timeout counts for each of a host's addresses anew
    and not at all for a name server, and a blocked lookup cannot be interrupted, only left behind.
    """
    import httpx

    connected, given_up = threading.Event(), threading.Event()
    outcome: queue.SimpleQueue[httpx.Response | BaseException] = queue.SimpleQueue()

    def note(event: str, _: object) -> None:
        if event.endswith("send_request_headers.started"):
            connected.set()

    def run() -> None:
        try:
            result: httpx.Response | BaseException = client.send(request, stream=True)
        except BaseException as error:  # noqa: BLE001 - carried over to the waiting thread
            result = error
        if given_up.is_set() and not isinstance(result, BaseException):
            result.close()
        outcome.put(result)
        connected.set()

    request.extensions["trace"] = note
    threading.Thread(target=run, name="upres-download", daemon=True).start()
    try:
        if not connected.wait(limits.connect_timeout_s):
            raise SourceFailed(f"no connection within {limits.connect_timeout_s:g} s")
        result = outcome.get(timeout=limits.stall_timeout_s)
        if isinstance(result, BaseException):
            raise result
    except (queue.Empty, httpx.ReadTimeout):
        raise SourceFailed(f"no answer within {limits.stall_timeout_s:g} s") from None
    finally:
        given_up.set()
    return result


def _steady(chunks: Iterator[bytes], *, limits: Limits) -> Iterator[bytes]:
    """Pass chunks on, and give up on a source that trickles."""
    began_s, arrived = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        arrived += len(chunk)
        passed_s = time.monotonic() - began_s
        if passed_s >= limits.stall_timeout_s:
            if arrived < limits.least_bytes_per_s * passed_s:
                raise SourceFailed(f"sends less than {limits.least_bytes_per_s} bytes a second")
            began_s, arrived = time.monotonic(), 0


def _reason(error: Exception) -> str:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.ReadTimeout):
        return "stopped sending"
    # One line for people, without the number in front.
    return re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(error).split())) or type(error).__name__
