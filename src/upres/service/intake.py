"""The way in: an uploaded file is stored, looked at, checked, and becomes a job.

Everything that can be refused is refused here, before a worker sees it: bytes, format, pixels of
source and result, sides of the format, model, room in the queue.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from upres.enlargement import Undertaking
from upres.errors import (
    BlobMissing,
    InvalidOption,
    PictureTooLarge,
    UnsupportedVideo,
    UpresError,
)
from upres.image.formats import FORMATS, TRAITS, written_as
from upres.jobs.job import CLIP, NewJob
from upres.sandbox.decoder import inspect
from upres.service.asked import Request
from upres.service.clip_files import HEAD_BYTES, clip_type
from upres.service.content import content_key
from upres.service.room import FolderRoom

if TYPE_CHECKING:
    from upres.image.picture import Format, Header
    from upres.jobs.job import Job, JobOptions
    from upres.models.spec import ModelSpec
    from upres.service.parts import Service
    from upres.storage.blobs import Blob

Charge = Callable[[int], None]
"""Told the output pixels of work that is to be done; raises to refuse it."""
_HEADERS_KEPT = 4096
_REFUSED_S = 60.0
"""A refused picture is kept so long: somebody else may just be sending the same one."""


class Intake:
    """Accepts pictures for a service; safe to share between threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._headers: OrderedDict[str, Header] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()
        """When sources were refused that nobody has sent since."""
        self._lock = threading.Lock()
        self._room = FolderRoom(service.blobs, limit_bytes=service.settings.blob_folder_bytes)

    def store(self, chunks: Iterable[bytes], *, name: str) -> Blob:
        """Keep an uploaded file that comes in chunks.

        Raises PictureTooLarge past the limit of an upload, DiskFull, OutputNotWritable.
        """
        self._clear_away()
        self._room.check()
        limit_bytes = self._service.settings.upload_bytes
        blob = self._service.blobs.put(chunks, limit_bytes=limit_bytes, name=name)
        with self._lock:
            self._refused.pop(blob.key, None)
        return blob

    def accept(
        self, source: Blob, request: Request, *, charge: Charge | None = None
    ) -> tuple[Job, bool]:
        """Make a job of a stored picture, and tell whether it is a new one.

        It is not where the owner's idempotency key came before with the same request. A new job is
        done at once where the result is there already; only other work is charged. Raises the
        errors of sandbox and limits about the picture, InvalidOption, UnknownModel, ModelMissing,
        QueueFull, ClientQueueFull, IdempotencyConflict, those of the job table, and what `charge`
        raises.
        """
        try:
            new = self._checked(source, request)
            return self._submitted(new, charge)
        except UpresError:
            self._refuse(source)
            raise

    def _submitted(self, new: NewJob, charge: Charge | None) -> tuple[Job, bool]:
        table, blobs, settings = self._service.table, self._service.blobs, self._service.settings
        limits = {
            "queued_px_limit": settings.queued_pixels,
            "client_px_limit": settings.queued_pixels_per_client,
        }
        if charge is not None and table.is_work(new, **limits):
            # a clip that is more than a minute's worth takes all of one minute's
            most_px = settings.output_megapixels_per_minute * 1_000_000
            charge(min(new.cost_px, most_px) if new.options.is_clip else new.cost_px)
        if not blobs.touch(new.source_key):
            raise BlobMissing(new.source_key)
        while True:
            job, created = table.submit(new, **limits)
            if job.result is None or blobs.touch(job.result.key):
                return job, created
            # evicted, or removed by hand: it has to be computed anew
            table.give_up_result(job.result.key)

    def _refuse(self, source: Blob) -> None:
        with self._lock:
            self._refused[source.key] = time.monotonic()

    def _clear_away(self) -> None:
        """Remove what was refused a while ago and not sent again, unless a job needs it."""
        due = []
        with self._lock:
            before = time.monotonic() - _REFUSED_S
            while self._refused and next(iter(self._refused.values())) < before:
                due.append(self._refused.popitem(last=False)[0])
        for key in due:
            if not self._service.table.source_wanted(key):
                self._service.blobs.delete(key)

    def _checked(self, source: Blob, request: Request) -> NewJob:
        service = self._service
        with service.blobs.open(source.key) as file:
            if clip_type(file.read(HEAD_BYTES)) is not None:
                return self._checked_clip(source, request)
        if request.options.is_clip:
            raise InvalidOption("format", CLIP, f"one of {', '.join(FORMATS)} for a picture")
        header = self._header(source, name=request.name)
        work = Undertaking(
            header, name=request.name, size=request.options.size, limits=service.limits
        )
        format_ = cast("Format", request.options.format or written_as(header.format))
        work.check_format(format_)
        self._check_held(format_, work)
        # said aloud, so that asking for it and leaving it out is the same request
        options = replace(request.options, format=format_)
        spec = self._installed(options, factor=work.factor)
        return NewJob(
            source_key=source.key,
            source_name=request.name,
            options=options,
            content_key=content_key(service, source.key, options, spec),
            cost_px=work.pixels,
            owner=request.owner,
            priority=request.priority,
            idempotency_key=request.idempotency_key,
            request_id=request.request_id,
            expires_after_s=service.settings.result_retention_s,
        )

    def _checked_clip(self, source: Blob, request: Request) -> NewJob:
        try:
            from upres.service.clips import checked
        except ImportError as error:
            reason = "this server takes no clips: its video part is not installed"
            raise UnsupportedVideo(request.name, reason) from error
        return checked(
            self._service,
            source,
            request,
            installed=lambda options, factor: self._installed(options, factor=factor),
        )

    def _check_held(self, format: Format, work: Undertaking) -> None:  # noqa: A002
        limit = self._service.settings.held_pixels
        if not TRAITS[format].streamed and work.pixels > limit:
            what = f"the result in {format.upper()} would have"
            raise PictureTooLarge(work.name, what=what, value=work.pixels, limit=limit)

    def _header(self, source: Blob, *, name: str) -> Header:
        """Return a picture's header, from memory where the same bytes were seen before."""
        with self._lock:
            if source.key in self._headers:
                self._headers.move_to_end(source.key)
                return self._headers[source.key]
        service = self._service
        with service.blobs.open(source.key) as file:
            header = inspect(
                file.fileno(), name=name, limits=service.sandbox, picture_limits=service.limits
            )
        with self._lock:
            self._headers[source.key] = header
            while len(self._headers) > _HEADERS_KEPT:
                self._headers.popitem(last=False)
        return header

    def _installed(self, options: JobOptions, *, factor: float) -> ModelSpec | None:
        """Return the network meant, which is on this machine; None for an interpolation."""
        workbench = self._service.workbench
        spec = workbench.spec(options.model, factor=factor, clean=options.clean)
        for part in spec.parts if spec else ():
            if not workbench.store.installed(part):
                workbench.store.find(part)  # which says what is missing, and how to get it
        return spec
