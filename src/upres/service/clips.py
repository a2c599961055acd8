"""Clips as jobs: what is checked before one is accepted, and how a worker makes it.

A worker writes finished segments into a folder of the job and of its claim. Whoever claims the job
after it links them into a folder of its own and goes on behind them, so no two workers ever write
into the same one. Strangers' clips are decoded in confined children (`upres.video.sandboxed`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from upres.errors import DiskFull, InvalidOption, PictureTooLarge, UnsupportedVideo
from upres.image.limits import Limits
from upres.jobs.job import CLIP, NewJob, Ran
from upres.models.catalogue import AUTO
from upres.sandbox.limits import SandboxLimits
from upres.service.clip_files import forget_folder
from upres.service.content import content_key
from upres.service.making import Made
from upres.upscale.upscaler import Network
from upres.video.enlarging import GEOMETRY
from upres.video.running import network_reach_px, network_use
from upres.video.sandboxed import SandboxedSource
from upres.video.transcode import Transcode, VideoOptions

if TYPE_CHECKING:
    from pathlib import Path

    from upres.jobs.job import Claim, Job, JobOptions
    from upres.models.spec import ModelSpec
    from upres.service.asked import Request
    from upres.service.parts import Service
    from upres.service.pulse import Pulse
    from upres.storage.blobs import Blob
    from upres.upscale.upscaler import Interpolation
    from upres.video.making import Progress

USUAL_MODEL = "fast"
"""What `auto` means for a clip."""
_NAME = f"clip.{CLIP}"
_BEST_CRF, _CRF_PER_QUALITY, _BEST_QUALITY = 18, 0.4, 95
_LONGER = 1.02
"""A clip may have a little more frames than it says."""
_PRIVATE_FOLDER = 0o700
_CHUNK_BYTES = 2**20


def checked(
    service: Service,
    source: Blob,
    request: Request,
    *,
    installed: Callable[[JobOptions, float], ModelSpec | None],
) -> NewJob:
    """Look at a stored clip in a child, and return the job of it, which keeps to every limit.

    `installed` gives the network, or says that it is missing. Raises UnreadableVideo,
    UnsupportedVideo, PictureTooLarge, InvalidOption.
    """
    options = _options(service, request.options)
    if service.settings.clip_output_pixels == 0:
        raise UnsupportedVideo(request.name, "this server takes no clips")
    with _opened(service, source.key, source.bytes, name=request.name) as clip:
        transcode = _transcode(service, clip, options, folder=_folder(service, "none", 0))
    pixels = _pixels(service, transcode, name=request.name)
    spec = installed(options, transcode.factor)
    return NewJob(
        source_key=source.key,
        source_name=request.name,
        options=options,
        content_key=_key(service, source.key, options, spec),
        cost_px=pixels,
        owner=request.owner,
        priority=request.priority,
        idempotency_key=request.idempotency_key,
        request_id=request.request_id,
        expires_after_s=service.settings.result_retention_s,
    )


def make_clip(service: Service, claim: Claim, pulse: Pulse) -> Made:
    """Make a clip's result, behind the segments of workers that had the job before.

    Raises what `upres.video.transcode` raises, and Cancelled when `pulse` says so.
    """
    began = time.monotonic()
    job, options = claim.job, claim.job.options
    folder = _folder(service, job.id, claim.token)
    size_bytes = service.blobs.size(job.source_key) or 0
    with _opened(service, job.source_key, size_bytes, name=job.source_name, job=job) as clip:
        transcode = _transcode(service, clip, options, folder=folder)
        _pixels(service, transcode, name=job.source_name)
        _take_over(folder)
        _check_room(service, transcode)
        method = _method(service, options, factor=transcode.factor)
        runtime = replace(service.runtime, exact=True)
        transcode.run(
            method,
            network=network_use(service.workbench, method, runtime=runtime),
            reach_px=network_reach_px(service.workbench, method, runtime=runtime),
            resume=True,
            progress=_reporter(pulse),
            cancel=pulse.stopped,
        )
    with service.blobs.writer(name=job.source_name) as target, transcode.output.open("rb") as made:
        shutil.copyfileobj(made, target, _CHUNK_BYTES)
    forget_folder(folder.parent)
    spec = method.spec if isinstance(method, Network) else None
    return Made(
        result=target.blob,
        reduced=None,
        format=CLIP,
        width=transcode.look.width,
        height=transcode.look.height,
        content_key=_key(service, job.source_key, options, spec),
        choice=None,
        ran=_ran(options, method, seconds=time.monotonic() - began),
    )


def _options(service: Service, asked: JobOptions) -> JobOptions:
    """Return options with everything said; raises InvalidOption for those of pictures alone."""
    if asked.format not in (None, CLIP):
        raise InvalidOption("format", asked.format, f"{CLIP} for a clip")
    model = asked.model
    if model == AUTO and asked.clean is None and USUAL_MODEL in service.workbench.catalogue.names:
        model = USUAL_MODEL
    return replace(asked, format=CLIP, model=model, exact=True, keep_metadata=False)


@contextmanager
def _opened(
    service: Service, key: str, size_bytes: int, *, name: str, job: Job | None = None
) -> Iterator[SandboxedSource]:
    """Give a stored clip; of a job's clip no more frames than it was accepted with."""
    limits = SandboxLimits()
    if job is not None:
        longest_s = service.settings.job_timeout_s
        limits = replace(limits, cpu_s=max(1, int(longest_s)), wall_s=longest_s)
    with service.blobs.open(key) as file:
        yield SandboxedSource(
            file.fileno(),
            name=name,
            sha256=key,
            size=size_bytes,
            limits=limits,
            picture_limits=_limits(service),
        )


def _limits(service: Service) -> Limits:
    settings = service.settings
    return Limits(
        input_bytes=settings.upload_bytes,
        input_pixels=min(settings.input_pixels, settings.clip_frame_pixels),
        output_pixels=settings.clip_frame_pixels,
        frames=1,
    )


def _transcode(
    service: Service, clip: SandboxedSource, options: JobOptions, *, folder: Path
) -> Transcode:
    lost = max(0, _BEST_QUALITY - options.quality)
    return Transcode(
        clip,
        folder / _NAME,
        size=options.size,
        options=VideoOptions(
            codec="h264",
            crf=round(_BEST_CRF + lost * _CRF_PER_QUALITY),
            picture=options.options,
        ),
        limits=_limits(service),
    )


def _pixels(service: Service, transcode: Transcode, *, name: str) -> int:
    """Return the result's pixels, all frames together; raises past the limit, or if unknown."""
    frames = transcode.frames
    if frames is None:
        raise UnsupportedVideo(name, "it does not say how long it is")
    pixels = transcode.look.width * transcode.look.height * frames
    limit = service.settings.clip_output_pixels
    if pixels > limit:
        what = "all frames of the result together have"
        raise PictureTooLarge(name, what=what, value=pixels, limit=limit)
    source = transcode.source
    if isinstance(source, SandboxedSource):
        source.most_frames = int(frames * _LONGER) + 1
    return pixels


def _method(service: Service, options: JobOptions, *, factor: float) -> Network | Interpolation:
    return service.workbench.method(
        options.model,
        factor=factor,
        clean=options.clean,
        runtime=replace(service.runtime, exact=True),
    )


def _folder(service: Service, job_id: str, token: int) -> Path:
    return service.clip_folder / job_id / f"{token:09}"


def _take_over(folder: Path) -> None:
    """Make a claim's folder, with links to the finished segments of the claim before it."""
    folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    older = sorted(other for other in folder.parent.iterdir() if other.name < folder.name)
    if older:
        work = f"{_NAME}.upres"
        for path in (older[-1] / work).glob("*"):
            if path.suffix in (".mkv", ".json") and path.stem != "part":
                (folder / work).mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
                with suppress(OSError):
                    os.link(path, folder / work / path.name)
    for other in older:
        forget_folder(other)


def _check_room(service: Service, transcode: Transcode) -> None:
    """Raise DiskFull where the work would take what is to be left free."""
    transcode.check_room()
    free_bytes = shutil.disk_usage(service.clip_folder).free
    if free_bytes - (transcode.room_bytes() or 0) < service.settings.free_floor_bytes:
        raise DiskFull(transcode.output)


def _reporter(pulse: Pulse) -> Callable[[Progress], None]:
    """Return what tells progress where there is some: work that hangs must not look alive."""
    last = -1

    def report(now: Progress) -> None:
        nonlocal last
        if now.frames != last:
            last = now.frames
            pulse.progress(now.frames, max(now.frames, now.total or 0))

    return report


def _key(service: Service, source_key: str, options: JobOptions, spec: ModelSpec | None) -> str:
    text = f"{content_key(service, source_key, options, spec)} {GEOMETRY} av {version('av')}"
    return hashlib.sha256(text.encode()).hexdigest()


def _ran(options: JobOptions, method: Network | Interpolation, *, seconds: float) -> Ran:
    network = method if isinstance(method, Network) else None
    return Ran(
        model=options.model if network is None else network.spec.name,
        scale=None if network is None else network.spec.scale,
        engine=None if network is None else network.engine,
        precision=None if network is None else network.precision,
        clean=options.clean,
        seconds=round(seconds, 3),
    )
