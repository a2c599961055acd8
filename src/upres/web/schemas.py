"""What answers about jobs hold, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from upres.jobs.job import UNFINISHED, JobOptions, State

if TYPE_CHECKING:
    from upres.jobs.job import Job

PREFIX = "/api/v1"
JOB_ID = r"[A-Za-z0-9_-]{22}"
"""128 bits in the URL's alphabet."""


class Answer(BaseModel):
    """Part of an answer: it has these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Options(Answer):
    """What was asked for."""

    scale: float | None
    width: int | None
    height: int | None
    long_side: int | None
    model: str
    clean: float | None
    tta: bool
    soften: float
    exact: bool
    format: str | None
    quality: int
    keep_metadata: bool

    @classmethod
    def of(cls, options: JobOptions) -> Self:
        """Return a job's options."""
        return cls(
            scale=options.size.nominal_factor,
            width=options.width,
            height=options.height,
            long_side=options.long_side,
            model=options.model,
            clean=options.clean,
            tta=options.tta,
            soften=options.soften,
            exact=options.exact,
            format=options.format,
            quality=options.quality,
            keep_metadata=options.keep_metadata,
        )


class Result(Answer):
    """The finished picture."""

    format: str
    width: int
    height: int
    bytes: int
    sha256: str
    """Of the file; also its ETag."""
    reduced: bool
    """It is large, and `reduced` gives a smaller one to look at."""


class Choice(Answer):
    """What `auto` chose for the picture."""

    clean: float
    """The strength from 0, `lite`, to 1, `photo`."""
    reason: str
    """For people, in English."""


class Ran(Answer):
    """What made a result."""

    model: str
    """The network's name, where `auto` was asked for, too; or the interpolation's."""
    scale: int | None
    """The network's own factor; null for an interpolation, as are the next two."""
    engine: str | None
    """`openvino`, `onnxruntime` or `opencv`."""
    precision: str | None
    """`fp32`, `bf16` or `int8`."""
    clean: float | None
    """The strength from 0, `lite`, to 1, `photo`, asked for or chosen; null where there is none."""
    seconds: float
    """Of work, from the claim to the written file; of that time where it came from the cache."""
    interpolated: float = 0.0
    """Share of the picture that was flat and left to bicubic interpolation, 0 to 1."""


class Failure(Answer):
    """Why a job failed."""

    code: str
    """Stable, as in problem answers."""
    detail: str


class Refusal(Failure):
    """Why one picture of a batch was refused."""

    retry_after_s: int | None
    """Seconds until it is worth to send it again; null: it is refused then, too."""


class Links(Answer):
    """Where a job's parts are."""

    job: str
    events: str
    result: str
    reduced: str
    source: str
    preview: str


class PreviewTile(Answer):
    """A part of the result that is finished, reduced."""

    left: int
    """In pixels of the source, as the next three."""
    top: int
    width: int
    height: int
    of_width: int
    """The whole source."""
    of_height: int
    media_type: str
    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    """The file in base64."""


class PreviewAnswer(Answer):
    """The parts that were finished since."""

    tiles: list[PreviewTile]
    """In the order in which they were finished; a place may come again when a worker was lost."""
    next: int
    """What to give as `after` the next time."""


class JobAnswer(Answer):
    """A job as it is now."""

    id: str
    """Secret: who knows it may see the job."""
    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"]
    name: str
    priority: Literal["interactive", "batch"]
    options: Options
    created: datetime
    started: datetime | None
    """The latest attempt's start."""
    finished: datetime | None
    attempts: int
    cancel_requested: bool
    progress: float
    """0 to 1."""
    done_tiles: int
    total_tiles: int
    """0 until it is known; of clips, frames are counted, not tiles."""
    frames_per_s: float | None
    """Of a clip that is being worked on."""
    preview: int
    """Grows with what `preview` has to show of a running job; 0: nothing (yet)."""
    position: int
    """1: next; 0: it does not wait, or waits for a running job with the same result."""
    eta_s: float | None
    """Seconds until it will be done, by the speed of jobs before; null: unknown, or it has
    ended."""
    choice: Choice | None
    """Null before the end, and where nothing was to choose."""
    ran: Ran | None
    """Null before the end, and for results of an older upres."""
    from_cache: bool
    """The result was there already, or came with another job: this one took no work."""
    result: Result | None
    error: Failure | None
    links: Links

    @classmethod
    def of(
        cls,
        job: Job,
        *,
        position: int = 0,
        eta_s: float | None = None,
        now: datetime | None = None,
        preview: int = 0,
        error: Failure | None = None,
    ) -> Self:
        """Return what is told of a job."""
        address = f"{PREFIX}/jobs/{job.id}"
        return cls(
            id=job.id,
            state=job.state.value,
            name=job.source_name,
            priority=job.priority.value,
            options=Options.of(job.options),
            created=job.created,
            started=job.started,
            finished=job.finished,
            attempts=job.attempts,
            cancel_requested=job.cancel_requested,
            progress=_progress(job),
            done_tiles=job.done_tiles,
            total_tiles=job.total_tiles,
            preview=preview,
            position=position,
            frames_per_s=_frames_per_s(job, now),
            eta_s=None if eta_s is None else round(eta_s, 1),
            choice=None if job.choice is None else Choice.model_validate_json(job.choice),
            ran=None if job.ran is None else Ran.model_validate_json(job.ran),
            from_cache=job.from_cache,
            result=_result(job),
            error=error,
            links=Links(
                job=address,
                events=f"{address}/events",
                result=f"{address}/result",
                reduced=f"{address}/reduced",
                source=f"{address}/source",
                preview=f"{address}/preview",
            ),
        )


def _frames_per_s(job: Job, now: datetime | None) -> float | None:
    running = job.options.is_clip and job.state is State.RUNNING
    if not running or now is None or job.started is None or not job.done_tiles:
        return None
    seconds = (now - job.started).total_seconds()
    return round(job.done_tiles / seconds, 2) if seconds > 0 else None


def _progress(job: Job) -> float:
    if job.state is State.DONE:
        return 1.0
    if job.state not in UNFINISHED or not job.total_tiles:
        return 0.0
    return round(min(1.0, job.done_tiles / job.total_tiles), 4)


def _result(job: Job) -> Result | None:
    if job.state is not State.DONE or job.result is None or job.result_format is None:
        return None
    return Result(
        format=job.result_format,
        width=job.width or 0,
        height=job.height or 0,
        bytes=job.result.bytes,
        sha256=job.result.key,
        reduced=job.reduced_key is not None,
    )


class BatchItem(Answer):
    """What became of one picture of a batch: a job, or the reason why there is none."""

    name: str
    job: JobAnswer | None
    error: Refusal | None


class BatchAnswer(Answer):
    """What became of every picture of a batch, in their order."""

    pictures: list[BatchItem]


class EncodedResult(Answer):
    """A finished picture inside JSON."""

    format: str
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    """The file in base64."""
