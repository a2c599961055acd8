"""`POST /upload` and the form for it."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from endpoint_cases import damaged, form, problem
from picture_files import opened, saved, scene

if TYPE_CHECKING:
    from endpoint_cases import Reader

    from upres.service.parts import Service


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


def test_the_form(client: Reader) -> None:
    """It posts the field to the endpoint, and has no script."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    page = _Form()
    page.feed(answer.text)
    assert page.form == {"action": "/upload", "method": "post", "enctype": "multipart/form-data"}
    assert page.field["name"] == "image"
    assert "required" in page.field
    assert page.scripts == 0
    style = client.get(page.style)
    assert (style.status_code, style.mimetype) == (200, "text/css")


def test_the_form_says_that_a_key_is_needed(client: Reader, service: Service) -> None:
    """For it cannot send one."""
    assert "API key" not in client.get("/").text
    object.__setattr__(service.settings, "api_keys_required", True)
    assert "API key" in client.get("/").text


def test_a_browser_gets_a_page_for_an_error(client: Reader) -> None:
    """With the same status."""
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = client.post("/upload", headers=accept)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "no picture" in answer.text


class _Form(HTMLParser):
    """What a page's form says."""

    def __init__(self) -> None:
        super().__init__()
        self.form: dict[str, str | None] = {}
        self.field: dict[str, str | None] = {}
        self.style = ""
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.form = found
        elif tag == "input":
            self.field = found
        elif tag == "link":
            self.style = str(found["href"])
        self.scripts += tag == "script"
