"""`POST /api/v1/enlarge`: the picture in one request where it is done in time, else its job."""

from __future__ import annotations

import re
from typing import Any

from apiflask import APIBlueprint
from flask import request

from upres.errors import UpresError
from upres.jobs.job import UNFINISHED, Job, State
from upres.web import contract, results
from upres.web.clients import needs
from upres.web.incoming import accepted
from upres.web.jobs import pointing_at, told
from upres.web.problems import JobFailed, Stopping
from upres.web.schemas import PREFIX, JobAnswer
from upres.web.serving import serving
from upres.web.slots import NoPlace
from upres.web.waiting import ended

WAIT_S = 30
LONGEST_WAIT_S = 300

blueprint = APIBlueprint("enlarge", __name__, tag="Jobs", url_prefix=PREFIX)


def asked_wait_s() -> int:
    """Return how long the client wants to wait; what `Prefer` says that is no such thing is none.

    RFC 7240: a preference that cannot be met is no error.
    """
    preferences = [one.strip().lower() for one in request.headers.get("Prefer", "").split(",")]
    for one in preferences:
        wait = re.fullmatch(r'wait\s*=\s*"?([0-9]{1,9})"?', one)
        if wait:
            return min(LONGEST_WAIT_S, int(wait[1]))
    return 0 if "respond-async" in preferences else WAIT_S


def waited(job: Job, *, timeout_s: float) -> Job:
    """Return a job when it has ended, or what it is when the time is over.

    Raises NoPlace where too many wait already, and Stopping when the server is about to stop.
    """
    if job.state not in UNFINISHED or not timeout_s:
        return job
    here = serving()
    with here.waiting.taken():
        job = ended(
            here.service.table, job, timeout_s=timeout_s, stop=lambda: bool(here.draining)
        )
    if here.draining and job.state in UNFINISHED:
        raise Stopping(pointing_at(job)["Location"])
    return job


def failure(job: Job) -> UpresError | None:
    """Return the error of a job that ended without a result."""
    if job.state in UNFINISHED | {State.DONE, State.EXPIRED}:
        return None
    return JobFailed(job)


@blueprint.post("/enlarge")
@needs("enlarge")
@blueprint.output(JobAnswer, status_code=202, description="Not done in time: its job, which stays.")
@blueprint.doc(
    operation_id="enlarge",
    responses={
        200: contract.picture("The result."),
        202: {"headers": contract.LOCATION},
        **contract.problems(*contract.PICTURE_PROBLEMS, 409),
    },
    extensions=contract.one_picture(contract.PREFER),
)
def enlarge() -> Any:
    """Enlarge a picture and wait for it.

    For 30 seconds, or `Prefer: wait=N`, at most 300. A client that goes away leaves its job behind,
    which is done all the same.
    """
    wait_s = asked_wait_s()
    job = accepted()
    try:
        job = waited(job, timeout_s=wait_s)
    except NoPlace:
        wait_s = 0  # all places to wait are taken: it is told at once
    error = failure(job)
    if error is not None:
        raise error
    applied = {**pointing_at(job), "Preference-Applied": f"wait={wait_s}"}
    if job.state in UNFINISHED:
        return told(job), 202, applied
    answer = results.result(job)
    answer.headers["Content-Location"] = f"{applied['Location']}/result"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Preference-Applied"] = applied["Preference-Applied"]
    return answer
