"""Many pictures at once: `POST /api/v1/batches`, and their results in one ZIP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from upres.errors import Blame, InvalidOption, UpresError
from upres.jobs.job import Job
from upres.service.log import logger
from upres.storage.blobs import Blob, Blobs
from upres.web import contract, failures
from upres.web.clients import needs
from upres.web.incoming import Upload, accept, cut, idempotency_key, options, uploads
from upres.web.jobs import found, told
from upres.web.limits import charge_request
from upres.web.options import PictureOptions
from upres.web.results import file_name, result_blob
from upres.web.schemas import PREFIX, BatchAnswer, BatchItem
from upres.web.serving import serving

ARCHIVE_JOBS = 200
BATCH_PICTURES = 100
BATCH_UPLOADS = 4
"""A batch may be as large as so many single uploads."""
_CHUNK_BYTES = 2**18
_ZIP = "application/zip"

blueprint = APIBlueprint("batches", __name__, tag="Batches", url_prefix=PREFIX)


@blueprint.post("/batches")
@needs("enlarge")
@blueprint.output(BatchAnswer, description="What became of every picture, in their order.")
@blueprint.doc(
    operation_id="submitBatch",
    responses=contract.problems(*contract.PICTURE_PROBLEMS),
    extensions=contract.many_pictures(),
)
def submit() -> Any:
    """Submit many pictures with the same options.

    Each is accepted or refused by itself: see `job` and `error` of each.
    """
    request.max_form_parts = BATCH_PICTURES + len(PictureOptions.model_fields)
    request.max_content_length = BATCH_UPLOADS * serving().service.settings.upload_bytes
    charge_request()
    key = idempotency_key()
    asked = options()
    _ = asked.job_options()
    pictures = uploads()
    if len(pictures) > BATCH_PICTURES:
        raise InvalidOption("number of pictures", len(pictures), f"at most {BATCH_PICTURES}")
    answers = [
        _submitted(picture, asked, key=None if key is None else f"{key}#{place}", charge=place > 0)
        for place, picture in enumerate(pictures)
    ]
    return BatchAnswer(pictures=answers), 200, {"Cache-Control": "no-store"}


@blueprint.get("/archive")
@needs("enlarge")
@blueprint.doc(
    operation_id="getArchive",
    responses={
        200: {
            "description": "The results.",
            "content": {_ZIP: {"schema": contract.BINARY}},
        },
        **contract.problems(400, *contract.JOB_PROBLEMS, 409, 410, 422),
    },
    extensions={
        "parameters": [
            {
                "name": "job",
                "in": "query",
                "required": True,
                "description": "Ids of jobs that are done.",
                "schema": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": ARCHIVE_JOBS,
                },
            }
        ]
    },
)
def archive() -> Response:
    """Fetch the results of several jobs in one ZIP."""
    ids = list(dict.fromkeys(request.args.getlist("job")))
    if not 1 <= len(ids) <= ARCHIVE_JOBS:
        raise InvalidOption("number of jobs", len(ids), f"1 to {ARCHIVE_JOBS} times `job=ID`")
    jobs = [found(one) for one in ids]
    members = [(job, result_blob(job)) for job in jobs]
    answer = Response(zipped(members, serving().service.blobs), mimetype=_ZIP)
    answer.headers["Content-Disposition"] = 'attachment; filename="upres.zip"'
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def zipped(members: list[tuple[Job, Blob]], blobs: Blobs) -> Iterator[bytes]:
    """Yield a ZIP of results, stored as they are, while they are read."""
    sink = _Sink()
    taken: set[str] = set()
    with zipfile.ZipFile(sink, "w") as archive_:
        for job, blob in members:
            entry = zipfile.ZipInfo(_unique(file_name(job), taken), _dos_time(job))
            entry.external_attr = 0o644 << 16
            entry.file_size = blob.bytes
            with blobs.open(blob.key) as file, archive_.open(entry, "w") as member:
                while chunk := file.read(_CHUNK_BYTES):
                    member.write(chunk)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Where a ZIP is written, to be taken away bit by bit; it cannot seek, so ZipFile does not."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts += data
        return memoryview(data).nbytes

    def taken(self) -> bytes:
        parts = bytes(self._parts)
        self._parts.clear()
        return parts


def _submitted(
    picture: Upload, asked: PictureOptions, *, key: str | None, charge: bool
) -> BatchItem:
    """Accept or refuse a picture; the first was charged before the form was read."""
    try:
        if charge:
            charge_request()
        job = accept(picture, asked, key=key)
    except UpresError as error:
        log = logger("web")
        if error.blame in {Blame.BUG, Blame.SETUP}:
            log.exception("error in a batch", code=error.code)
        else:  # its words may hold the picture's name
            log.info("refused in a batch", code=error.code)
        return BatchItem(name=picture.name, job=None, error=failures.of_refusal(error))
    return BatchItem(name=picture.name, job=told(job), error=None)


def _unique(name: str, taken: set[str]) -> str:
    path = PurePosixPath(name)
    number = 1
    while name.casefold() in taken:
        number += 1
        name = cut(path.stem, f"-{number}{path.suffix}")
    taken.add(name.casefold())
    return name


def _dos_time(job: Job) -> tuple[int, int, int, int, int, int]:
    at = job.finished or job.created
    return at.year, at.month, at.day, at.hour, at.minute, at.second
