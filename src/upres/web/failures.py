"""How it is told that a job failed: like the error that it failed of, with the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

from upres import errors
from upres.errors import UpresError
from upres.jobs.job import State
from upres.web.problems import RETRY_S, detail_of, problem, status_of
from upres.web.schemas import Failure, Refusal

if TYPE_CHECKING:
    from upres.jobs.job import Job

_KINDS: dict[str, type[UpresError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, UpresError)
}
_MISTAKE = 500
"""The status of failures that are no error of the tree, such as a job that ended its workers."""
_CANCELLED = "cancelled"
_MENDED_BY_TIME = frozenset({"disk-full", "blob-folder-full", "database-busy"})
"""Of what a job can fail of; everything else it fails of again."""


def of_error(error: UpresError) -> Failure:
    """Return an error as it is told inside an answer."""
    return Failure(code=error.code, detail=detail_of(error))


def of_refusal(error: UpresError) -> Refusal:
    """Return an error as it is told of one picture among others."""
    after_s = getattr(error, "retry_after_s", None)
    if after_s is None and status_of(error) in {429, 503}:
        after_s = RETRY_S
    return Refusal(code=error.code, detail=detail_of(error), retry_after_s=after_s)


def of_job(job: Job) -> Failure | None:
    """Return why a job failed, without what is only for the operator."""
    if job.error_code is None:
        return None
    error = _error(job.error_code, job.error_text or "")
    detail = (job.error_text or "") if error is None else detail_of(error)
    return Failure(code=job.error_code, detail=detail)


def answer(job: Job, *, location: str) -> Response:
    """Return the problem that answers a request which waited for a job, and in vain."""
    headers = {"Location": location}
    if job.state is State.CANCELLED:
        return problem(409, code=_CANCELLED, detail="the job was cancelled", headers=headers)
    told = of_job(job) or Failure(code="error", detail="the job failed")
    error = _error(told.code, told.detail)
    status = _MISTAKE if error is None else status_of(error)
    final = told.code not in _MENDED_BY_TIME
    return problem(status, code=told.code, detail=told.detail, headers=headers, final=final)


def _error(code: str, text: str) -> UpresError | None:
    """Return an error as the worker raised it, from what the table keeps of it."""
    kind = _KINDS.get(code)
    if kind is None or kind is UpresError:
        return None
    # MemoryError's own way of making errors refuses kinds derived from it
    error = (OSError if issubclass(kind, OSError) else Exception).__new__(kind)
    error.args = (text, text)  # an OSError's text is its second
    return error
