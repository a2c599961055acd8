"""`POST /api/v1/enlarge`: the picture in one request where it is done in time, else its job."""

from __future__ import annotations

import re
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from upres.jobs.job import UNFINISHED, Job
from upres.web import contract, failures, nginx, results
from upres.web.clients import client, needs
from upres.web.connections import presence
from upres.web.incoming import accepted
from upres.web.jobs import address, pointing_at, told
from upres.web.limits import give_back_request
from upres.web.problems import problem
from upres.web.schemas import PREFIX, JobAnswer
from upres.web.serving import serving
from upres.web.waiting import ended

WAIT_S = 30
LONGEST_WAIT_S = 300
_RETRY_S = 5
_ASYNC = "respond-async"

blueprint = APIBlueprint("enlarge", __name__, tag="Jobs", url_prefix=PREFIX)


def asked_wait() -> tuple[int, str | None]:
    """Return for how many seconds to wait, and by which preference; None: there is none.

    RFC 7240: a preference that is not understood, or cannot be met, is no error.
    """
    preferences = [one.strip().lower() for one in request.headers.get("Prefer", "").split(",")]
    for one in preferences:
        wait = re.fullmatch(r'wait\s*=\s*"?([0-9]{1,9})"?', one)
        if wait:
            wait_s = min(LONGEST_WAIT_S, int(wait[1]))
            return wait_s, f"wait={wait_s}"
    return (0, _ASYNC) if _ASYNC in preferences else (WAIT_S, None)


def waited(job: Job, *, timeout_s: float) -> Job:
    """Return a job when it has ended; as it is when the time is over or the server is to stop.

    And at once where too many requests wait already, or the client has gone.
    """
    if job.state not in UNFINISHED or not timeout_s:
        return job
    here = serving()
    gone = presence(request.environ)
    with here.waiting.taken(client().owner) as place:
        if not place:
            return job
        return ended(here.service.table, job, timeout_s=timeout_s, stop=here.draining, gone=gone)


def not_in_time(job: Job) -> Response:
    """Return the problem that answers a wait which was in vain; the job stays.

    Its client does not see it where nginx asks another process, which waits on.
    """
    stopping = serving().draining.is_set()
    again = nginx.again() if stopping else {}
    if again:
        give_back_request()
    reason = "the server is about to stop" if stopping else "it is not done yet"
    return problem(
        503,
        code="server-stopping" if stopping else "not-done-yet",
        detail=f"{reason}; the picture is kept and will be done: see the job at Location",
        headers={
            "Location": address(job),
            "Retry-After": str(_RETRY_S),
            **again,
        },
    )


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
    wait_s, preference = asked_wait()
    job = waited(accepted(), timeout_s=wait_s)
    applied = {} if preference is None else {"Preference-Applied": preference}
    if job.state in UNFINISHED:
        stopping = serving().draining.is_set() and wait_s
        return not_in_time(job) if stopping else (told(job), 202, {**pointing_at(job), **applied})
    if job.result is None:
        return failures.answer(job, location=address(job))
    answer = results.result(job)
    answer.headers["Content-Location"] = f"{address(job)}/result"
    answer.headers["Cache-Control"] = "no-store"
    if preference != _ASYNC:
        answer.headers.update(applied)
    return answer
