"""What is finished while a job is worked on: real parts of the result, bounded, gone at the end."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import opened, saved, scene
from PIL import Image
from service_cases import accepted, claimed, result_of

from upres.image.picture import Layout
from upres.jobs.job import JobOptions, State
from upres.service import preview
from upres.service.chores import Chores
from upres.service.preview import Preview, Previews, TileWriter
from upres.service.run import Ending, run_job
from upres.upscale.tiles import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.service.parts import Service

LAYOUT = Layout(width=40, height=30, gray=False, alpha=False, bits=8)
OPTIONS = JobOptions(model="fast", factor=3, format="png")


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every tile at once."""
    monkeypatch.setattr(preview, "_EVERY_S", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Preview:
    return Preview(path=tmp_path / "job")


def writer(file: Preview, layout: Layout = LAYOUT, **options: Any) -> TileWriter:
    return TileWriter(file, layout, **({"icc": None, "room": lambda: True} | options))


def picture_of(tile: dict[str, Any]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(tile["data"]))))


class Watched:
    """Looks at a job's preview before every tile after the first."""

    def __init__(self, service: Service, job_id: str) -> None:
        self.preview = service.previews.of(job_id)
        self.tiles: list[dict[str, Any]] = []
        self._next = 0

    def look(self) -> None:
        """Read what is new."""
        tiles, self._next = self.preview.read(self._next)
        self.tiles += tiles


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_tiles_are_parts_of_the_result(
    service: Service, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Each where it belongs; together all that was finished; afterwards the file is gone."""
    monkeypatch.setattr(preview, "_MOST_PX", 200_000)
    image = Image.fromarray(scene(600, 700)).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    job = accepted(service, saved(image, "png"), OPTIONS)
    watched = Watched(service, job.id)
    tile = TileWriter.tile

    def seen(self: TileWriter, *words: Any) -> None:
        tile(self, *words)
        watched.look()

    monkeypatch.setattr(TileWriter, "tile", seen)
    assert run_job(service, claimed(service)) is Ending.DONE
    assert not watched.preview.path.exists()
    assert sum(one["width"] * one["height"] for one in watched.tiles) == 600 * 700
    assert len(watched.tiles) > 1
    result = opened(result_of(service, job.id))
    assert result.mode == mode
    for one in watched.tiles:
        assert (one["of_width"], one["of_height"]) == (700, 600)
        small = picture_of(one)
        left, top = 3 * one["left"], 3 * one["top"]
        box = (left, top, left + 3 * one["width"], top + 3 * one["height"])
        part = np.asarray(result.reduce(1, box).resize(small.shape[1::-1], Image.Resampling.BOX))
        assert np.abs(part.astype(float) - small).mean() < 6


def test_a_job_that_is_done_at_once_writes_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "_EVERY_S", 60.0)
    accepted(service, saved(scene(30, 40), "png"), OPTIONS)
    assert run_job(service, claimed(service)) is Ending.DONE
    assert not (service.settings.data_folder / "previews").exists()


def test_what_was_finished_stays_while_the_job_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that ends gives the job back; the next one appends; the end takes all away."""
    job = accepted(service, saved(scene(40, 40), "png"), OPTIONS)
    found = service.previews.of(job.id)
    tile = TileWriter.tile
    over = False

    def seen(self: TileWriter, *words: Any) -> None:
        nonlocal over
        tile(self, *words)
        over = True

    monkeypatch.setattr(TileWriter, "tile", seen)
    assert run_job(service, claimed(service), drained=lambda: over) is Ending.RELEASED
    tiles, length = found.read(0)
    assert len(tiles) == 1
    assert length == found.bytes
    chores = Chores(service, worker="w")
    chores.sweep()
    assert found.bytes == length
    assert run_job(service, claimed(service)) is Ending.DONE
    assert found.bytes == 0


def test_leftovers_of_jobs_that_ended_are_swept(service: Service) -> None:
    """And of those that nobody knows."""
    assert service.previews.has_room()
    job = accepted(service, saved(scene(8, 8), "png"))
    for name in (job.id, "unknown"):
        service.previews.of(name).path.write_bytes(b"{}\n")
    Chores(service, worker="w").sweep()
    assert service.previews.of(job.id).bytes
    assert not service.previews.of("unknown").bytes
    assert service.table.request_cancel(job.id).state is State.CANCELLED
    Chores(service, worker="w").sweep()
    assert not service.previews.of(job.id).bytes


@given(
    lines=st.lists(st.dictionaries(st.text(max_size=3), st.integers()), max_size=6),
    torn=st.binary(max_size=20).filter(lambda data: b"\n" not in data),
    after=st.data(),
)
def test_every_whole_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    lines: list[dict[str, int]],
    torn: bytes,
    after: st.DataObject,
) -> None:
    """However the reads fall; what is not whole is left for the next one."""
    found = Preview(path=tmp_path_factory.mktemp("previews") / "job")
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    cut = after.draw(st.integers(0, len(data)))
    found.path.write_bytes(data[:cut])
    first, at = found.read(0)
    found.path.write_bytes(data + torn)
    second, end = found.read(at)
    assert first + second == lines
    assert end == len(data)
    assert found.read(end) == ([], len(data))


def test_half_a_line_of_a_killed_worker_is_passed_over(file: Preview) -> None:
    """The next attempt ends it, and appends its own."""
    file.path.write_bytes(b'{"left": 0, "da')
    tiles = writer(file)
    tiles.tile(Span(0, 30), Span(0, 40), np.zeros((90, 120, 3), np.uint8))
    tiles.close()
    found, _ = file.read(0)
    assert [(one["width"], one["height"]) for one in found] == [(40, 30)]
    # what another attempt left longer does not hide what there is now
    assert file.read(10**9)[0] == found


def test_it_never_grows_past_its_limit(file: Preview, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a picture is made of, and however often it is tried."""
    monkeypatch.setattr(preview, "MOST_BYTES", 20_000)
    noise = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    for _ in range(5):
        tiles = writer(file)
        for _ in range(9):
            tiles.tile(Span(0, 30), Span(0, 40), noise)
        tiles.close()
    assert 5_000 < file.bytes <= 20_000


@pytest.mark.parametrize(
    "options", [{"room": lambda: False}, {"icc": b"x" * 100_000}], ids=["full", "profile"]
)
def test_without_a_preview_the_work_goes_on(file: Preview, options: dict[str, Any]) -> None:
    """A full disk, or a profile that would be in every tile."""
    tiles = writer(file, **options)
    for _ in range(3):
        tiles.tile(Span(0, 30), Span(0, 40), np.zeros((90, 120, 3), np.uint8))
    tiles.close()
    assert not file.bytes


def test_a_folder_that_cannot_be_written(file: Preview, tmp_path: Path) -> None:
    """Nothing is raised, there is just no preview."""
    tiles = TileWriter(
        Preview(path=tmp_path / "no" / "folder" / "job"), LAYOUT, icc=None, room=lambda: True
    )
    tiles.tile(Span(0, 30), Span(0, 40), np.zeros((90, 120, 3), np.uint8))
    tiles.close()
    (tmp_path / "a file").write_bytes(b"")
    assert not Previews(tmp_path / "a file", free_floor_bytes=0).has_room()
    assert not Previews(tmp_path, free_floor_bytes=10**18).has_room()
    assert not file.bytes


def test_nobody_else_may_read_it(file: Preview) -> None:
    """It is a part of somebody's picture."""
    tiles = writer(file)
    tiles.tile(Span(0, 30), Span(0, 40), np.zeros((90, 120, 3), np.uint8))
    tiles.close()
    assert file.path.stat().st_mode & 0o077 == 0
