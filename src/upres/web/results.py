"""Sending pictures: results and sources, whole, in ranges, or in base64 inside JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from flask import Response, abort, request, send_file

from upres.errors import BlobMissing, JobGone, JobNotReady, UnsupportedPicture
from upres.image.formats import TRAITS, sniff
from upres.jobs.job import CLIP, State
from upres.service.clip_files import HEAD_BYTES, clip_type
from upres.web import nginx
from upres.web.incoming import UNNAMED, cut
from upres.web.schemas import EncodedResult
from upres.web.serving import serving

if TYPE_CHECKING:
    from upres.jobs.job import Job
    from upres.storage.blobs import Blob

JSON = "application/json"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff", "image/gif")
RESULTS = (*PICTURES, "video/mp4")
_ANY = "application/octet-stream"
_CHUNK_BYTES = 3 * 2**16
"""Divisible by 3: base64 of the parts is base64 of the whole."""
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_INERT = "default-src 'none'; sandbox"
"""Content-Security-Policy of files: whatever a browser takes them for, nothing in them runs."""


def media_type(format_: str) -> str:
    """Return a format's media type."""
    return f"video/{format_}" if format_ == CLIP else f"image/{format_}"


def file_name(job: Job) -> str:
    """Return what a result is called when it is saved: `photo_x3.jpg`."""
    stem = PurePosixPath(job.source_name).stem or UNNAMED
    factor = job.options.size.nominal_factor
    mark = f"{job.width}x{job.height}" if factor is None else f"x{factor:g}"
    format_ = job.result_format
    if format_ is None or format_ == CLIP:
        extension = f".{CLIP}" if format_ else ""
    else:
        extension = TRAITS[format_].extensions[0]
    return cut(stem, f"_{mark}{extension}")


def result_blob(job: Job) -> Blob:
    """Return the blob of a job's result, which is there and stays for now.

    Raises JobNotReady, and JobGone for what was there once.
    """
    if job.state is State.EXPIRED:
        raise JobGone(job.id, "result")
    if job.result is None or job.state is not State.DONE:
        raise JobNotReady(job.id, job.state.value)
    if not serving().service.blobs.touch(job.result.key):
        serving().service.table.give_up_result(job.result.key)
        raise JobGone(job.id, "result")
    return job.result


def result(job: Job) -> Response:
    """Return the answer with a job's result, as the request wants it. Raises as `result_blob`."""
    answer = _encoded(job, result_blob(job)) if wants_json() else as_file(job)
    answer.headers["Cache-Control"] = _kept()
    answer.vary.add("Accept")
    return answer


def as_file(job: Job, *, attachment: bool = True) -> Response:
    """Return the answer with a job's result as a picture, to be saved or, else, to be shown.

    Raises as `result_blob`.
    """
    type_ = media_type(job.result_format or "png")
    key = result_blob(job).key
    return _file(job, key, type_, name=file_name(job), attachment=attachment)


def reduced(job: Job) -> Response:
    """Return the answer with the smaller version of a large result. Raises as `result_blob`."""
    result_blob(job)
    key, blobs = job.reduced_key, serving().service.blobs
    if key is None or not blobs.touch(key):
        raise JobGone(job.id, "smaller result")
    with blobs.open(key) as file:
        type_ = media_type(sniff(file.read(HEAD_BYTES), name=job.source_name))
    answer = _file(job, key, type_, name=file_name(job), attachment=False)
    answer.headers["Cache-Control"] = _kept()
    return answer


def source(job: Job) -> Response:
    """Return the answer with the picture that a job was made of. Raises JobGone."""
    blobs = serving().service.blobs
    if job.state is State.EXPIRED or blobs.size(job.source_key) is None:
        raise JobGone(job.id, "source")
    try:
        with blobs.open(job.source_key) as file:
            head = file.read(HEAD_BYTES)
            type_ = clip_type(head) or media_type(sniff(head, name=job.source_name))
    except BlobMissing as error:
        raise JobGone(job.id, "source") from error
    except UnsupportedPicture:
        type_ = _ANY
    answer = _file(job, job.source_key, type_, name=job.source_name)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def wants_json() -> bool:
    """Tell whether the client prefers JSON to a picture."""
    accepted = request.accept_mimetypes
    return accepted[JSON] > max(accepted[one] for one in RESULTS)


def _kept() -> str:
    seconds = int(serving().service.settings.result_retention_s)
    return f"private, max-age={seconds}, immutable"


def _file(job: Job, key: str, type_: str, *, name: str, attachment: bool = True) -> Response:
    blobs = serving().service.blobs
    path = blobs.path(key)
    handed_over = nginx.sends(path)
    _ignore_odd_ranges(all_=handed_over)
    try:
        answer = send_file(
            path if path is not None else blobs.open(key),
            mimetype=type_,
            as_attachment=attachment,
            download_name=name,
            etag=key,
            # a blob's own time tells when it was last used
            last_modified=job.finished or job.created,
            conditional=True,
        )
    except (FileNotFoundError, BlobMissing) as error:
        raise JobGone(job.id, "picture") from error
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        answer.close()
        abort(answer.status_code)
    answer.headers["Content-Security-Policy"] = _INERT
    if path is not None and handed_over and answer.status_code == HTTPStatus.OK:
        return nginx.sending(answer, path)
    return answer


def _ignore_odd_ranges(*, all_: bool) -> None:
    """Leave out a Range that is none, or several: the answer is then the whole (RFC 9110, 14.2).

    Or every Range, where another cuts the part out.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    first, last = found.groups() if found else ("", "")
    if all_ or not (first or last) or (first and last and int(first) > int(last)):
        request.environ.pop("HTTP_RANGE", None)


def _encoded(job: Job, blob: Blob) -> Response:
    """Answer with the result in JSON, in base64 that is made while it is sent."""
    about = EncodedResult(
        format=job.result_format or "",
        media_type=media_type(job.result_format or "png"),
        width=job.width or 0,
        height=job.height or 0,
        bytes=blob.bytes,
        sha256=blob.key,
        data="",
    )
    start = json.dumps(about.model_dump(mode="json")).removesuffix('"}').encode()
    file = serving().service.blobs.open(blob.key)
    answer = Response(_in_base64(start, file), mimetype=JSON)
    answer.call_on_close(file.close)
    answer.content_length = len(start) + 4 * -(-blob.bytes // 3) + len(b'"}')
    answer.set_etag(f"{blob.key}-json")
    answer.make_conditional(request)
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        answer.close()
        abort(answer.status_code)
    return answer


def _in_base64(start: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield start
    while chunk := file.read(_CHUNK_BYTES):
        yield base64.b64encode(chunk)
    yield b'"}'
