"""Options that mean the same are written the same, and the states are the ones that are drawn."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_cases import request

from upres.errors import InvalidOption
from upres.image.formats import FORMATS
from upres.jobs import job
from upres.jobs.job import FINISHED, TRANSITIONS, UNFINISHED, JobOptions, State

SIZES = st.one_of(
    st.fixed_dictionaries({}),
    st.builds(lambda factor: {"factor": factor}, st.one_of(st.integers(1, 16), st.floats(1, 16))),
    st.builds(
        lambda name, px: {name: px},
        st.sampled_from(["width", "height", "long_side"]),
        st.integers(1, 10**6),
    ),
)
REST = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["auto", "lite", "my-model"]),
        "tta": st.booleans(),
        "soften": st.one_of(st.floats(0, 1), st.integers(0, 1)),
        "clean": st.one_of(st.none(), st.floats(0, 1), st.integers(0, 1)),
        "format": st.sampled_from([None, *FORMATS]),
        "quality": st.integers(1, 100),
        "keep_metadata": st.booleans(),
    },
)


@given(SIZES, REST)
def test_options_survive_being_written(size: dict[str, Any], rest: dict[str, Any]) -> None:
    """Read back they are the same request, and are written the same."""
    options = JobOptions(**size, **rest)
    text = options.canonical()
    again = JobOptions.from_canonical(text)
    assert again.canonical() == text
    assert again == (options if size else JobOptions(factor=3, **rest))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"factor": 3}),
        ({"factor": 2}, {"factor": 2.0}),
        ({"soften": 0}, {"soften": 0.0, "quality": 95}),
        ({"model": "auto", "tta": False}, {}),
        ({"clean": 0}, {"clean": 0.0}),
        ({"clean": None}, {}),
    ],
)
def test_the_same_request_is_written_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whether defaults are given or not, and whatever a number's type."""
    assert JobOptions(**one).canonical() == JobOptions(**other).canonical()


@given(SIZES, REST, SIZES, REST)
def test_different_requests_are_written_differently(
    size: dict[str, Any], rest: dict[str, Any], other_size: dict[str, Any], other: dict[str, Any]
) -> None:
    """No two requests share a text unless every value is equal."""
    one, two = JobOptions(**size, **rest), JobOptions(**other_size, **other)
    written = [json.loads(options.canonical()) for options in (one, two)]
    assert (one.canonical() == two.canonical()) == (written[0] == written[1])
    for options, values in zip((one, two), written, strict=True):
        assert values["factor"] == (options.factor or (3 if options.size.nominal_factor else None))


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 17},
        {"factor": True},
        {"width": 10, "height": 10},
        {"width": 0},
        {"soften": 1.5},
        {"soften": float("nan")},
        {"soften": "much"},
        {"clean": -0.1},
        {"clean": float("nan")},
        {"clean": True},
        {"model": ""},
        {"format": "psd"},
        {"quality": 0},
        {"quality": True},
        {"quality": 95.5},
        {"tta": 1},
        {"keep_metadata": "yes"},
    ],
)
def test_options_without_sense_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything is stored."""
    with pytest.raises(InvalidOption):
        JobOptions(**wrong)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "line\nline", "\ud800"])
def test_idempotency_keys_that_cannot_be_stored_are_refused(key: str) -> None:
    """The longest has 255 characters."""
    with pytest.raises(InvalidOption, match="idempotency key"):
        request(idempotency_key=key)
    assert request(idempotency_key="x" * 255).idempotency_key


def test_every_state_is_drawn_and_has_its_ways() -> None:
    """The docstring names each, the data has each, and expired is the only end."""
    for state in State:
        assert state.name in (job.__doc__ or "")
    assert set(TRANSITIONS) == set(State)
    assert [state for state in State if not TRANSITIONS[state]] == [State.EXPIRED]
    assert FINISHED | UNFINISHED | {State.EXPIRED} == set(State)
    for state in FINISHED:
        assert not TRANSITIONS[state] & (UNFINISHED | FINISHED)
