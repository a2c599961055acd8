"""What tests of the service share: small services in a folder, jobs accepted, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upres.config import Settings
from upres.jobs.job import JobOptions
from upres.service.asked import Request
from upres.service.intake import Intake
from upres.service.parts import Service
from upres.service.settings import ServiceSettings

if TYPE_CHECKING:
    from pathlib import Path

    from upres.jobs.job import Claim, Job

MEBI = 2**20


def service_in(folder: Path, **settings: Any) -> Service:
    """Open a service that keeps everything in a folder; any free room on the disk will do."""
    given = {"data_folder": folder, "free_floor_bytes": 0}
    core = Settings.from_environment({"UPRES_MODEL_DIR": str(folder / "models")})
    return Service.open(ServiceSettings.model_validate(given | settings), core)


def accepted(
    service: Service,
    picture: bytes,
    options: JobOptions | None = None,
    *,
    intake: Intake | None = None,
    owner: str = "somebody",
    **fields: Any,
) -> Job:
    """Upload a picture and return its job."""
    intake = intake or Intake(service)
    source = intake.store([picture], name="photo.png")
    request = Request(
        name="photo.png", options=options or JobOptions(model="bicubic"), owner=owner, **fields
    )
    job, _ = intake.accept(source, request)
    return job


def claimed(service: Service, worker: str = "worker") -> Claim:
    """Claim a job that is known to be there."""
    claim = service.table.claim(worker, lease_s=service.settings.lease_s)
    assert claim is not None
    return claim


def result_of(service: Service, job_id: str) -> bytes:
    """Return a finished job's result."""
    result = service.table.get(job_id).result
    assert result is not None
    with service.blobs.open(result.key) as file:
        return file.read()
