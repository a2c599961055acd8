"""Tiles cover a picture exactly once, are all of one shape, and read a halo around what they do."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.upscale.tiles import (
    TILE_SIDES_PX,
    Span,
    Step,
    TilePlan,
    mirrored,
    plan_tiles,
    whole_plan,
)

LENGTHS = st.integers(1, 1500)
HALOS = st.integers(0, 24)
BUDGETS = st.integers(1, 600 * 600)


def axes(plan: TilePlan, *, width: int, height: int) -> list[tuple[tuple[Step, ...], int]]:
    """Return both axes' steps with the axis' length."""
    return [(plan.rows, height), (plan.columns, width)]


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS, square=st.booleans())
def test_inner_spans_cover_each_axis_exactly_once(
    *, width: int, height: int, halo_px: int, budget_px: int, square: bool
) -> None:
    """The inner spans follow one another from the first pixel to the last."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px, square=square)
    for steps, length in axes(plan, width=width, height=height):
        assert steps[0].inner.start == 0
        assert steps[-1].inner.stop == length
        assert all(before.inner.stop == after.inner.start for before, after in pairwise(steps))
        assert all(step.inner.length > 0 for step in steps)


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS, square=st.booleans())
def test_every_tile_has_one_listed_shape(
    *, width: int, height: int, halo_px: int, budget_px: int, square: bool
) -> None:
    """Engines prepare themselves for a shape, so a plan has one; asked for, it is square."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px, square=square)
    assert {step.source.length for step in plan.rows} == {plan.tile_height}
    assert {step.source.length for step in plan.columns} == {plan.tile_width}
    assert {plan.tile_height, plan.tile_width} <= set(TILE_SIDES_PX)
    if square:
        assert plan.tile_height == plan.tile_width


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_a_tile_reads_a_halo_around_what_it_answers_for(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """The halo is whole on every side; beyond the picture's edge the mirror supplies it."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    for steps, _ in axes(plan, width=width, height=height):
        for step in steps:
            assert step.source.start <= step.inner.start - halo_px
            assert step.source.stop >= step.inner.stop + halo_px


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_no_tile_reads_more_mirror_than_a_halo_where_real_pixels_are_left(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """Only a picture smaller than a tile is mirrored further, and then after its end."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    for steps, length in axes(plan, width=width, height=height):
        for step in steps:
            assert step.source.start >= -halo_px
            assert step.source.stop <= max(length + halo_px, step.source.length - halo_px)


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS, square=st.booleans())
def test_the_plan_keeps_to_the_budget_and_wastes_little(
    *, width: int, height: int, halo_px: int, budget_px: int, square: bool
) -> None:
    """No shape within the budget has both fewer tiles and fewer pixels to compute."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px, square=square)
    usable = [side for side in TILE_SIDES_PX if side > 2 * halo_px]
    shapes = [
        (tall, wide)
        for tall, wide in product(usable, usable)
        if tall * wide <= budget_px and (tall == wide or not square)
    ]
    if not shapes:
        assert (plan.tile_height, plan.tile_width) == (usable[0], usable[0])
        return
    assert plan.tile_height * plan.tile_width <= budget_px
    for tall, wide in shapes:
        rows = -(-height // (tall - 2 * halo_px))
        columns = -(-width // (wide - 2 * halo_px))
        computed = rows * columns * tall * wide
        assert computed >= plan.computed_px or rows * columns >= plan.tiles


def test_a_halo_that_fits_no_tile_is_refused() -> None:
    """There must be a pixel left between two halos."""
    with pytest.raises(ValueError, match=r"no tile side of .* a halo of 256 px"):
        plan_tiles(100, 100, halo_px=256, budget_px=10**6)


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS)
def test_the_whole_plan_is_one_tile(*, width: int, height: int, halo_px: int) -> None:
    """It reads the picture and one halo around it."""
    plan = whole_plan(width, height, halo_px=halo_px)
    assert plan.tiles == 1
    assert plan.rows[0].source == Span(-halo_px, height + halo_px)
    assert plan.columns[0].source == Span(-halo_px, width + halo_px)
    assert plan.rows[0].inner == Span(0, height)
    assert plan.columns[0].inner == Span(0, width)
    assert plan.computed_px == (width + 2 * halo_px) * (height + 2 * halo_px)


@given(length=st.integers(1, 12), start=st.integers(-60, 60), extent=st.integers(1, 60))
def test_mirroring_is_numpys_symmetric_padding(*, length: int, start: int, extent: int) -> None:
    """Any span, however far outside, reads what `numpy.pad` would have put there."""
    span = Span(start, start + extent)
    before, after = max(0, -span.start), max(0, span.stop - length)
    padded = np.pad(np.arange(length), (before, after), mode="symmetric")
    expected = padded[before + span.start : before + span.stop]
    np.testing.assert_array_equal(mirrored(span, length), expected)


def test_spans_and_crops_count_from_their_own_origin() -> None:
    """A crop is relative to what was read; scaling takes both ends along."""
    step = Step(source=Span(-8, 24), inner=Span(0, 16))
    assert step.crop == Span(8, 24)
    assert step.crop.scaled(3) == Span(24, 72)
    assert step.source.length == 32
