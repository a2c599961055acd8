"""The way in: what becomes a job, what is refused before anybody works on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from picture_files import noise, saved
from PIL import Image
from service_cases import MEBI, accepted, claimed, result_of, service_in

from upres.errors import (
    BlobFolderFull,
    ClientQueueFull,
    IdempotencyConflict,
    InvalidOption,
    ModelMissing,
    PictureTooLarge,
    QueueFull,
    UnknownModel,
    UnreadablePicture,
    UnsupportedPicture,
    UpresError,
)
from upres.jobs.job import JobOptions, State
from upres.service.asked import Request
from upres.service.intake import Intake
from upres.service.run import Ending, run_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upres.service.parts import Service

PICTURE = saved(noise(8, 12, 3), "png")


def test_a_picture_becomes_a_job(service: Service) -> None:
    """Whose cost is known, and whose options say what was left out."""
    job = accepted(service, PICTURE, JobOptions(model="bicubic", factor=2), request_id="r1")
    assert job.state is State.QUEUED
    assert job.cost_px == 16 * 24
    assert job.options.format == "png"
    assert (job.source_name, job.request_id) == ("photo.png", "r1")
    assert service.blobs.size(job.source_key) == len(PICTURE)


def test_frames_cost_each(service: Service) -> None:
    """An animation costs what its frames cost together."""
    frames = [Image.fromarray(np.rot90(noise(6, 6, 3), turns)) for turns in range(3)]
    with_frames = saved(frames[0], "gif", save_all=True, append_images=frames[1:])
    job = accepted(service, with_frames, JobOptions(model="bicubic", factor=2))
    assert job.cost_px == 3 * 12 * 12
    assert job.options.format == "gif"


@pytest.mark.parametrize(
    ("picture", "options", "error"),
    [
        (b"", {}, UnreadablePicture),
        (b"hello", {}, UnsupportedPicture),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {}, UnsupportedPicture),
        (PICTURE[:30], {}, UnreadablePicture),
        (PICTURE, {"model": "nothing"}, UnknownModel),
        (PICTURE, {"model": "edsr"}, ModelMissing),
        (PICTURE, {"factor": None, "width": 4}, InvalidOption),
        (saved(noise(1, 9, 3), "png"), {}, UnsupportedPicture),
        (saved(noise(200, 101, 3), "png"), {}, PictureTooLarge),
        (saved(noise(100, 100, 3), "png"), {"factor": 16}, PictureTooLarge),
    ],
)
def test_what_cannot_be_done_is_refused(
    tmp_path: Path, picture: bytes, options: dict[str, Any], error: type[UpresError]
) -> None:
    """And no job is there then."""
    service = service_in(tmp_path, input_pixels=20_000, output_pixels=2_000_000)
    with pytest.raises(error):
        accepted(service, picture, JobOptions(**{"model": "bicubic"} | options))
    assert service.table.figures().jobs.get(State.QUEUED, 0) == 0
    service.close()


def test_a_format_that_cannot_hold_the_result(service: Service) -> None:
    """Sides and frames are checked for the format asked for."""
    wide = saved(noise(4, 6000, 3), "png")
    with pytest.raises(PictureTooLarge, match=r"(?i)webp"):
        accepted(service, wide, JobOptions(model="bicubic", factor=3, format="webp"))
    accepted(service, wide, JobOptions(model="bicubic", factor=3, format="png"))


def test_a_format_that_is_kept_in_memory(tmp_path: Path) -> None:
    """Has a limit of its own."""
    service = service_in(tmp_path, held_pixels=800)
    with pytest.raises(PictureTooLarge, match="AVIF would have 864 pixels, the limit is 800"):
        accepted(service, PICTURE, JobOptions(model="bicubic", format="avif"))
    accepted(service, PICTURE, JobOptions(model="bicubic", format="png"))
    service.close()


def test_an_upload_has_a_limit(tmp_path: Path) -> None:
    """In bytes, noticed while it comes in."""
    service = service_in(tmp_path, upload_bytes=MEBI)
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += MEBI // 4
            yield bytes(MEBI // 4)

    with pytest.raises(PictureTooLarge, match=str(MEBI)):
        Intake(service).store(chunks(), name="photo.png")
    assert taken <= 3 * MEBI
    assert list(service.blobs.oldest_first()) == []
    service.close()


def test_too_much_waits(tmp_path: Path) -> None:
    """Of all, or of one client; what is done already costs nothing."""
    service = service_in(
        tmp_path, output_pixels=1000, queued_pixels=3000, queued_pixels_per_client=1800
    )
    pictures = [saved(noise(8, 12, 3) + np.uint8(seed), "png") for seed in range(5)]
    accepted(service, pictures[0], owner="ann")
    accepted(service, pictures[1], owner="ann")
    with pytest.raises(ClientQueueFull):
        accepted(service, pictures[2], owner="ann")
    accepted(service, pictures[2], owner="bob")
    with pytest.raises(QueueFull):
        accepted(service, pictures[3], owner="carl")
    service.close()


def test_the_same_once_more_is_done_at_once(service: Service) -> None:
    """Also under another name, by another client, with its defaults said aloud; and not charged."""
    first = accepted(service, PICTURE)
    assert run_job(service, claimed(service)) is Ending.DONE
    charged: list[int] = []
    intake = Intake(service)
    source = intake.store([PICTURE], name="b.png")
    options = JobOptions(model="bicubic", factor=3.0, format="png")
    again, new = intake.accept(
        source, Request(name="b.png", options=options, owner="other"), charge=charged.append
    )
    assert new
    assert again.id != first.id
    assert again.state is State.DONE
    assert charged == []
    assert result_of(service, again.id) == result_of(service, first.id)
    intake.accept(
        source,
        Request(name="b.png", options=JobOptions(model="lanczos"), owner="other"),
        charge=charged.append,
    )
    assert charged == [24 * 36]


def test_a_result_that_is_gone_is_computed_anew(service: Service) -> None:
    """Somebody cleared the folder, or it was evicted."""
    first = accepted(service, PICTURE)
    run_job(service, claimed(service))
    wanted = result_of(service, first.id)
    result = service.table.get(first.id).result
    assert result is not None
    service.blobs.delete(result.key)
    again = accepted(service, PICTURE)
    assert again.state is State.QUEUED
    assert service.table.get(first.id).state is State.EXPIRED
    run_job(service, claimed(service))
    assert result_of(service, again.id) == wanted


def test_the_same_key_is_the_same_job(service: Service) -> None:
    """And another picture under it is a conflict; what charging refuses is not accepted."""
    first = accepted(service, PICTURE, idempotency_key="k")
    assert accepted(service, PICTURE, idempotency_key="k").id == first.id
    assert accepted(service, PICTURE, idempotency_key="k", owner="other").id != first.id
    with pytest.raises(IdempotencyConflict):
        accepted(service, saved(noise(9, 9, 3), "png"), idempotency_key="k")


def test_who_comes_again_pays_once(service: Service) -> None:
    """The same request; and one for which there is no room pays nothing."""
    charged: list[int] = []
    intake = Intake(service)
    request = Request(
        name="a.png", options=JobOptions(model="bicubic"), owner="ann", idempotency_key="k"
    )
    jobs = set()
    for _ in range(3):
        source = intake.store([PICTURE], name="a.png")
        job, _ = intake.accept(source, request, charge=charged.append)
        jobs.add(job.id)
    assert len(jobs) == 1
    assert charged == [24 * 36]


def test_no_room_costs_nothing(tmp_path: Path) -> None:
    """Who obeys Retry-After has lost nothing."""
    service = service_in(
        tmp_path, output_pixels=1000, queued_pixels=1000, queued_pixels_per_client=1000
    )
    accepted(service, PICTURE)
    charged: list[int] = []
    intake = Intake(service)
    other = intake.store([saved(noise(8, 11, 3), "png")], name="b.png")
    request = Request(name="b.png", options=JobOptions(model="bicubic"), owner="bob")
    with pytest.raises(QueueFull):
        intake.accept(other, request, charge=charged.append)
    assert charged == []
    service.close()


def test_what_is_refused_is_not_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """For long; unless a job has the same picture, or somebody sends it again meanwhile."""
    monkeypatch.setattr("upres.service.intake._REFUSED_S", 0.0)
    intake = Intake(service)
    refused = JobOptions(model="nothing")
    other = saved(noise(9, 9, 3), "png")
    with pytest.raises(UnknownModel):
        accepted(service, other, refused, intake=intake)
    with pytest.raises(UnknownModel):
        accepted(service, PICTURE, refused, intake=intake)
    kept = intake.store([PICTURE], name="again.png")
    assert [blob.key for blob in service.blobs.oldest_first()] == [kept.key]
    job = accepted(service, PICTURE, intake=intake)
    with pytest.raises(UnknownModel):
        accepted(service, PICTURE, refused, intake=intake)
    intake.store([other], name="other.png")
    assert service.blobs.size(job.source_key) == len(PICTURE)


def test_blobs_have_a_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing more is taken until something is removed."""
    monkeypatch.setattr("upres.service.room._LOOKED_S", 0.0)
    service = service_in(tmp_path, blob_folder_bytes=len(PICTURE))
    intake = Intake(service)
    job = accepted(service, PICTURE, intake=intake)
    with pytest.raises(BlobFolderFull, match=str(len(PICTURE))):
        accepted(service, PICTURE, intake=intake)
    service.blobs.delete(job.source_key)
    accepted(service, PICTURE, intake=intake)
    service.close()


def test_charging_may_refuse(service: Service) -> None:
    """Then nothing is queued."""

    def refuse(px: int) -> None:
        raise InvalidOption("px", px, "less")

    intake = Intake(service)
    source = intake.store([PICTURE], name="a.png")
    request = Request(name="a.png", options=JobOptions(model="bicubic"), owner="ann")
    with pytest.raises(InvalidOption):
        intake.accept(source, request, charge=refuse)
    assert service.table.claim("worker", lease_s=30) is None


def test_different_work_has_different_keys(service: Service) -> None:
    """Model, options and picture each count."""
    keys = {
        accepted(service, picture, JobOptions(**options)).content_key
        for picture in (PICTURE, saved(np.rot90(noise(8, 12, 3)).copy(), "png"))
        for options in (
            {"model": "bicubic"},
            {"model": "lanczos"},
            {"model": "lite"},
            {"model": "espcn"},
            {"model": "bicubic", "soften": 0.5},
            {"model": "bicubic", "quality": 90},
            {"model": "bicubic", "keep_metadata": True},
        )
    }
    assert len(keys) == 14
