"""The page's texts, compressed for browsers that take them so: each version of a text once."""

from __future__ import annotations

import gzip
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import request

if TYPE_CHECKING:
    from flask import Flask, Response

_TYPES = frozenset({"text/html", "text/css", "text/javascript", "image/svg+xml"})
_ENDPOINTS = frozenset({"static", "page.page"})
"""What is the same for everybody: beside a secret, a length could tell something of it."""
_ENCODING = "gzip"


def install(app: Flask) -> None:
    """Compress what an application answers with, where it is worth it."""
    app.after_request(_compressed)


def _compressed(answer: Response) -> Response:
    if request.endpoint not in _ENDPOINTS or answer.mimetype not in _TYPES:
        return answer
    answer.vary.add("Accept-Encoding")
    if answer.status_code != HTTPStatus.OK or not request.accept_encodings[_ENCODING]:
        return answer
    answer.direct_passthrough = False
    answer.set_data(_squeezed(answer.get_data()))
    answer.headers["Content-Encoding"] = _ENCODING
    answer.headers.pop("Accept-Ranges", None)
    tag, _ = answer.get_etag()
    if tag is not None:  # the same text in other bytes
        answer.set_etag(tag, weak=True)
    return answer


@lru_cache(maxsize=64)
def _squeezed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
