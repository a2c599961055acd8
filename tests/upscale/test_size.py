"""One size rule: a factor, a width, a height or a long side; never smaller, never past 16 times."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.errors import InvalidOption
from upres.upscale.size import MAX_FACTOR, SizeRequest

SIDES = st.integers(1, 20_000)
FACTORS = st.integers(100, 1600).map(lambda hundredths: hundredths / 100)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (300, 150)),
        ({"factor": 1}, (100, 50)),
        ({"factor": 3}, (300, 150)),
        ({"factor": 16}, (1600, 800)),
        ({"factor": 1.5}, (150, 75)),
        ({"width": 250}, (250, 125)),
        ({"height": 120}, (240, 120)),
        ({"long_side": 333}, (333, 167)),
        ({"width": 100}, (100, 50)),
        ({"height": 800}, (1600, 800)),
    ],
)
def test_what_is_asked_of_a_100x50_picture(asked: dict[str, Any], size: tuple[int, int]) -> None:
    """By default it is three times the size; the aspect ratio is always kept."""
    assert SizeRequest(**asked).size_for(width=100, height=50) == size


def test_the_long_side_may_be_the_height() -> None:
    """Whichever side is longer gets the asked length."""
    assert SizeRequest(long_side=500).size_for(width=50, height=100) == (250, 500)


@pytest.mark.parametrize(
    ("factor", "side", "result"),
    [(1.1, 10, 11), (1.1, 5, 6), (1.15, 10, 12), (2.3, 5, 12), (1.005, 100, 101), (4.35, 10, 44)],
)
def test_decimals_are_meant_as_written(factor: float, side: int, result: int) -> None:
    """1.1 of 10 is 11, and 1.15 of 10 is 11.5, rounded up: no binary fraction gets in between."""
    assert SizeRequest(factor=factor).size_for(width=side, height=side) == (result, result)


@given(factor=FACTORS, width=SIDES, height=SIDES)
def test_a_factor_is_kept_within_half_a_pixel(*, factor: float, width: int, height: int) -> None:
    """Both sides are rounded, halves up, and neither shrinks."""
    exact = Fraction(str(factor))
    result = SizeRequest(factor=factor).size_for(width=width, height=height)
    for side, enlarged in zip((width, height), result, strict=True):
        assert -Fraction(1, 2) < enlarged - side * exact <= Fraction(1, 2)
        assert enlarged >= side


@given(
    asked=st.sampled_from(["width", "height", "long_side"]),
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    data=st.data(),
)
def test_an_asked_side_comes_out_exactly(
    *, asked: str, width: int, height: int, data: st.DataObject
) -> None:
    """The side that was named is the one that is exact."""
    side = {"width": width, "height": height, "long_side": max(width, height)}[asked]
    wanted = data.draw(st.integers(side, side * MAX_FACTOR))
    result = SizeRequest(**{asked: wanted}).size_for(width=width, height=height)
    assert {"width": result[0], "height": result[1], "long_side": max(result)}[asked] == wanted


@pytest.mark.parametrize("factor", [0, -3, 0.99, 16.01, 17, 1e9, math.nan, math.inf, -math.inf])
def test_senseless_factors_are_refused(factor: float) -> None:
    """The request itself is refused, before there is a picture."""
    with pytest.raises(InvalidOption, match=r"scale is .*; expected a number from 1 to 16"):
        SizeRequest(factor=factor)


@pytest.mark.parametrize("name", ["width", "height", "long_side"])
@pytest.mark.parametrize("pixels", [0, -1])
def test_sides_without_pixels_are_refused(name: str, pixels: int) -> None:
    """The text names the option as people do."""
    with pytest.raises(InvalidOption, match=name.replace("_", " ")):
        SizeRequest(**{name: pixels})


@pytest.mark.parametrize("name", ["width", "height", "long_side"])
@pytest.mark.parametrize("pixels", [99, 1601])
def test_results_smaller_or_far_larger_are_refused(name: str, pixels: int) -> None:
    """Upres enlarges, by at most 16; which side was asked for changes nothing."""
    request = SizeRequest(**{name: pixels})
    with pytest.raises(InvalidOption, match="1 to 16 times the picture's 100x100 pixels"):
        request.size_for(width=100, height=100)


@pytest.mark.parametrize(
    "asked",
    [
        {"factor": 2.0, "width": 10},
        {"width": 10, "height": 10},
        {"height": 10, "long_side": 10},
        {"factor": 2.0, "width": 10, "height": 10, "long_side": 10},
    ],
)
def test_two_wishes_at_once_are_refused(asked: dict[str, Any]) -> None:
    """The text names each of them."""
    with pytest.raises(InvalidOption) as caught:
        SizeRequest(**asked)
    assert all(name in str(caught.value) for name in asked)


def test_only_a_factor_is_a_nominal_factor() -> None:
    """Results are named after the factor where one was asked for, or none of the four was."""
    assert SizeRequest().nominal_factor == 3
    assert SizeRequest(factor=1.5).nominal_factor == 1.5
    assert SizeRequest(width=10).nominal_factor is None
    assert SizeRequest(long_side=10).nominal_factor is None
