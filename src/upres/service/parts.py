"""What one process of the service shares: settings, job table, blobs, models, limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from upres.config import Settings
from upres.engines.threads import usable_cpus
from upres.errors import OutputNotWritable
from upres.image.limits import Limits
from upres.jobs.table import JobTable
from upres.sandbox.limits import SandboxLimits
from upres.service.preview import Previews
from upres.storage.disk import DiskBlobs
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from upres.service.settings import ServiceSettings
    from upres.storage.blobs import Blobs

_PRIVATE_FOLDER = 0o700


@dataclass(frozen=True, kw_only=True)
class Service:
    """The parts that work together; safe to share between threads."""

    settings: ServiceSettings
    table: JobTable
    blobs: Blobs
    workbench: Workbench

    @classmethod
    def open(cls, settings: ServiceSettings, core: Settings | None = None) -> Self:
        """Make the parts, with folders and tables where there are none.

        `core` is by default read from the environment. Raises OutputNotWritable, DatabaseUnusable,
        DatabaseTooNew, DatabaseBusy, DiskFull.
        """
        try:
            settings.data_folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputNotWritable(settings.data_folder, reason) from error
        table = JobTable(settings.database_url.get_secret_value())
        table.create()
        return cls(
            settings=settings,
            table=table,
            blobs=DiskBlobs(settings.blob_folder, free_floor_bytes=settings.free_floor_bytes),
            workbench=Workbench(core or Settings.from_environment()),
        )

    @property
    def limits(self) -> Limits:
        """What a picture may cost."""
        return Limits(
            input_bytes=self.settings.upload_bytes,
            input_pixels=self.settings.input_pixels,
            output_pixels=self.settings.output_pixels,
            frames=self.settings.frames,
        )

    @property
    def sandbox(self) -> SandboxLimits:
        """What decoding a picture may cost."""
        return SandboxLimits()

    @cached_property
    def runtime(self) -> Runtime:
        """How a worker runs networks; the CPUs are counted once, not for every picture."""
        return Runtime(threads=self.settings.threads_of_worker(usable_cpus()))

    @property
    def clip_folder(self) -> Path:
        """Where workers keep finished segments of clips, a folder for each job."""
        return self.settings.data_folder / "clips"

    @cached_property
    def previews(self) -> Previews:
        """What is finished of pictures that are being worked on."""
        settings = self.settings
        return Previews(
            settings.data_folder / "previews", free_floor_bytes=settings.free_floor_bytes
        )

    def close(self) -> None:
        """Let go of the database."""
        self.table.close()
