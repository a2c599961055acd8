"""Working on one job: the result is what the command writes; every end is told in the job."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from picture_files import noise, opened, saved, scene
from PIL import Image
from service_cases import accepted, claimed, result_of, service_in

from upres.cli import upres
from upres.errors import DatabaseBusy, DiskFull, EngineFailed, SandboxUnavailable
from upres.jobs.job import POISON, JobOptions, State
from upres.service.pulse import EXIT_STALLED
from upres.service.run import Ending, run_job
from upres.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable

    from upres.service.parts import Service

PICTURE = saved(scene(30, 40), "png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (JobOptions(model="lite"), ["--model", "lite"]),
        (JobOptions(factor=2.5, soften=0.3), ["--scale", "2.5", "--soften", "0.3"]),
        (JobOptions(model="bicubic", long_side=99), ["--model", "bicubic", "--long-side", "99"]),
        (
            JobOptions(model="lanczos", format="jpeg", quality=80),
            ["--model", "lanczos", "--format", "jpeg", "--quality", "80"],
        ),
    ],
)
def test_the_result_is_the_commands(
    service: Service, tmp_path: Path, options: JobOptions, words: list[str]
) -> None:
    """Byte for byte."""
    job = accepted(service, PICTURE, options)
    assert run_job(service, claimed(service)) is Ending.DONE
    source, target = tmp_path / "photo.png", tmp_path / "out"
    source.write_bytes(PICTURE)
    command = ["enlarge", str(source), "-o", str(target), "--strip-metadata", *words]
    if "--format" not in words:
        command += ["--format", "png"]
    assert CliRunner().invoke(upres, command, standalone_mode=False).exception is None
    assert result_of(service, job.id) == target.read_bytes()
    done = service.table.get(job.id)
    assert done.state is State.DONE
    assert (done.width, done.height) == opened(target.read_bytes()).size
    assert done.done_tiles == done.total_tiles


def test_what_ran_is_told(service: Service) -> None:
    """Of the network and what runs it; a result that was there tells the same, without work."""
    options = JobOptions(model="lite", factor=2.5)
    first = accepted(service, PICTURE, options)
    waiting = accepted(service, PICTURE, options, owner="other")
    assert first.ran is None
    claim = claimed(service)
    run_job(service, claim)
    spec = service.workbench.spec("lite", factor=2.5)
    assert spec is not None
    engine, precision, _ = service.workbench.choice(spec, runtime=service.runtime)
    later = accepted(service, PICTURE, options)
    told = [service.table.get(job.id) for job in (first, waiting, later)]
    assert [job.from_cache for job in told] == [False, True, True]
    assert len({job.ran for job in told}) == 1
    ran = json.loads(told[0].ran or "null")
    assert 0 < ran.pop("seconds") < 60
    assert 0 <= ran.pop("interpolated") <= 1
    assert ran == {
        "model": spec.name,
        "scale": spec.scale,
        "engine": engine,
        "precision": precision,
        "clean": None,
    }


def test_of_an_interpolation_there_is_no_engine(service: Service) -> None:
    """Its name is what ran."""
    job = accepted(service, PICTURE, JobOptions(model="lanczos"))
    run_job(service, claimed(service))
    ran = json.loads(service.table.get(job.id).ran or "null")
    assert (ran["model"], ran["engine"], ran["precision"]) == ("lanczos", None, None)


@pytest.mark.parametrize("keep", [False, True])
def test_metadata_stays_behind_unless_asked_for(service: Service, *, keep: bool) -> None:
    """And where a picture was taken always does."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    picture = saved(scene(10, 10), "jpeg", exif=exif)
    job = accepted(service, picture, JobOptions(model="bicubic", keep_metadata=keep))
    run_job(service, claimed(service))
    found = opened(result_of(service, job.id)).getexif()
    assert (found.get(0x010F) == "Maker") is keep
    assert not found.get_ifd(0x8825)


def test_a_damaged_picture_fails_with_its_error(service: Service) -> None:
    """Its header was good, its pixels are not."""
    damaged = bytearray(saved(noise(64, 64, 3), "png"))
    damaged[len(damaged) // 2] ^= 1
    job = accepted(service, bytes(damaged))
    assert run_job(service, claimed(service)) is Ending.FAILED
    failed = service.table.get(job.id)
    assert failed.state is State.FAILED
    assert failed.error_code == "bad-picture"
    assert failed.attempts == 1
    assert "photo.png" in str(failed.error_text)


def test_a_source_that_is_gone(service: Service) -> None:
    """Is an error of the job, too."""
    job = accepted(service, PICTURE)
    service.blobs.delete(job.source_key)
    assert run_job(service, claimed(service)) is Ending.FAILED
    assert service.table.get(job.id).error_code == "blob-missing"


class Slow:
    """An interpolation before which something happens, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
        real = Workbench.method

        def method(self: Workbench, *words: Any, **options: Any) -> Any:
            then()
            return real(self, *words, **options)

        monkeypatch.setattr(Workbench, "method", method)


def test_cancelled_between_tiles(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner's wish reaches the worker by its heartbeats."""
    tall = saved(noise(900, 30, 3), "png")
    job = accepted(service, tall, JobOptions(model="bicubic"))
    claim = claimed(service)

    def cancel() -> None:
        service.table.request_cancel(job.id)
        service.table.heartbeat(claim, done_tiles=0, total_tiles=1, lease_s=30)

    Slow(monkeypatch, cancel)
    assert run_job(service, claim) is Ending.CANCELLED
    assert service.table.get(job.id).state is State.CANCELLED


def test_a_lost_claim_publishes_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker took the job while this one was frozen; it comes to its end, in vain."""
    job = accepted(service, PICTURE)
    frozen = service.table.claim("frozen", lease_s=0.001)
    assert frozen is not None
    second: list[Any] = []

    def overtake() -> None:
        if not second:
            time.sleep(0.01)
            second.append(claimed(service, "other"))

    Slow(monkeypatch, overtake)
    assert run_job(service, frozen) is Ending.LOST
    assert service.table.get(job.id).state is State.RUNNING
    assert run_job(service, second[0]) is Ending.DONE
    assert service.table.get(job.id).attempts == 2


def test_no_time_left_gives_the_job_back(service: Service) -> None:
    """As if it had not been begun."""
    job = accepted(service, PICTURE)
    assert run_job(service, claimed(service), drained=lambda: True) is Ending.RELEASED
    back = service.table.get(job.id)
    assert back.state is State.QUEUED
    assert back.attempts == 0


def test_a_tile_that_outlasts_the_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is given back without it, and the process ends well."""
    monkeypatch.setattr("upres.service.pulse.REACT_S", 0.05)
    monkeypatch.setattr("upres.service.pulse.PROGRESS_S", 0.02)
    job = accepted(service, PICTURE)
    codes: list[int] = []
    gone = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        gone.set()

    draining = threading.Event()

    def long_tile() -> None:
        draining.set()
        assert gone.wait(10)

    Slow(monkeypatch, long_tile)
    claim = claimed(service)
    assert run_job(service, claim, drained=draining.is_set, end=end) is Ending.LOST
    assert codes == [0]
    back = service.table.get(job.id)
    assert (back.state, back.attempts) == (State.QUEUED, 0)


@pytest.mark.parametrize(
    "error", [DiskFull("blobs"), SandboxUnavailable("its process is gone"), DatabaseBusy("jobs")]
)
def test_what_the_machine_lacks_puts_the_job_back(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It is no fault of the picture, and comes again: nothing accepted is lost."""
    job = accepted(service, PICTURE)

    def fail() -> None:
        raise error

    with monkeypatch.context() as patched:
        Slow(patched, fail)
        assert run_job(service, claimed(service)) is Ending.PUT_BACK
    back = service.table.get(job.id)
    assert (back.state, back.attempts) == (State.QUEUED, 0)
    assert run_job(service, claimed(service)) is Ending.DONE


@pytest.mark.parametrize("times", [2, 9])
def test_a_database_that_does_not_take_the_result(
    service: Service, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """It is asked again for a while; then the lease is left to run out."""
    monkeypatch.setattr("upres.service.run._AGAIN_S", (0.01, 0.01, 0.01))
    job = accepted(service, PICTURE)
    real = service.table.finish
    refused: list[int] = []

    def finish(*words: Any, **options: Any) -> bool:
        if len(refused) < times:
            refused.append(1)
            raise DatabaseBusy("jobs")
        return real(*words, **options)

    monkeypatch.setattr(service.table, "finish", finish)
    ending = run_job(service, claimed(service))
    state = service.table.get(job.id).state
    expected = (Ending.DONE, State.DONE) if times < 4 else (Ending.LOST, State.RUNNING)
    assert (ending, state) == expected


def test_another_engine_than_when_the_job_came(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the result is stored under what it is, and others that wait are worked on."""
    options = JobOptions(model="lite")
    first = accepted(service, PICTURE, options, idempotency_key="k")
    second = accepted(service, PICTURE, options, owner="other")
    claim = claimed(service)

    def choice(*_words: Any, **_options: Any) -> Any:
        return "onnxruntime", "fp32", 1

    monkeypatch.setattr(Workbench, "choice", choice)
    assert run_job(service, claim) is Ending.DONE
    assert service.table.get(second.id).state is State.QUEUED
    assert service.table.get(first.id).content_key != second.content_key
    # the same request once more is still the same one
    assert accepted(service, PICTURE, options, idempotency_key="k").id == first.id


def test_a_pulse_survives_what_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat that fails is not the last one."""
    monkeypatch.setattr("upres.service.pulse.PROGRESS_S", 0.01)
    service = service_in(tmp_path, heartbeat_s=0.01)
    accepted(service, PICTURE)
    beats: list[int] = []

    def heartbeat(*_words: Any, **_tiles: Any) -> Any:
        beats.append(1)
        raise MemoryError

    monkeypatch.setattr(service.table, "heartbeat", heartbeat)
    Slow(monkeypatch, lambda: time.sleep(0.2))
    assert run_job(service, claimed(service)) is Ending.DONE
    assert len(beats) > 2
    service.close()


def test_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tiles the time is looked at; trying again would not help."""
    service = service_in(tmp_path, job_timeout_s=0.05)
    job = accepted(service, PICTURE)
    Slow(monkeypatch, lambda: time.sleep(0.1))
    assert run_job(service, claimed(service)) is Ending.FAILED
    assert service.table.get(job.id).error_code == "job-timeout"
    service.close()


def test_work_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease is let go at once, and the process is to end."""
    service = service_in(tmp_path, stall_s=0.2, heartbeat_s=0.05)
    job = accepted(service, PICTURE)
    ended = threading.Event()

    others: list[tuple[str, ...]] = []

    def hang() -> None:
        assert ended.wait(10)
        others.append(service.table.reap(attempts_cap=3).requeued)

    Slow(monkeypatch, hang)
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    assert run_job(service, claimed(service), end=end) is Ending.LOST
    assert others == [(job.id,)]
    assert codes == [EXIT_STALLED]
    service.close()


@pytest.mark.parametrize("error", [MemoryError(), EngineFailed("openvino", "lite-x3", "boom")])
def test_what_breaks_the_process_is_tried_by_others(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Three times; then it is told."""
    job = accepted(service, PICTURE)

    def fail() -> None:
        raise error

    Slow(monkeypatch, fail)
    for attempt in (1, 2):
        assert run_job(service, claimed(service)) is Ending.FORFEITED
        service.table.reap(attempts_cap=3)
        assert service.table.get(job.id).attempts == attempt
    assert run_job(service, claimed(service)) is Ending.FORFEITED
    failed = service.table.get(job.id)
    assert failed.state is State.FAILED
    assert failed.error_code in {"out-of-memory", "engine-failed"}
    assert failed.error_code != POISON


def test_a_mistake_of_ours_is_raised_and_tried_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next worker need not wait for the lease."""
    job = accepted(service, PICTURE)

    def mistake() -> None:
        raise AssertionError("wrong")

    Slow(monkeypatch, mistake)
    with pytest.raises(AssertionError):
        run_job(service, claimed(service))
    assert service.table.reap(attempts_cap=3).requeued == (job.id,)


def test_progress_is_written(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the work goes on."""
    job = accepted(service, saved(noise(40, 40, 3), "png"), JobOptions(model="bicubic"))
    monkeypatch.setattr("upres.service.pulse.PROGRESS_S", 0.01)
    seen = []
    real = service.table.heartbeat

    def heartbeat(claim: Any, **tiles: Any) -> Any:
        seen.append((tiles["done_tiles"], tiles["total_tiles"]))
        return real(claim, **tiles)

    monkeypatch.setattr(service.table, "heartbeat", heartbeat)
    real_write = io.BufferedRandom.write

    def slow_write(self: Any, data: Any) -> int:
        time.sleep(0.05)
        return real_write(self, data)

    monkeypatch.setattr("upres.storage.blobs.BlobWriter.write", slow_write, raising=False)
    assert run_job(service, claimed(service)) is Ending.DONE
    assert seen
    assert service.table.get(job.id).total_tiles == seen[-1][1]


def test_what_was_flat_is_told(service: Service) -> None:
    """Also of a job that gets the same result; who asks for exact has another result."""
    picture = saved(Image.new("RGB", (70, 60), (30, 80, 120)), "PNG")
    flat = accepted(service, picture, JobOptions(model="lite", format="png"))
    exact = accepted(service, picture, JobOptions(model="lite", format="png", exact=True))
    assert flat.content_key != exact.content_key
    for _ in range(2):
        assert run_job(service, claimed(service)) is Ending.DONE
    again = accepted(service, picture, JobOptions(model="lite", format="png"))
    assert again.state is State.DONE
    told = [json.loads(service.table.get(job.id).ran or "") for job in (flat, again, exact)]
    assert [ran["interpolated"] for ran in told] == [1, 1, 0]
