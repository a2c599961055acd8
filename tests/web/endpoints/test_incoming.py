"""What requests bring is read strictly, and names are made harmless."""

from __future__ import annotations

import errno
import io
import tempfile
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from endpoint_cases import JOBS, problem
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from upres.errors import DiskFull, InvalidOption, RateLimited
from upres.jobs.job import JobOptions
from upres.web.forms import FormFile, FormRequest
from upres.web.incoming import UNNAMED, cut, display_name
from upres.web.options import PictureOptions

if TYPE_CHECKING:
    from pathlib import Path

    from endpoint_cases import Reader

    from upres.service.parts import Service


@given(st.text(max_size=600))
def test_any_name_can_be_shown(text: str) -> None:
    """In one line, in any direction, in 255 bytes; twice is once."""
    name = display_name(text)
    assert name
    assert len(name.encode()) <= 255
    assert not {"/", "\\"} & set(name)
    assert all(unicodedata.category(one)[0] != "C" for one in name)
    assert display_name(name) == name


def test_plain_names_stay() -> None:
    """In every script."""
    for name in ("photo.jpg", "Straße 3.png", "照片.webp", "a.b.c"):
        assert display_name(name) == name
    assert display_name(" .. ") == UNNAMED


@given(st.floats(min_value=1, max_value=16))
def test_numbers_are_read_as_json_writes_them(factor: float) -> None:
    """From the text of a query."""
    assert PictureOptions.model_validate({"scale": repr(factor)}).scale == factor


@pytest.mark.parametrize(
    "text", ["", " 2", "2 ", "+2", "0x2", "1_0", "nan", "inf", "٣", "2,5", "1e"]
)
def test_other_writings_are_refused(text: str) -> None:
    """Which Python would take, too."""
    for option in ("scale", "width", "quality", "soften", "clean"):
        with pytest.raises(ValidationError):
            PictureOptions.model_validate({option: text})


def test_nothing_asked_for_is_the_default() -> None:
    """Of the job table."""
    assert PictureOptions().job_options() == JobOptions()
    with pytest.raises(InvalidOption):
        PictureOptions(width=10, height=10).job_options()


@given(st.text(max_size=300), st.sampled_from(["_x3.jpg", "_10000x10000.webp", "-12.tiff"]))
def test_names_are_cut_before_their_ending(stem: str, ending: str) -> None:
    """To what file systems take, between characters."""
    name = cut(stem, ending)
    assert name.endswith(ending)
    assert len(name.encode(errors="surrogatepass")) <= 255
    assert stem.startswith(name.removesuffix(ending))


def form_of(*pictures: bytes) -> dict[str, Any]:
    files = [(io.BytesIO(one), "photo.jpg") for one in pictures]
    return {"data": {"image": files}, "content_type": "multipart/form-data"}


@pytest.mark.parametrize("address", [JOBS, "/api/v1/enlarge", "/upload"])
def test_two_pictures_where_one_is_taken(client: Reader, photo: bytes, address: str) -> None:
    """Neither is chosen."""
    answer = client.post(address, **form_of(photo, photo))
    assert "/api/v1/batches" in problem(answer, 422, "invalid-option")["detail"]


def test_a_body_without_a_byte(client: Reader) -> None:
    """From a server that says of every body that it ends; so ours does."""
    environ = {"wsgi.input_terminated": True}
    problem(client.post(JOBS, environ_overrides=environ), 400, "no-file")


def test_forms_lie_in_the_data_folder(
    client: Reader, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a name, and only as long as there is the room that is to stay."""
    folders = set()
    real = tempfile.TemporaryFile

    def temporary(*args: Any, **options: Any) -> Any:
        folders.add(options["dir"])
        return real(*args, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    monkeypatch.setattr("upres.web.forms._IN_MEMORY_BYTES", 1000)
    much = bytes(10_000)
    problem(client.post(JOBS, **form_of(much)), 415, "unsupported-picture")
    assert folders == {str(service.settings.data_folder / "forms")}
    assert list((service.settings.data_folder / "forms").iterdir()) == []
    object.__setattr__(service.settings, "free_floor_bytes", 2**62)
    problem(client.post(JOBS, **form_of(much)), 503, "disk-full")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(("method", "given_"), [("write", b"x"), ("seek", 0)])
def test_a_disk_that_fills_up_under_a_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, method: str, given_: Any
) -> None:
    """Noticed when it is written to, or when what waits to be written is."""

    def fail(*_: Any) -> int:
        raise OSError(number, "full")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, method, fail)
    file = FormFile(tmp_path, lambda _: None)
    with pytest.raises(DiskFull):
        getattr(file, method)(given_)
    file.close()


def test_a_request_counts_before_it_is_read(
    client: Reader, monkeypatch: pytest.MonkeyPatch, photo: bytes
) -> None:
    """Who asked too often has its form left alone."""

    def refuse() -> None:
        raise RateLimited("requests", limit=1, retry_after_s=7)

    for module in ("incoming", "upload", "batches"):
        monkeypatch.setattr(f"upres.web.{module}.charge_request", refuse)
    monkeypatch.setattr(FormRequest, "_load_form_data", lambda _: pytest.fail("it was read"))
    for address in (JOBS, "/api/v1/enlarge", "/upload", "/api/v1/batches"):
        answer = client.post(address, **form_of(photo))
        problem(answer, 429, "rate-limited")
        assert answer.headers["Retry-After"] == "7"
