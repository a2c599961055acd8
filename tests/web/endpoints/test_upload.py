"""`POST /upload`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from endpoint_cases import damaged, form, problem
from picture_files import opened, saved, scene

if TYPE_CHECKING:
    from endpoint_cases import Reader


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.usefixtures("worker")
def test_three_times_the_size_as_jpeg(client: Reader, kind: str) -> None:
    """Of quality 95, whatever came in."""
    answer = client.post("/upload", **form(saved(scene(20, 30), kind)))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == "inline; filename=photo_x3.jpg"
    picture = opened(answer.data)
    assert (picture.format, picture.size) == ("JPEG", (90, 60))
    best = opened(saved(picture, "jpeg", quality=95))
    assert picture.quantization == best.quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data", [{}, {"image": ""}, {"image": "text"}, {"file": (io.BytesIO(b"x"), "a.jpg")}]
)
def test_no_file(client: Reader, data: dict[str, object]) -> None:
    """400."""
    problem(client.post("/upload", data=data, content_type="multipart/form-data"), 400, "no-file")


def test_no_form(client: Reader, photo: bytes) -> None:
    """400, too: the picture comes in a form or not at all."""
    problem(client.post("/upload"), 400, "no-file")
    problem(client.post("/upload", data=photo), 400, "no-file")
    problem(client.post("/upload", data={"image": "photo.jpg"}), 400, "no-file")


@pytest.mark.usefixtures("worker")
def test_what_cannot_be_enlarged(client: Reader, drawing: bytes) -> None:
    """Refused at once, or when it is decoded."""
    problem(client.post("/upload", **form(b"hello")), 415, "unsupported-picture")
    problem(client.post("/upload", **form(damaged(drawing))), 422, "bad-picture")


def test_a_browser_gets_a_page_for_an_error(client: Reader) -> None:
    """With the same status."""
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = client.post("/upload", headers=accept)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "no picture" in answer.text
