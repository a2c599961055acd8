"""Clips over HTTP: the same job API, a result that players can seek in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clips import ClipRecipe, numbers_and_times, write_clip
from endpoint_cases import JOBS, done, form, problem, submitted

if TYPE_CHECKING:
    from endpoint_cases import Reader

    from upres.service.parts import Service


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a clip of two seconds."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(path, ClipRecipe(frames=50, sound="aac")).read_bytes()


@pytest.mark.usefixtures("worker")
def test_a_clip_is_a_job_like_any_other(client: Reader, clip: bytes, tmp_path: Path) -> None:
    """Submitted, followed, fetched whole and in parts, its source as it came."""
    job = submitted(client, clip, scale="2", name="holiday.mp4")
    assert job["options"]["format"] == "mp4"
    job = done(client, job)
    assert job["state"] == "done", job["error"]
    assert job["result"]["format"] == "mp4"
    assert (job["progress"], job["frames_per_s"]) == (1, None)
    answer = client.get(job["links"]["result"])
    assert answer.mimetype == "video/mp4"
    assert "holiday_x2.mp4" in answer.headers["Content-Disposition"]
    made = tmp_path / "made.mp4"
    made.write_bytes(answer.data)
    assert [number for number, _ in numbers_and_times(made)] == list(range(50))
    part = client.get(job["links"]["result"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.data) == (206, answer.data[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(answer.data)}"
    source = client.get(job["links"]["source"])
    assert (source.mimetype, source.data) == ("video/mp4", clip)
    events = client.get(job["links"]["events"])
    assert '"format":"mp4"' in events.text


def test_progress_tells_frames_a_second(client: Reader, service: Service, clip: bytes) -> None:
    """Of a job that runs, by what is done since it began."""
    job = submitted(client, clip)
    claim = service.table.claim("worker", lease_s=30)
    assert claim is not None
    service.table.heartbeat(claim, done_tiles=20, total_tiles=50, lease_s=30)
    seen = client.get(job["links"]["job"]).json
    assert seen["frames_per_s"] > 0
    assert seen["progress"] == 0.4
    assert seen["eta_s"] is not None


def test_a_form_takes_a_clip_in_the_same_field(client: Reader, clip: bytes) -> None:
    """And so does a retry, which is the same job again."""
    fields = form(clip, name="clip.mov", model="bicubic", scale="2")
    answer = client.post(JOBS, **fields)
    assert answer.status_code == 202, answer.text
    assert answer.json["name"] == "clip.mov"


def test_limits_tell_of_clips(client: Reader) -> None:
    """How large, and that they come as MP4."""
    limits = client.get("/api/v1/limits").json
    assert limits["clip_output_pixels"] > 10**9
    assert limits["clip_frame_pixels"] > 10**6
    assert "mp4" in limits["output_formats"]


def test_a_damaged_clip_is_a_problem(client: Reader, clip: bytes) -> None:
    """With a code of its own."""
    problem(client.post(JOBS, data=clip[:500]), 422, "bad-video")
    problem(client.post(f"{JOBS}?format=png", data=clip), 422, "invalid-option")
