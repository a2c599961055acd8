"""What requests and answers of the HTTP interface hold, as pydantic models."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from upres.image.formats import FORMATS
from upres.image.picture import Format
from upres.jobs.job import UNFINISHED, JobOptions, Priority, State
from upres.upscale.size import MAX_FACTOR

if TYPE_CHECKING:
    from upres.jobs.job import Job
    from upres.models.spec import ModelSpec
    from upres.service.settings import ServiceSettings

PREFIX = "/api/v1"
NAME_CHARACTERS = 255
JOB_ID = r"[A-Za-z0-9_-]{22}"
"""128 bits in the URL's alphabet."""

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_WHOLE = re.compile(r"-?[0-9]{1,15}(\.0{1,15})?")


def _number(value: object) -> object:
    """Take a number from a query or a form as JSON writes it; pydantic alone takes `1_0`, `nan`."""
    if not isinstance(value, str):
        return value
    if not _NUMBER.fullmatch(value):
        raise ValueError("a number")
    return float(value)


def _whole(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _WHOLE.fullmatch(value):
        raise ValueError("a whole number")
    return int(value.partition(".")[0])


def _truth(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in {"true", "false"}:
        raise ValueError("true or false")
    return value == "true"


def _without_default(schema: dict[str, Any]) -> None:
    """Leave out `null`, which stands for `not given` and cannot be written in a query."""
    schema.pop("default", None)


_NOT_GIVEN: Any = Field(default=None, json_schema_extra=_without_default)

Factor = Annotated[float, BeforeValidator(_number), Field(ge=1, le=MAX_FACTOR)]
Side = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=100_000_000)]
Truth = Annotated[bool, BeforeValidator(_truth)]


class PictureOptions(BaseModel):
    """What is to be done with a picture: in the query, or as fields of a form."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    scale: Factor | SkipJsonSchema[None] = _NOT_GIVEN
    """How many times larger each side becomes, any number; 3 where no size is given. At most one
    of `scale`, `width`, `height` and `long_side`."""
    width: Side | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's width in pixels, at least the picture's own."""
    height: Side | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's height in pixels."""
    long_side: Side | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's longer side in pixels."""
    model: Annotated[str, Field(min_length=1, max_length=100)] = "auto"
    """A name of `GET /api/v1/models`."""
    tta: Truth = False
    """Average over eight flips and turns: a little better, about eight times as slow."""
    soften: Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)] = 0.0
    """0 to 1: blend towards a slight blur."""
    format: Format | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's format; by default the picture's own, PNG for BMP."""
    quality: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=100)] = 95
    """Of JPEG, WebP and AVIF."""
    keep_metadata: Truth = False
    """Keep EXIF, XMP and IPTC; GPS positions never stay."""
    priority: Literal["interactive", "batch"] = "interactive"
    """`batch` lets interactive jobs go first, for two minutes."""
    name: Annotated[str, Field(max_length=NAME_CHARACTERS)] | SkipJsonSchema[None] = _NOT_GIVEN
    """The picture's name, for display and downloads; by default the uploaded file's."""

    def job_options(self) -> JobOptions:
        """Return them as the job table takes them. Raises InvalidOption for two sizes."""
        return JobOptions(
            factor=self.scale,
            width=self.width,
            height=self.height,
            long_side=self.long_side,
            model=self.model,
            tta=self.tta,
            soften=self.soften,
            format=self.format,
            quality=self.quality,
            keep_metadata=self.keep_metadata,
        )

    @property
    def urgency(self) -> Priority:
        """The priority, as the job table takes it."""
        return Priority(self.priority)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Options(_Answer):
    """What was asked for."""

    scale: float | None
    width: int | None
    height: int | None
    long_side: int | None
    model: str
    tta: bool
    soften: float
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
            tta=options.tta,
            soften=options.soften,
            format=options.format,
            quality=options.quality,
            keep_metadata=options.keep_metadata,
        )


class Result(_Answer):
    """The finished picture."""

    format: str
    width: int
    height: int
    bytes: int
    sha256: str
    """Of the file; also its ETag."""


class Failure(_Answer):
    """Why a job failed."""

    code: str
    """Stable, as in problem answers."""
    detail: str


class Links(_Answer):
    """Where a job's parts are."""

    job: str
    events: str
    result: str
    source: str


class JobAnswer(_Answer):
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
    """0 until it is known."""
    position: int
    """1: next; 0: it does not wait, or waits for a running job with the same result."""
    eta_s: float | None
    """Seconds until it will be done, by the speed of jobs before; null: unknown, or it has
    ended."""
    result: Result | None
    error: Failure | None
    links: Links

    @classmethod
    def of(cls, job: Job, *, position: int = 0, eta_s: float | None = None) -> Self:
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
            position=position,
            eta_s=None if eta_s is None else round(eta_s, 1),
            result=_result(job),
            error=_failure(job),
            links=Links(
                job=address,
                events=f"{address}/events",
                result=f"{address}/result",
                source=f"{address}/source",
            ),
        )


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
    )


def _failure(job: Job) -> Failure | None:
    if job.error_code is None:
        return None
    return Failure(code=job.error_code, detail=job.error_text or "")


class BatchItem(_Answer):
    """What became of one picture of a batch: a job, or the reason why there is none."""

    name: str
    job: JobAnswer | None
    error: Failure | None


class BatchAnswer(_Answer):
    """What became of every picture of a batch, in their order."""

    pictures: list[BatchItem]


class EncodedResult(_Answer):
    """A finished picture inside JSON."""

    format: str
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    """The file in base64."""


class Pull(_Answer):
    """A download of a model that runs, or how the last one ended."""

    state: Literal["running", "done", "failed"]
    done_bytes: int
    total_bytes: int
    error: Failure | None


class NetworkAnswer(_Answer):
    """A model at one scale."""

    scale: int
    bytes: int
    """Of its file."""
    installed: bool


class ModelAnswer(_Answer):
    """A model, for the option `model`."""

    name: str
    kind: Literal["auto", "network", "interpolation"]
    description: str
    licence: str | None
    installed: bool
    """At every scale that it has."""
    networks: list[NetworkAnswer]
    """By scale; other factors are made from the nearest. None for `auto` and interpolations."""
    pull: Pull | None
    """null: none since the service was started."""

    @classmethod
    def network(cls, specs: list[tuple[ModelSpec, bool]], *, pull: Pull | None) -> Self:
        """Return a model by its networks, each with whether it is installed."""
        first, _ = specs[0]
        return cls(
            name=first.name,
            kind="network",
            description=first.summary,
            licence=first.licence,
            installed=all(installed for _, installed in specs),
            networks=[
                NetworkAnswer(scale=spec.scale, bytes=spec.file.bytes, installed=installed)
                for spec, installed in specs
            ],
            pull=pull,
        )


class ModelsAnswer(_Answer):
    """Every model."""

    models: list[ModelAnswer]
    upload_model: str
    """What `POST /upload` uses."""


class LimitsAnswer(_Answer):
    """What is refused beyond."""

    upload_bytes: int
    input_pixels: int
    """All frames or pages together."""
    output_pixels: int
    """All frames or pages together."""
    frames: int
    max_scale: int
    requests_per_minute: int
    """Pictures that one client may send."""
    output_megapixels_per_minute: int
    """That one client may ask for."""
    queued_pixels: int
    """Output pixels of all jobs that wait."""
    queued_pixels_per_client: int
    wait_s: int
    """The longest `Prefer: wait`."""
    batch_pictures: int
    archive_jobs: int
    result_retention_s: float
    source_retention_s: float
    output_formats: list[str]

    @classmethod
    def of(
        cls, settings: ServiceSettings, *, wait_s: int, batch_pictures: int, archive_jobs: int
    ) -> Self:
        """Return the limits of a service."""
        return cls(
            upload_bytes=settings.upload_bytes,
            input_pixels=settings.input_pixels,
            output_pixels=settings.output_pixels,
            frames=settings.frames,
            max_scale=MAX_FACTOR,
            requests_per_minute=settings.requests_per_minute,
            output_megapixels_per_minute=settings.output_megapixels_per_minute,
            queued_pixels=settings.queued_pixels,
            queued_pixels_per_client=settings.queued_pixels_per_client,
            wait_s=wait_s,
            batch_pictures=batch_pictures,
            archive_jobs=archive_jobs,
            result_retention_s=settings.result_retention_s,
            source_retention_s=settings.source_retention_s if settings.keep_sources else 0,
            output_formats=list(FORMATS),
        )
