"""`GET /api/v1/jobs/{id}/events`: a job's states as they come, in server-sent events.

A stream holds one of the server's threads, so there are few places; who finds none polls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from apiflask import APIBlueprint
from flask import Response, request

from upres.errors import JobMissing, ServerBusy
from upres.jobs.job import UNFINISHED, Job
from upres.web import contract
from upres.web.clients import client, needs
from upres.web.connections import presence
from upres.web.jobs import found, told
from upres.web.schemas import PREFIX
from upres.web.serving import Serving, serving

PING_S = 15.0
LOOK_S = 0.5
"""How often the job is looked at."""
_RECONNECT_MS = 2000
_BUSY_S = 5
_STREAM = "text/event-stream"

_EVENT = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("event", "id", "data")}
    | {"retry": {"type": "integer"}},
}

blueprint = APIBlueprint("events", __name__, tag="Jobs", url_prefix=PREFIX)


@blueprint.get("/jobs/<job_id>/events")
@needs("enlarge")
@blueprint.doc(
    operation_id="getEvents",
    responses={
        200: {
            "description": "Events `state` with a job as `getJob` gives it, at last one `bye`.",
            "content": {_STREAM: {"schema": _EVENT}},
        },
        204: contract.bare("`Last-Event-ID` was the job's end: there is nothing to come."),
        **contract.problems(*contract.JOB_PROBLEMS),
    },
)
def events(job_id: str) -> Response:
    """Follow a job.

    The stream ends when the job has ended, after `sse_seconds`, or when the server is about to
    stop; `bye` says which. 503: all streams are taken; look at the job now and then instead.
    """
    job = found(job_id)
    here = serving()
    seen = request.headers.get("Last-Event-ID", "")
    if job.state not in UNFINISHED and seen == _version(job):
        return Response(status=204)
    place = here.streams.take(client().owner)
    if place is None:
        raise ServerBusy(retry_after_s=_BUSY_S)
    stream = _stream(here, job, seen=seen, gone=presence(request.environ))
    answer = Response(stream, mimetype=_STREAM)
    # given back when the client or the stream has ended, whichever comes first
    answer.call_on_close(place.give_back)
    answer.headers["Cache-Control"] = "no-store, no-transform"
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _stream(here: Serving, job: Job, *, seen: str, gone: Callable[[], bool]) -> Iterator[str]:
    table = here.service.table
    began = pinged = time.monotonic()
    yield f"retry: {_RECONNECT_MS}\n\n"
    while True:
        version = _version(job)
        if version != seen:
            seen = version
            data = told(job, here.service).model_dump_json()
            yield f"id: {version}\nevent: state\ndata: {data}\n\n"
        now = time.monotonic()
        reason = _over(here, job, lasted_s=now - began)
        if reason is not None:
            yield f'event: bye\ndata: {{"reason": "{reason}"}}\n\n'
            return
        if now - pinged >= PING_S:
            pinged = now
            yield ": ping\n\n"
        here.draining.wait(LOOK_S)
        if gone():
            return
        try:
            job = table.get(job.id)
        except JobMissing:
            return


def _over(here: Serving, job: Job, *, lasted_s: float) -> str | None:
    """Return why a stream ends now."""
    if job.state not in UNFINISHED:
        return "ended"
    if here.draining.is_set():
        return "stopping"
    return "time" if lasted_s >= here.service.settings.sse_seconds else None


def _version(job: Job) -> str:
    """Return what differs when there is something new to tell."""
    asked = "-cancel" if job.cancel_requested else ""
    return f"{job.attempts}-{job.done_tiles}-{job.state.value}{asked}"
