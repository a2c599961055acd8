"""How it is told that a job failed: like the error that it failed of, with the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

from upres import errors
from upres.errors import UpresError
from upres.jobs.job import State
from upres.web.problems import detail_of, problem, status_of
from upres.web.schemas import Failure

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


def of_error(error: UpresError) -> Failure:
    """Return an error as it is told inside an answer."""
    return Failure(code=error.code, detail=detail_of(error))


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
    return problem(status, code=told.code, detail=told.detail, headers=headers)


def _error(code: str, text: str) -> UpresError | None:
    """Return an error as the worker raised it, from what the table keeps of it."""
    kind = _KINDS.get(code)
    if kind is None or kind is UpresError:
        return None
    error = kind.__new__(kind)
    error.args = (text, text)  # an OSError's text is its second
    return error
