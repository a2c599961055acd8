"""What requests bring is read strictly, and names are made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from upres.errors import InvalidOption
from upres.jobs.job import JobOptions
from upres.web.incoming import UNNAMED, display_name
from upres.web.options import PictureOptions


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
    for option in ("scale", "width", "quality", "soften"):
        with pytest.raises(ValidationError):
            PictureOptions.model_validate({option: text})


def test_nothing_asked_for_is_the_default() -> None:
    """Of the job table."""
    assert PictureOptions().job_options() == JobOptions()
    with pytest.raises(InvalidOption):
        PictureOptions(width=10, height=10).job_options()
