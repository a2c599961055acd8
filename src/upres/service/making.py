"""Makes a claimed job's result: decoded in the sandbox, enlarged here, written into a new blob."""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from upres.condition.choice import choose
from upres.condition.tables import HEAD_BYTES
from upres.enlargement import Delivery, Enlargement, condition_of
from upres.errors import DiskFull, EncodingFailed, OutputNotWritable
from upres.image.encode import encode
from upres.image.reduce import Reduction
from upres.jobs.job import CLIP, Ran
from upres.sandbox.decoder import opened
from upres.service.content import content_key
from upres.service.log import logger
from upres.service.preview import TileWriter
from upres.upscale.flat import Tally
from upres.upscale.upscaler import Network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.condition.choice import Choice
    from upres.image.picture import Format
    from upres.jobs.job import Claim, Job, JobOptions, ResultFormat
    from upres.sandbox.decoder import RemoteDecoder
    from upres.service.parts import Service
    from upres.service.pulse import Pulse
    from upres.storage.blobs import Blob
    from upres.upscale.upscaler import Interpolation


LARGE_PX = 40_000_000
"""Results with more pixels have a smaller one beside them, to look at."""
REDUCED_PX = 4_000_000
"""Of the smaller one: more than most windows show."""
REDUCED_QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class Made:
    """A result that is written and not yet published."""

    result: Blob
    reduced: Blob | None
    """A smaller one to look at, of large results."""
    format: ResultFormat
    width: int
    """In pixels, as the height."""
    height: int
    content_key: str
    """Of what was computed here, which may have changed since the job came."""
    choice: Choice | None
    ran: Ran


def make(service: Service, claim: Claim, pulse: Pulse) -> Made:
    """Compute a job's result; nothing is held whole.

    Raises the errors of sandbox and limits about the picture, what opening models and storing blobs
    may raise, EngineFailed, and Cancelled when `pulse` says so.
    """
    began = time.monotonic()
    job = claim.job
    choice = _choice(service, claim)
    clean = job.options.clean if choice is None else choice.clean
    with _decoded(service, job) as decoder:
        enlargement = Enlargement(
            decoder, name=job.source_name, size=job.options.size, limits=service.limits
        )
        delivery = _delivery(job.options)
        enlargement.check_format(delivery.format)
        method = _method(service, job.options, factor=enlargement.factor, clean=clean)
        tally = Tally()
        icc = decoder.metadata.icc
        smaller = _smaller(enlargement)
        with (
            closing(_tiles(service, job.id, enlargement, icc=icc)) as tiles,
            service.blobs.writer(name=job.source_name) as target,
        ):
            enlargement.write(
                target,
                method,
                delivery=delivery,
                options=job.options.options,
                progress=pulse.progress,
                cancel=pulse.stopped,
                tally=tally,
                tile_seen=tiles.tile,
                rows_seen=None if smaller is None else smaller.add,
            )
    return Made(
        result=target.blob,
        reduced=None if smaller is None else _stored(service, smaller, icc=icc),
        format=delivery.format,
        width=enlargement.width,
        height=enlargement.height,
        content_key=_key(service, claim, factor=enlargement.factor),
        choice=choice,
        ran=_ran(job.options, method, clean, tally, seconds=time.monotonic() - began),
    )


@contextmanager
def _decoded(service: Service, job: Job) -> Iterator[RemoteDecoder]:
    """Decode a job's picture in a sandbox."""
    with (
        service.blobs.open(job.source_key) as source,
        opened(
            source.fileno(),
            name=job.source_name,
            limits=service.sandbox,
            picture_limits=service.limits,
            fields=job.options.keep_metadata,
        ) as decoder,
    ):
        yield decoder


def _method(
    service: Service, options: JobOptions, *, factor: float, clean: float | None
) -> Network | Interpolation:
    runtime = replace(service.runtime, exact=options.exact)
    return service.workbench.method(options.model, factor=factor, clean=clean, runtime=runtime)


def _tiles(
    service: Service, job_id: str, enlargement: Enlargement, *, icc: bytes | None
) -> TileWriter:
    previews = service.previews
    return TileWriter(
        previews.of(job_id), enlargement.header.layout, icc=icc, room=previews.has_room
    )


def _smaller(enlargement: Enlargement) -> Reduction | None:
    width, height = enlargement.width, enlargement.height
    if width * height <= LARGE_PX:
        return None
    return Reduction(
        enlargement.header.layout.sized(width=width, height=height), most_px=REDUCED_PX
    )


def _stored(service: Service, smaller: Reduction, *, icc: bytes | None) -> Blob | None:
    """Store the smaller result; a disk that has no room for it may have had it for the result."""
    picture = smaller.picture(icc=icc)
    format_: Format = "jpeg" if picture.alpha is None else "webp"
    try:
        with service.blobs.writer() as target:
            encode(picture, target, format=format_, quality=REDUCED_QUALITY)
    except (DiskFull, OutputNotWritable, EncodingFailed) as error:
        logger("worker").warning("no_smaller_result", code=error.code)
        return None
    return target.blob


def _choice(service: Service, claim: Claim) -> Choice | None:
    """Measure the picture where `auto` has to choose; it is decoded in a sandbox of its own."""
    job = claim.job
    if not service.workbench.measures(job.options.model, job.options.clean):
        return None
    with service.blobs.open(job.source_key) as source:
        head = os.pread(source.fileno(), HEAD_BYTES, 0)
        with opened(
            source.fileno(),
            name=job.source_name,
            limits=service.sandbox,
            picture_limits=service.limits,
            fields=False,
        ) as decoder:
            return choose(condition_of(decoder, head))


def _delivery(options: JobOptions) -> Delivery:
    format_ = options.format
    if format_ is None or format_ == CLIP:
        raise ValueError("a picture's job that was accepted says its format")
    return Delivery(
        format=format_,
        quality=options.quality,
        strip_metadata=not options.keep_metadata,
        strip_location=True,
    )


def _key(service: Service, claim: Claim, *, factor: float) -> str:
    job = claim.job
    spec = service.workbench.spec(job.options.model, factor=factor, clean=job.options.clean)
    return content_key(service, job.source_key, job.options, spec)


def _ran(
    options: JobOptions,
    method: Network | Interpolation,
    clean: float | None,
    tally: Tally,
    *,
    seconds: float,
) -> Ran:
    network = method if isinstance(method, Network) else None
    return Ran(
        model=options.model if network is None else network.spec.name,
        scale=None if network is None else network.spec.scale,
        engine=None if network is None else network.engine,
        precision=None if network is None else network.precision,
        clean=clean,
        interpolated=round(tally.share, 3),
        seconds=round(seconds, 3),
    )
