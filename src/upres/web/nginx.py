"""What nginx does in this server's stead, where it is set up as in `deploy/nginx`.

It is told in a header that it never passes on: to send a file itself, with ranges cut out of it, or
to send a request to another process, since this one is about to end. Such a request makes no second
job, for `deploy/nginx` gives it an Idempotency-Key where its client has given it none.
"""

from __future__ import annotations

from pathlib import Path

from flask import Response, request

from upres.storage.lending import lend
from upres.web.serving import serving

_HEADER = "X-Accel-Redirect"
_FILES = "/upres-files/"
_AGAIN = "@upres_again"
_ITS_OWN = ("Accept-Ranges", "Content-Length")
_TOLD_WRONG = ("If-Match", "If-Unmodified-Since")
"""Checked here, against the right ETag; nginx would check them once more, against none."""


def sends(path: Path | None) -> bool:
    """Tell whether nginx is to answer the current request with a file; it may read it then."""
    settings = serving().service.settings
    return (
        settings.nginx
        and path is not None
        and request.method in {"GET", "HEAD"}
        and not any(name in request.headers for name in _TOLD_WRONG)
        and path.is_relative_to(settings.blob_folder)
        and lend(path, top=settings.data_folder)
    )


def sending(answer: Response, path: Path) -> Response:
    """Return an answer whose file nginx sends."""
    answer.close()
    headers = [(name, value) for name, value in answer.headers if name not in _ITS_OWN]
    place = path.relative_to(serving().service.settings.blob_folder).as_posix()
    return Response(status=answer.status_code, headers=[*headers, (_HEADER, _FILES + place)])


def again() -> dict[str, str]:
    """Return the header that lets nginx ask another process, for an answer that is none."""
    return {_HEADER: _AGAIN} if serving().service.settings.nginx else {}
