"""`/api/v1/jobs`: submitting a picture, looking at its job, cancelling it, fetching the result."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from upres.errors import InvalidOption, JobMissing
from upres.jobs.job import UNFINISHED, Job
from upres.service.parts import Service
from upres.web import contract, failures, results
from upres.web.clients import needs
from upres.web.incoming import accepted
from upres.web.schemas import JOB_ID, PREFIX, JobAnswer, PreviewAnswer
from upres.web.serving import serving

POLL_AFTER_S = 1
"""What clients are told to wait before they ask again."""

blueprint = APIBlueprint("jobs", __name__, tag="Jobs", url_prefix=f"{PREFIX}/jobs")

_STATUS_HEADERS = {
    "Retry-After": {
        "description": "Seconds until it is worth to ask again; for jobs that have not ended.",
        "schema": {"type": "integer"},
    }
}


def found(job_id: str) -> Job:
    """Return a job. Raises JobMissing."""
    if not re.fullmatch(JOB_ID, job_id):
        raise JobMissing(job_id)
    return serving().service.table.get(job_id)


def told(job: Job, service: Service | None = None) -> JobAnswer:
    """Return what is told of a job, with its place and its time left while it has not ended.

    `service` is for streams, which go on when the request's context is gone.
    """
    if job.state not in UNFINISHED:
        return JobAnswer.of(job, error=failures.of_job(job))
    if service is None:
        service = serving().service
    return JobAnswer.of(
        job,
        position=service.table.position(job.id),
        eta_s=service.table.eta_s(job.id),
        now=datetime.now(UTC),
        preview=service.previews.of(job.id).bytes,
    )


def headers_of(job: Job) -> dict[str, str]:
    """Return the headers of an answer that tells of a job."""
    headers = {"Cache-Control": "no-store"}
    if job.state in UNFINISHED:
        headers["Retry-After"] = str(POLL_AFTER_S)
    return headers


def address(job: Job) -> str:
    """Return where a job is looked at."""
    return f"{PREFIX}/jobs/{job.id}"


def pointing_at(job: Job) -> dict[str, str]:
    """Return the headers of an answer that tells of a new job."""
    return {**headers_of(job), "Location": address(job)}


@blueprint.post("")
@needs("enlarge")
@blueprint.output(JobAnswer, status_code=202, description="The job; its result is fetched later.")
@blueprint.doc(
    operation_id="submitJob",
    responses={
        202: {"headers": {**contract.LOCATION, **_STATUS_HEADERS}},
        **contract.problems(*contract.PICTURE_PROBLEMS),
    },
    extensions=contract.one_picture(),
)
def submit() -> Any:
    """Submit a picture.

    The picture is the body, or the field `image` of a form. What waits is never lost: the job is
    on the disk before this is answered.
    """
    job = accepted()
    return told(job), 202, pointing_at(job)


@blueprint.get("/<job_id>")
@needs("enlarge")
@blueprint.output(JobAnswer, description="The job as it is now.")
@blueprint.doc(
    operation_id="getJob",
    responses={200: {"headers": _STATUS_HEADERS}, **contract.problems(*contract.JOB_PROBLEMS)},
)
def look(job_id: str) -> Any:
    """Look at a job."""
    job = found(job_id)
    return told(job), 200, headers_of(job)


@blueprint.delete("/<job_id>")
@needs("enlarge")
@blueprint.output(JobAnswer, description="The job, cancelled, about to be, or ended before.")
@blueprint.doc(operation_id="cancelJob", responses=contract.problems(*contract.JOB_PROBLEMS))
def cancel(job_id: str) -> Any:
    """Cancel a job.

    One that waits is cancelled at once, one that runs before its next tile; one that has ended
    stays as it is.
    """
    job = serving().service.table.request_cancel(found(job_id).id)
    return told(job), 200, headers_of(job)


@blueprint.get("/<job_id>/result")
@needs("enlarge")
@blueprint.doc(
    operation_id="getResult",
    responses={
        200: contract.picture("The picture."),
        206: contract.picture("The part of it that `Range` asks for."),
        304: contract.bare("It is the one that `If-None-Match` names."),
        **contract.problems(*contract.JOB_PROBLEMS, 409, 410, 412, 416),
    },
)
def result(job_id: str) -> Response:
    """Fetch a result.

    It never changes: its ETag is the file's SHA-256, and ranges are answered. With
    `Accept: application/json` it comes in base64 inside JSON. 409: there is none (yet). 410: it was
    kept for as long as results are kept.
    """
    return results.result(found(job_id))


@blueprint.get("/<job_id>/reduced")
@needs("enlarge")
@blueprint.doc(
    operation_id="getReduced",
    responses={
        200: contract.source("The smaller picture, JPEG or WebP."),
        206: contract.source("The part of it that `Range` asks for."),
        304: contract.bare("It is the one that `If-None-Match` names."),
        **contract.problems(*contract.JOB_PROBLEMS, 409, 410, 412, 416),
    },
)
def reduced(job_id: str) -> Response:
    """Fetch a smaller version of a large result, to look at.

    410: the result is too small to have one (`result.reduced` says so), or is kept no longer.
    """
    return results.reduced(found(job_id))


@blueprint.get("/<job_id>/preview")
@needs("enlarge")
@blueprint.output(PreviewAnswer, description="What was finished since.")
@blueprint.doc(
    operation_id="getPreview",
    responses=contract.problems(*contract.JOB_PROBLEMS, 422),
    extensions={"parameters": [contract.AFTER]},
)
def preview(job_id: str) -> Any:
    """Look at what is finished of a picture that is being worked on.

    These are parts of the result, reduced, before softening and any last change of size. There are
    none where the work takes no time, is an interpolation, or another server's.
    """
    after = request.args.get("after", "0")
    if not re.fullmatch(r"[0-9]{1,9}", after):
        raise InvalidOption("after", after[:20], "what `next` was, 0 at first")
    tiles, next_ = serving().service.previews.of(found(job_id).id).read(int(after))
    answer = PreviewAnswer.model_validate({"tiles": tiles, "next": next_})
    return answer, 200, {"Cache-Control": "no-store"}


@blueprint.get("/<job_id>/source")
@needs("enlarge")
@blueprint.doc(
    operation_id="getSource",
    responses={
        200: contract.source("The picture that was uploaded."),
        206: contract.source("The part of it that `Range` asks for."),
        304: contract.bare("It is the one that `If-None-Match` names."),
        **contract.problems(*contract.JOB_PROBLEMS, 410, 412, 416),
    },
)
def source(job_id: str) -> Response:
    """Fetch the picture that was uploaded, byte for byte, while it is kept."""
    return results.source(found(job_id))
