"""Every error as an answer: RFC 9457 problems, and a readable page for browsers.

Statuses by `code`. What is the caller's fault is told in the error's own words; what is the
machine's is told without its paths, and what is a mistake of upres without anything of the inside.

    400 no-file, bad-request                    415 unsupported-picture: a kind upres does not take
    401 unauthorized    403 forbidden           421 wrong-host: another name than this server's
    404 not-found, job-missing                  422 bad-picture, invalid-option, unknown-model, ...
    405 method-not-allowed                      429 rate-limited, client-queue-full: this client
    409 job-not-ready, model-missing            500 internal-error: a mistake of upres
    410 job-gone                                503 queue-full, disk-full, ...: the server, for now
    413 picture-too-large, request-too-large

`unknown-model` is 404 where the address names the model. `model-missing` is 409: another model
would do, and so would this one after `upres models pull`. 429 and 503 carry Retry-After.
"""

from __future__ import annotations

import html
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from apiflask import HTTPError
from flask import Response, json, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from upres.errors import Blame, JobNotReady, UpresError
from upres.service.log import logger
from upres.web.refusals import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask
    from werkzeug.wrappers import Response as ResponseBase

TYPES = "/docs#problem-"
"""Where a problem's `type` leads, with its code."""
INTERNAL = "internal-error"
WRONG_HOST = "wrong-host"
RETRY_S = 10

STATUSES: Mapping[str, int] = {
    "no-file": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "job-missing": 404,
    "job-not-ready": 409,
    "cancelled": 409,
    "model-missing": 409,
    "job-gone": 410,
    "blob-missing": 410,
    "picture-too-large": 413,
    "unsupported-picture": 415,
    "unsupported-video": 415,
    "bad-picture": 422,
    "invalid-option": 422,
    "unknown-model": 422,
    "model-refused": 422,
    "idempotency-conflict": 422,
    "rate-limited": 429,
    "client-queue-full": 429,
}
"""Of the errors whose status is not that of their blame."""
BY_BLAME = {Blame.CALLER: 422, Blame.SETUP: 503, Blame.CAPACITY: 503, Blame.BUG: 500}
_HTTP_CODES = {400: "bad-request", 413: "request-too-large", 422: "invalid-request"}
"""Where they are not the status's own words."""
_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not take this method",
    412: "the file is not the one that If-Match names",
    413: "the request is larger than this server takes",
}
"""In place of the framework's words."""
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's, where Python still has older ones."""

_TOLD: Mapping[str, str] = {
    "model-missing": "this model is not installed on the server; take another, or ask its operator",
    "blob-missing": "it was kept for a while, and is kept no longer; send the picture again",
    "disk-full": "the server has no room on its disk; try again later",
    "database-busy": "the server's database is busy; try again later",
    "sandbox-unavailable": "the server cannot look at pictures safely, so it takes none",
}
"""In place of words that are for the operator."""
_SETUP = "the server is not set up as it must be; its log says what is wrong"
_BROKEN = "the request's body is not as its headers say, or ended too soon"
_SERVERS_OWN = "gunicorn.http.errors"
"""Where the errors of bodies that come in broken chunks are; only the server may import it."""
_BUG = "something went wrong inside the server; its log tells more under this request_id"

SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it; `code` is stable.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "Where the code is explained."},
        "title": {"type": "string", "description": "The status's name."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "One line for people."},
        "code": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"},
        "request_id": {"type": "string", "description": "As in the server's log."},
    },
}
"""For the OpenAPI document."""

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title} - upres</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>{title}</h1><p>{detail}</p><p><a href="/">Back</a></p>
<p><small>{status} {code}, request {request_id}</small></p></main></body>
</html>
"""


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
    final: bool = False,
) -> Response:
    """Return a problem as the client reads it.

    `more` are members beside the usual ones; `final`: there is no use in coming again.
    """
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": f"{TYPES}{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.environ.get("upres.request_id", ""),
    }
    if _wants_page():
        page = _PAGE.format(**{name: html.escape(str(value)) for name, value in body.items()})
        answer = Response(page, status, mimetype="text/html")
    else:
        answer = Response(json.dumps(body | dict(more or {})), status, mimetype=MEDIA_TYPE)
    answer.headers.update(headers or {})
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE} and not final:
        answer.headers.setdefault("Retry-After", str(RETRY_S))
    answer.headers["Cache-Control"] = "no-store"
    answer.vary.add("Accept")
    return answer


def status_of(error: UpresError) -> int:
    """Return the status that an error is told with in the current request."""
    if error.code == "unknown-model" and request.view_args:
        return HTTPStatus.NOT_FOUND
    if isinstance(error, JobNotReady) and error.state == "expired":
        return HTTPStatus.GONE
    return STATUSES.get(error.code) or BY_BLAME[error.blame]


def detail_of(error: UpresError) -> str:
    """Return what may be said about an error to whoever asked."""
    if error.code in _TOLD:
        return _TOLD[error.code]
    if error.blame is Blame.BUG:
        return _BUG
    return _SETUP if error.blame is Blame.SETUP else str(error)


def install(app: Flask) -> None:
    """Answer every error of an application with a problem."""
    handlers: tuple[tuple[type[Exception], Callable[[Any], ResponseBase]], ...] = (
        (UpresError, of_error),
        (HTTPError, _of_apiflask),
        (HTTPException, _of_http),
        (TimeoutError, _of_silence),
        (Exception, _of_bug),
    )
    for kind, handler in handlers:
        app.register_error_handler(kind, handler)


def of_error(error: UpresError) -> Response:
    """Return the problem that one of upres's errors is."""
    status = status_of(error)
    log = logger("web")
    if error.blame is Blame.BUG:
        log.error("error", code=error.code, exc_info=error)
    elif error.blame is Blame.SETUP:
        log.error("not set up", code=error.code, reason=str(error))
    else:  # its words may hold the picture's name
        log.info("refused", code=error.code, status=status)
    headers = {}
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, int(retry_after_s)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="upres"'
    return problem(status, code=error.code, detail=detail_of(error), headers=headers)


def _of_http(error: HTTPException) -> ResponseBase:
    status = error.code
    if error.response is not None or status is None or status < HTTPStatus.BAD_REQUEST:
        return error.get_response(request.environ)
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    detail = _DETAILS.get(status) or " ".join((error.description or error.name).split())
    code = code_of(status, error.name)
    return problem(status, code=code, detail=detail.removesuffix("."), headers=headers)


def _of_apiflask(error: HTTPError) -> Response:
    status = error.status_code
    name = HTTPStatus(status).phrase
    more = {"errors": error.detail} if error.detail else {}
    return problem(
        status,
        code=code_of(status, name),
        detail=error.message or name,
        headers=dict(Headers(error.headers)),
        more=more,
    )


def _of_bug(error: Exception) -> Response:
    if type(error).__module__ == _SERVERS_OWN:
        return problem(HTTPStatus.BAD_REQUEST, code="bad-request", detail=_BROKEN)
    logger("web").error("error", code=INTERNAL, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, code=INTERNAL, detail=_BUG)


def _of_silence(_: TimeoutError) -> Response:
    """Answer a client that stopped sending; the server's sockets have a time limit."""
    status = HTTPStatus.REQUEST_TIMEOUT
    detail = "the request stopped coming before it was whole; send it again"
    return problem(status, code="request-timeout", detail=detail)


def code_of(status: int, name: str) -> str:
    """Return the code of an error of HTTP itself, from its status and name."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return INTERNAL
    return _HTTP_CODES.get(status) or re.sub(r"[^a-z]+", "-", name.lower()).strip("-")


def _wants_page() -> bool:
    """Tell browsers that go to a page from everything else, which reads JSON."""
    accepted = request.accept_mimetypes
    pages = accepted["text/html"] if "text/html" in accepted.values() else 0
    return pages > max(accepted["application/json"], accepted[MEDIA_TYPE])
