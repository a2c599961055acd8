"""What there is to look at: parts that are finished, and smaller versions of large results."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from endpoint_cases import JOBS, QUICK, done, problem, submitted
from picture_files import noise, opened, saved, scene
from PIL import Image
from service_cases import accepted

from upres.image.picture import Layout
from upres.service import making, preview
from upres.service.preview import TileWriter
from upres.upscale.tiles import Span

if TYPE_CHECKING:
    from endpoint_cases import Reader
    from numpy.typing import NDArray

    from upres.service.parts import Service


def paint(service: Service, job_id: str, monkeypatch: pytest.MonkeyPatch, *, top: int) -> None:
    """Finish a part of a picture, as a worker does."""
    monkeypatch.setattr(preview, "_EVERY_S", 0.0)
    layout = Layout(width=40, height=30, gray=False, alpha=False, bits=8)
    previews = service.previews
    tiles = TileWriter(previews.of(job_id), layout, icc=None, room=previews.has_room)
    tiles.tile(Span(top, top + 10), Span(0, 40), np.full((30, 120, 3), 10 * top, np.uint8))
    tiles.close()


def over_white(picture: Image.Image) -> NDArray[np.float64]:
    """Return what is seen of a picture on paper."""
    paper = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(paper, picture.convert("RGBA")), np.float64)


def test_finished_parts_are_told_and_fetched(
    client: Reader, service: Service, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once; the job says when there is more."""
    job = submitted(client, photo)
    address = job["links"]["preview"]
    assert job["preview"] == 0
    assert client.get(address).json == {"tiles": [], "next": 0}
    service.table.claim("worker", lease_s=30)
    paint(service, job["id"], monkeypatch, top=0)
    told = client.get(job["links"]["job"]).json
    assert told["preview"] > 0
    answer = client.get(address)
    assert answer.headers["Cache-Control"] == "no-store"
    (first,) = answer.json["tiles"]
    assert (first["left"], first["top"], first["width"], first["height"]) == (0, 0, 40, 10)
    assert opened(base64.b64decode(first["data"])).size == (120, 30)
    assert first["media_type"] == "image/jpeg"
    paint(service, job["id"], monkeypatch, top=10)
    after = client.get(address, query_string={"after": answer.json["next"]}).json
    assert [tile["top"] for tile in after["tiles"]] == [10]
    assert client.get(job["links"]["job"]).json["preview"] > told["preview"]


@pytest.mark.parametrize("after", ["-1", "1.5", "x", "1" * 10, "", "\uff11"])
def test_after_is_a_number(client: Reader, photo: bytes, after: str) -> None:
    job = submitted(client, photo)
    answer = client.get(job["links"]["preview"], query_string={"after": after})
    problem(answer, 422, "invalid-option")


@pytest.mark.parametrize("what", ["preview", "reduced"])
@pytest.mark.parametrize("job_id", ["A" * 22, "..%2f..%2fjobs.sqlite", "x"])
def test_of_a_job_that_nobody_knows(client: Reader, what: str, job_id: str) -> None:
    """Whoever does not know the id sees nothing, and no path leads elsewhere."""
    answer = client.get(f"{JOBS}/{job_id}/{what}")
    assert answer.status_code == 404


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("alpha", [False, True])
def test_a_large_result_has_a_smaller_one(
    client: Reader, service: Service, monkeypatch: pytest.MonkeyPatch, *, alpha: bool
) -> None:
    """Of the same picture; kept as long as the result, for others who get it, too."""
    monkeypatch.setattr(making, "LARGE_PX", 5_000)
    monkeypatch.setattr(making, "REDUCED_PX", 2_000)
    picture = Image.fromarray(scene(60, 80))
    if alpha:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    source = saved(picture, "png")
    job = done(client, submitted(client, source))
    assert job["result"]["reduced"] is True
    answer = client.get(job["links"]["reduced"])
    assert answer.status_code == 200
    assert answer.mimetype == ("image/webp" if alpha else "image/jpeg")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    small = opened(answer.data)
    whole = opened(client.get(job["links"]["result"]).data)
    assert small.size == (48, 36)
    assert small.mode == whole.mode
    expected = over_white(whole.resize(small.size, Image.Resampling.BOX))
    assert np.abs(over_white(small) - expected).mean() < 4
    again = submitted(client, source)
    assert again["from_cache"]
    assert client.get(again["links"]["reduced"]).data == answer.data
    key = service.table.get(job["id"]).reduced_key
    assert key in service.table.keep_keys(sources_s=0)


@pytest.mark.usefixtures("worker")
def test_others_have_none(client: Reader, service: Service, photo: bytes) -> None:
    """410 as for whatever is not kept; 409 before the end."""
    job = done(client, submitted(client, photo))
    assert job["result"]["reduced"] is False
    problem(client.get(job["links"]["reduced"]), 410, "job-gone")
    waiting = accepted(service, saved(noise(9, 9, 3), "png"))
    service.table.claim("other", lease_s=30)
    answer = client.get(f"{JOBS}/{waiting.id}/reduced")
    assert answer.status_code in {409, 410}


@pytest.mark.usefixtures("worker")
def test_one_that_is_gone_harms_nothing(
    client: Reader, service: Service, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is still there."""
    monkeypatch.setattr(making, "LARGE_PX", 1)
    job: dict[str, Any] = done(client, submitted(client, photo, **QUICK))
    service.blobs.delete(str(service.table.get(job["id"]).reduced_key))
    problem(client.get(job["links"]["reduced"]), 410, "job-gone")
    assert client.get(job["links"]["result"]).status_code == 200
