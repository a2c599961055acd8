"""Clips as jobs: accepted within limits, made frame by frame, gone on with after a worker's end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from clips import ClipRecipe, numbers_and_times, packets, write_clip
from picture_files import saved, scene
from service_cases import claimed, service_in

from upres.errors import InvalidOption, PictureTooLarge, UnreadableVideo, UnsupportedVideo
from upres.jobs.job import JobOptions, State
from upres.service.asked import Request
from upres.service.chores import Chores
from upres.service.clip_files import clip_type
from upres.service.intake import Intake
from upres.service.run import Ending, run_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upres.jobs.job import Job
    from upres.service.parts import Service

QUICK = JobOptions(model="bicubic", factor=2)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a service whose workers lose their leases soon."""
    opened = service_in(tmp_path / "service", lease_s=1, heartbeat_s=0.2)
    yield opened
    opened.close()


def accepted(service: Service, clip: Path, options: JobOptions = QUICK, **fields: Any) -> Job:
    """Upload a clip and return its job."""
    intake = Intake(service)
    source = intake.store([clip.read_bytes()], name=clip.name)
    request = Request(name=clip.name, options=options, owner="somebody", **fields)
    return intake.accept(source, request)[0]


def result(service: Service, job: Job, target: Path) -> Path:
    """Write a finished job's result into a file."""
    done = service.table.get(job.id)
    assert done.state is State.DONE, done.error_text
    assert done.result is not None
    with service.blobs.open(done.result.key) as file:
        target.write_bytes(file.read())
    return target


def test_a_clip_becomes_a_larger_clip(service: Service, tmp_path: Path) -> None:
    """Every frame at its time, with sound, and the job says what was done."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=60, sound="aac"))
    job = accepted(service, clip)
    assert job.cost_px == 192 * 128 * 60
    assert run_job(service, claimed(service)) is Ending.DONE
    made = result(service, job, tmp_path / "out.mp4")
    assert numbers_and_times(made) == numbers_and_times(clip)
    assert packets(made, "audio")
    done = service.table.get(job.id)
    assert (done.width, done.height, done.result_format) == (192, 128, "mp4")
    assert done.done_tiles == done.total_tiles
    assert not list(service.clip_folder.iterdir())


def test_auto_is_the_network_for_clips(service: Service, tmp_path: Path) -> None:
    """The one that keeps up with them."""
    job = accepted(service, write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=5)), JobOptions())
    assert job.options.model == "fast"
    assert job.options.format == "mp4"


def test_another_worker_goes_on_behind_finished_segments(service: Service, tmp_path: Path) -> None:
    """A worker that gives a job back in the middle leaves what it finished, and it is used."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=500, options={"g": "25"}))
    job = accepted(service, clip)
    claim = claimed(service, "lost")
    work = service.clip_folder / job.id / f"{claim.token:09}" / "clip.mp4.upres"
    given_up = threading.Event()

    def lost() -> None:
        run_job(service, claim, drained=given_up.is_set, end=lambda _: None)

    thread = threading.Thread(target=lost)
    thread.start()
    until = time.monotonic() + 60
    while not (work / "000001.json").exists():
        assert time.monotonic() < until
        time.sleep(0.005)
    given_up.set()
    thread.join()
    assert service.table.get(job.id).state is State.QUEUED
    left = sorted(path.name for path in work.glob("0*.mkv"))
    assert left[:2] == ["000000.mkv", "000001.mkv"]
    before = (work / "000000.mkv").stat().st_ino
    inodes: list[int] = []

    next_claim = claimed(service, "next")
    folder = service.clip_folder / job.id / f"{next_claim.token:09}" / "clip.mp4.upres"
    seen = threading.Thread(target=lambda: inodes.append(_first_inode(folder)))
    seen.start()
    assert run_job(service, next_claim) is Ending.DONE
    seen.join()
    assert inodes == [before]
    made = result(service, job, tmp_path / "out.mp4")
    assert numbers_and_times(made) == numbers_and_times(clip)
    assert not (service.clip_folder / job.id).exists()


_WORK = """
import sys
from pathlib import Path
from service_cases import claimed, service_in
from upres.service.run import run_job

service = service_in(Path(sys.argv[1]), lease_s=1, heartbeat_s=0.2)
run_job(service, claimed(service, "killed"))
"""


def test_a_killed_worker_costs_nothing_but_time(service: Service, tmp_path: Path) -> None:
    """Kill -9 in the middle; the next worker's result has the bytes of one in one go."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=600, sound="aac"))
    job = accepted(service, clip)
    process = subprocess.Popen(
        [sys.executable, "-c", _WORK, str(service.settings.data_folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not list(service.clip_folder.glob("*/*/*/000001.json")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    while (claim := service.table.claim("next", lease_s=30)) is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert claim.job.id == job.id
    assert claim.job.attempts == 2
    assert run_job(service, claim) is Ending.DONE
    killed = result(service, job, tmp_path / "killed.mp4").read_bytes()
    with closing(service_in(tmp_path / "other")) as other:
        whole = accepted(other, clip)
        assert run_job(other, claimed(other)) is Ending.DONE
        assert result(other, whole, tmp_path / "whole.mp4").read_bytes() == killed


def _first_inode(folder: Path) -> int:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            return (folder / "000000.mkv").stat().st_ino
        except OSError:
            time.sleep(0.001)
    return 0


def test_a_cancelled_clip_stops_and_leaves_nothing(service: Service, tmp_path: Path) -> None:
    """Within a second or so, whatever it is at."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=750))
    job = accepted(service, clip, JobOptions(model="lanczos", factor=8))
    claim = claimed(service)
    ended: list[Ending] = []
    thread = threading.Thread(target=lambda: ended.append(run_job(service, claim)))
    thread.start()
    until = time.monotonic() + 30
    while not service.table.get(job.id).done_tiles:
        assert time.monotonic() < until
        time.sleep(0.02)
    service.table.request_cancel(job.id)
    asked = time.monotonic()
    thread.join()
    assert ended == [Ending.CANCELLED]
    assert time.monotonic() - asked < 5
    Chores(service, worker="worker").sweep()
    assert not list(service.clip_folder.iterdir())


def test_a_disk_without_room_puts_the_clip_back(tmp_path: Path) -> None:
    """Before anything is written; it waits for room."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=5))
    with closing(service_in(tmp_path / "service")) as service:
        job = accepted(service, clip)
    floor_bytes = shutil.disk_usage(tmp_path).free
    with closing(service_in(tmp_path / "service", free_floor_bytes=floor_bytes)) as service:
        assert run_job(service, claimed(service)) is Ending.PUT_BACK
        assert service.table.get(job.id).state is State.QUEUED


def test_what_no_job_goes_on_with_is_swept(service: Service, tmp_path: Path) -> None:
    """And what a waiting job will need is kept."""
    waiting = accepted(service, write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=5)))
    for name in (waiting.id, "nobody"):
        (service.clip_folder / name / "000000001").mkdir(parents=True)
    Chores(service, worker="worker").sweep()
    assert [path.name for path in service.clip_folder.iterdir()] == [waiting.id]


def test_limits_are_held_before_anything_is_queued(tmp_path: Path) -> None:
    """Of all frames together, of one picture, and of none at all."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=50))
    for number, (settings, error, words) in enumerate(
        [
            ({"clip_output_pixels": 192 * 128 * 49}, PictureTooLarge, "all frames of the result"),
            ({"clip_frame_pixels": 96 * 64}, PictureTooLarge, "result"),
            ({"clip_output_pixels": 0}, UnsupportedVideo, "takes no clips"),
        ]
    ):
        service = service_in(tmp_path / str(number), **settings)
        with pytest.raises(error, match=words):
            accepted(service, clip)
        assert service.table.claim("worker", lease_s=30) is None
        service.close()


def test_a_clip_takes_no_more_than_a_minutes_worth(tmp_path: Path) -> None:
    """Of what a client may ask for: otherwise no longer clip could ever be sent."""
    limits = {"output_megapixels_per_minute": 1, "output_pixels": 1_000_000}
    with closing(service_in(tmp_path / "service", **limits)) as service:
        clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=50))
        intake = Intake(service)
        source = intake.store([clip.read_bytes()], name="clip")
        charged: list[int] = []
        for options in (QUICK, JobOptions(model="bicubic", factor=1)):
            request = Request(name="clip", options=options, owner="somebody")
            intake.accept(source, request, charge=charged.append)
        assert charged == [1_000_000, 96 * 64 * 50]


def test_formats_belong_to_their_kind(service: Service, tmp_path: Path) -> None:
    """A clip becomes no PNG, and a picture no clip."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=5))
    with pytest.raises(InvalidOption, match="mp4 for a clip"):
        accepted(service, clip, JobOptions(format="png"))
    picture = tmp_path / "photo.png"
    picture.write_bytes(saved(scene(30, 40), "png"))
    with pytest.raises(InvalidOption, match="for a picture"):
        accepted(service, picture, JobOptions(format="mp4"))


def test_what_only_begins_like_a_clip_is_refused(service: Service, tmp_path: Path) -> None:
    """By the child that looks at it."""
    nonsense = tmp_path / "clip.mp4"
    nonsense.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(3000))
    with pytest.raises(UnreadableVideo):
        accepted(service, nonsense)


@pytest.mark.parametrize(
    ("head", "type_"),
    [
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x20ftypavif", None),
        (b"\x1a\x45\xdf\xa3....B\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3....B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF....AVI LIST", "video/x-msvideo"),
        (b"RIFF....WEBPVP8 ", None),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187), "video/mp2t"),
        (b"GIF89a", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"", None),
    ],
)
def test_clips_are_told_from_pictures_by_how_they_begin(head: bytes, type_: str | None) -> None:
    """Whatever they are called."""
    assert clip_type(head) == type_
