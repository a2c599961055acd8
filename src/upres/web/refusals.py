"""Refusals of what never reaches the application, as bytes: requests that are none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"
REFUSALS: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "this is no HTTP request that this server understands"),
    414: ("uri-too-long", "the address is longer than this server takes; ask for less at once"),
    417: ("expectation-failed", "this server expects nothing but `100-continue`"),
    431: ("request-header-fields-too-large", "the headers are larger than this server takes"),
    500: ("internal-error", "something went wrong inside the server; its log tells more"),
    501: ("not-implemented", "this server does not take this transfer coding"),
    503: ("server-busy", "too many of your requests are being answered; send fewer at once"),
}
"""Code and words by status."""


def refusal(status: int, *, request_id: str) -> bytes:
    """Return a whole answer, after which the connection ends."""
    code, detail = REFUSALS[status]
    title = HTTPStatus(status).phrase
    problem = {
        "type": f"/docs#problem-{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    body = json.dumps(problem).encode()
    head = [
        f"HTTP/1.1 {status} {title}",
        "Connection: close",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-ID: {request_id}",
        *(["Retry-After: 1"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body
