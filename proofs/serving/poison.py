"""Jobs that end their workers fail after three tries; a frozen worker publishes nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import text

from proofs.serving.saboteur import HANG_PX, KILL_PX, MEMORY_PX
from upres.config import Settings
from upres.jobs.job import Job, JobOptions, State
from upres.service.asked import Request
from upres.service.intake import Intake
from upres.service.parts import Service
from upres.service.settings import ServiceSettings

_LEASE_S, _HEARTBEAT_S, _STALL_S = 4, 1, 5
_MEMORY_BYTES = 1500 * 2**20
_ATTEMPTS = 3
_RECOVERY_S = 10
_PATIENCE_S = 240.0
_SUPERVISE = """
import sys
from upres.service.supervisor import Supervisor
words = [sys.executable, "-m", "proofs.serving.saboteur"]
sys.exit(Supervisor({"one": words, "two": words}, drain_s=1, grace_s=1).run())
"""


def _picture(width: int, number: int) -> bytes:
    samples = np.full((24, width, 3), number, np.uint8)
    samples[::2] = 255 - number
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "png")
    return buffer.getvalue()


def _accepted(intake: Intake, width: int, number: int) -> Job:
    source = intake.store([_picture(width, number)], name=f"{width}.png")
    request = Request(name=f"{width}.png", options=JobOptions(model="lite"), owner="proof")
    return intake.accept(source, request)[0]


def _service(folder: Path, **settings: Any) -> tuple[Service, dict[str, str]]:
    given = {"data_folder": folder, "free_floor_bytes": 0, "lease_s": _LEASE_S}
    given |= {"heartbeat_s": _HEARTBEAT_S, "stall_s": _STALL_S} | settings
    names = {f"UPRES_SERVICE_{name.upper()}": str(value) for name, value in given.items()}
    settings_ = ServiceSettings.from_environment(names)
    return Service.open(settings_, Settings.from_environment()), dict(os.environ) | names


def measure_poison(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Mix poisonous jobs into good ones and wait until all have ended."""
    with tempfile.TemporaryDirectory() as name:
        service, environment = _service(Path(name), worker_memory_bytes=_MEMORY_BYTES)
        intake = Intake(service)
        poison = {
            kind: _accepted(intake, width, 7)
            for kind, width in (
                ("kills itself", KILL_PX),
                ("hangs", HANG_PX),
                ("takes all memory", MEMORY_PX),
            )
        }
        good = [_accepted(intake, 40, number) for number in range(20)]
        process = subprocess.Popen([sys.executable, "-c", _SUPERVISE], env=environment)
        started = time.monotonic()
        good_after_s = _wait(service, good)
        poison_after_s = _wait(service, [*poison.values()])
        later = _accepted(intake, 41, 1)
        _wait(service, [later])
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        ended = {kind: _told(service.table.get(job.id)) for kind, job in poison.items()}
        done = [service.table.get(job.id).state is State.DONE for job in (*good, later)]
        service.close()
    return {
        "lease_s": _LEASE_S,
        "stall_s": _STALL_S,
        "worker_memory_bytes": _MEMORY_BYTES,
        "poison": ended,
        "good_jobs": len(done),
        "good_jobs_done": sum(done),
        "good_jobs_done_after_s": good_after_s,
        "poison_ended_after_s": poison_after_s,
        "seconds": round(time.monotonic() - started, 1),
        "passed": all(done)
        and all(
            one["state"] == "failed" and one["attempts"] == _ATTEMPTS and one["code"]
            for one in ended.values()
        ),
    }


def measure_frozen(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Stop a worker in the middle of a job until its lease is over, then let it go on."""
    with tempfile.TemporaryDirectory() as name:
        service, environment = _service(Path(name), stall_s=120)
        intake = Intake(service)
        source = _accepted_large(intake)
        words = [sys.executable, "-m", "upres", "worker"]
        frozen = subprocess.Popen(words, env=environment)
        _until(lambda: service.table.get(source.id).done_tiles > 0)
        frozen.send_signal(signal.SIGSTOP)
        time.sleep(_LEASE_S + 1)
        other = subprocess.Popen(words, env=environment)
        _until(lambda: service.table.get(source.id).attempts == 2)  # noqa: PLR2004 - the second
        frozen.send_signal(signal.SIGCONT)
        _wait(service, [source])
        job = service.table.get(source.id)
        # the thawed one has noticed by now, or does while it is told to end
        for process in (frozen, other):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in (frozen, other)]
        after = service.table.get(source.id)
        expiries = service.table.figures().lease_expiries
        service.close()
    return {
        "state": job.state.value,
        "attempts": job.attempts,
        "result": job.result and job.result.key,
        "result_stayed": after.result == job.result,
        "lease_expiries": expiries,
        "exit_codes": codes,
        "passed": job.state is State.DONE
        and job.attempts == 2  # noqa: PLR2004 - the frozen one's and the other's
        and after == job
        and codes == [0, 0]
        and expiries == 1,
    }


def measure_recovery(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Kill the one of two workers that has a job, with the default lease; wait for the other."""
    lease_s = ServiceSettings.model_fields["lease_s"].default
    with tempfile.TemporaryDirectory() as name:
        service, environment = _service(Path(name), lease_s=lease_s, heartbeat_s=5, stall_s=300)
        intake = Intake(service)
        words = [sys.executable, "-m", "upres", "worker"]
        workers = [subprocess.Popen(words, env=environment) for _ in range(2)]
        _until(lambda: service.table.live_workers() == 2)  # noqa: PLR2004 - both
        job = _accepted_large(intake)
        _until(lambda: service.table.get(job.id).done_tiles > 0)
        holder = _worker_of(service, job.id)
        killed_at = time.monotonic()
        os.kill(holder, signal.SIGKILL)
        _until(lambda: service.table.get(job.id).attempts == 2)  # noqa: PLR2004 - the second
        taken_over_s = time.monotonic() - killed_at
        _wait(service, [job])
        done = service.table.get(job.id)
        for process in workers:
            process.send_signal(signal.SIGTERM)
        codes = sorted(process.wait(60) for process in workers)
        service.close()
    return {
        "lease_s": lease_s,
        "taken_over_after_s": round(taken_over_s, 1),
        "limit_s": lease_s + _RECOVERY_S,
        "state": done.state.value,
        "attempts": done.attempts,
        "exit_codes": codes,
        "passed": done.state is State.DONE
        and done.attempts == 2  # noqa: PLR2004
        and taken_over_s <= lease_s + _RECOVERY_S
        and codes == [-signal.SIGKILL, 0],
    }


def _worker_of(service: Service, job_id: str) -> int:
    """Return the process number in the name of the worker that has a job."""
    with service.table.engine.connect() as connection:
        query = text("SELECT worker FROM jobs WHERE id = :id")
        name = connection.execute(query, {"id": job_id}).scalar_one()
    return int(name.split(":")[1])


def _accepted_large(intake: Intake) -> Job:
    buffer = io.BytesIO()
    samples = np.random.default_rng(1).integers(0, 256, (900, 1200, 3), np.uint8)
    Image.fromarray(samples).save(buffer, "png")
    source = intake.store([buffer.getvalue()], name="large.png")
    request = Request(name="large.png", options=JobOptions(model="lite"), owner="proof")
    return intake.accept(source, request)[0]


def _wait(service: Service, jobs: list[Job]) -> float:
    started = time.monotonic()
    unfinished = (State.QUEUED, State.RUNNING)
    _until(lambda: all(service.table.get(job.id).state not in unfinished for job in jobs))
    return round(time.monotonic() - started, 1)


def _until(condition: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.05)


def _told(job: Job) -> dict[str, Any]:
    return {
        "state": job.state.value,
        "attempts": job.attempts,
        "code": job.error_code,
        "text": job.error_text,
    }
