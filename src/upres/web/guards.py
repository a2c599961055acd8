"""What stands before and after every request: its id, whose name it goes to, who sent it, headers.

Browsers send requests on behalf of any page they show. A request that changes something is taken
only where it does not come from another site's page (Fetch Metadata, or Origin where a browser has
none of it); programs send neither. Where only this machine is listened to, the Host must be a name
of this machine, or one of `allowed_hosts`: another site's page that got itself a name of 127.0.0.1
asks in vain. The same holds elsewhere as soon as `allowed_hosts` is set.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from functools import partial
from typing import TYPE_CHECKING

from flask import request

from upres.errors import Forbidden
from upres.service import log
from upres.web.problems import WRONG_HOST, problem

if TYPE_CHECKING:
    from flask import Flask, Response

    from upres.service.settings import ServiceSettings

REQUEST_ID = "X-Request-ID"
_ENVIRON = "upres.request_id"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID_BYTES = 16
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site; `none` is the user's own doing."""
_MISDIRECTED = 421
_PROBES = frozenset({"/livez", "/readyz"})
"""Asked by address, or without any name, and telling nothing."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "font-src 'self'; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Of pages: everything comes from this server, nothing is put into a frame."""
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # a job's address is its secret; with `no-referrer` browsers call our own form's origin null
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""Of every answer that does not say otherwise."""


def install(app: Flask, settings: ServiceSettings) -> None:
    """Put the guards around an application's requests."""
    app.before_request(_name)
    if settings.allowed_hosts is not None or for_this_machine(settings):
        names = frozenset((settings.allowed_hosts or "").lower().split(","))
        app.before_request(partial(_check_host, names - {""}))
    app.before_request(_check_origin)
    app.after_request(_with_headers)


def request_id() -> str:
    """Return the current request's id: the client's where it is a sane one, else a new one."""
    found: str = request.environ.get(_ENVIRON, "")
    return found


def is_loopback(host: str | None) -> bool:
    """Tell names and addresses that mean this machine only."""
    name = (host or "").removeprefix("[").removesuffix("]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def for_this_machine(settings: ServiceSettings) -> bool:
    """Tell whether a server is, by its settings, reached from its own machine only."""
    return is_loopback(settings.listen_host) and not settings.proxies


def host_name() -> str:
    """Return the name, in small letters, under which the current request was sent."""
    return re.sub(r":\d*$", "", request.headers.get("Host", "")).lower()


def _name() -> None:
    given = request.headers.get(REQUEST_ID, "")
    name = given if _SANE_ID.fullmatch(given) else secrets.token_hex(_ID_BYTES)
    request.environ[_ENVIRON] = name
    log.clear()
    log.bind(request_id=name)


def _check_host(allowed: frozenset[str]) -> Response | None:
    name = host_name()
    if is_loopback(name) or name in allowed or request.path in _PROBES:
        return None
    return problem(
        _MISDIRECTED,
        code=WRONG_HOST,
        detail="this server does not answer to that name; its operator can add it (allowed_hosts)",
    )


def _check_origin() -> None:
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        own = site in _OWN_PAGES
    else:
        origin = request.headers.get("Origin")
        own = origin is None or origin.partition("://")[2] == request.headers.get("Host")
    if not own:
        raise Forbidden("the request comes from a page of another site")


def _with_headers(answer: Response) -> Response:
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers[REQUEST_ID] = request_id()
    return answer
