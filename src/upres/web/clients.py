"""Who sends a request: by API key where one is sent, else by address.

Without a key a client may have pictures enlarged, unless the settings demand keys. It may have
models downloaded where the server is this machine's own, has no keys at all, and the request was
plainly made here: a proxy that the settings do not know of makes everybody look like that, so what
proxies change by themselves (version, name, port) must be unchanged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request

from upres.errors import Forbidden, Unauthorized
from upres.web.guards import for_this_machine, host_name, is_loopback
from upres.web.serving import serving

P = ParamSpec("P")
R = TypeVar("R")

_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
_SITE_BITS = 64
"""What one IPv6 subscriber is given at least."""
_BEARER = "bearer"
_WITH_PORT = re.compile(r"(?:\[([^]]*)\]|([0-9.]+)):[0-9]+")
"""An address with a port, as some proxies write it."""


@dataclass(frozen=True)
class Client:
    """Whoever sent the request."""

    owner: str
    """Of jobs and of limits: `key:ID` or `address:…`."""
    scopes: frozenset[str]
    key: str | None
    """The API key's name."""


def client() -> Client:
    """Return the current request's client. Raises Unauthorized for a key that is none."""
    if "client" not in g:
        g.client = _client()
    found: Client = g.client
    return found


def needs(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only clients with a scope into a view function; others get Unauthorized or Forbidden."""

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            check(scope)
            return view(*args, **kwargs)

        return guarded

    return guard


def check(scope: str) -> None:
    """Raise Unauthorized or Forbidden where the current request's client lacks a scope."""
    who = client()
    if scope in who.scopes:
        return
    if who.key is not None:
        raise Forbidden(f"the key {who.key} lacks the scope {scope}")
    raise Unauthorized(f"this needs an API key with the scope {scope}")


def owner_at(address: str | None) -> str:
    """Return the owner that an address stands for: IPv6 by /64, IPv4 also when it is mapped.

    A port after it, which some proxies write, does not count.
    """
    text = (address or "").strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        found = ipaddress.ip_address(text.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return "address:unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((found, _SITE_BITS), strict=False)}"
        found = found.ipv4_mapped
    return f"address:{found}"


def _client() -> Client:
    keys = serving().keys
    text = _sent_key()
    if text is not None:
        key = keys.find(text)
        if key is None:
            raise Unauthorized("the API key is not known here")
        return Client(owner=f"key:{key.id}", scopes=frozenset(key.scopes), key=key.name)
    scopes = set()
    if not serving().service.settings.api_keys_required:
        scopes.add("enlarge")
    if _is_operator() and not keys.all():
        scopes.add("models")
    return Client(owner=owner_at(request.remote_addr), scopes=frozenset(scopes), key=None)


def _sent_key() -> str | None:
    """Return the text of `Authorization: Bearer …` or `X-API-Key`; other schemes are no key."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == _BEARER:
        return rest.strip()
    return request.headers.get("X-API-Key")


def _is_operator() -> bool:
    """Tell a request that was made at this machine, for this server, and came through no proxy."""
    settings = serving().service.settings
    origin = request.headers.get("Origin")
    host = request.headers.get("Host", "")
    return (
        settings.allow_pull
        and for_this_machine(settings)
        and is_loopback(request.remote_addr)
        and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        and is_loopback(host_name())
        and _port(host) == request.environ.get("SERVER_PORT")
        and (origin is None or origin.partition("://")[2] == host)
        and not any(name in request.headers for name in _FORWARDED)
    )


def _port(host: str) -> str:
    """Return the port in a Host header; browsers leave out 80, and no proxy adds it."""
    found = re.search(r":([0-9]+)$", host)
    return found[1] if found else "80"
