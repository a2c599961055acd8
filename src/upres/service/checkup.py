"""What `upres doctor` says of the service: settings, folder, database, sandbox, workers."""

from __future__ import annotations

from collections.abc import Iterator

from upres.config import Settings
from upres.errors import UpresError
from upres.sandbox.decoder import posture
from upres.service.finding import Finding
from upres.service.parts import Service
from upres.service.settings import ServiceSettings


def checkup(core: Settings) -> Iterator[Finding]:
    """Look at everything that the service needs, without starting it; no folder is made."""
    try:
        settings = ServiceSettings.from_environment()
    except UpresError as error:
        yield Finding(good=False, text=f"service settings: {error}")
        return
    yield _sandbox()
    folder = settings.data_folder
    try:
        there = folder.is_dir()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield Finding(good=False, text=f"service folder {folder}: cannot be looked at ({reason})")
        return
    if not there:
        yield Finding(good=True, text=f"service folder {folder}: made when the service starts")
        return
    try:
        service = Service.open(settings, core)
    except UpresError as error:
        yield Finding(good=False, text=f"service: {error}")
        return
    yield from _parts(service)
    service.close()


def _sandbox() -> Finding:
    holds = posture()
    missing = [name.replace("_", " ") for name, there in holds.items() if not there]
    if not any(holds.values()):
        return Finding(good=False, text="sandbox for uploads: it does not work here; needs Linux")
    without = f" without {', '.join(missing)}" if missing else ""
    return Finding(good=True, text=f"sandbox for uploads: works{without}")


def _parts(service: Service) -> Iterator[Finding]:
    checks = {
        f"service database {service.table.database.name}": service.table.check,
        f"service folder {service.settings.data_folder}": service.blobs.check,
    }
    for what, check in checks.items():
        try:
            check()
        except UpresError as error:
            yield Finding(good=False, text=f"{what}: {error}")
        else:
            yield Finding(good=True, text=f"{what}: can be written")
    workers = service.table.live_workers()
    yield Finding(good=True, text=f"service workers now: {workers}")
