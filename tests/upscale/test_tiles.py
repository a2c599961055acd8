"""Tiles cover a picture exactly once, are all of one shape, and read a halo around what they do."""

from __future__ import annotations

from itertools import pairwise, product
from math import prod

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


def seen_length(length: int) -> int:
    """Return how long an axis is for the network: a listed side, or all of a longer picture."""
    return min((side for side in TILE_SIDES_PX if side >= length), default=length)


def axes(plan: TilePlan, *, width: int, height: int) -> list[tuple[tuple[Step, ...], int]]:
    """Return both axes' steps with the axis' length."""
    return [(plan.rows, height), (plan.columns, width)]


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_inner_spans_cover_each_axis_exactly_once(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """The inner spans follow one another from the first pixel to the last."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    for steps, length in axes(plan, width=width, height=height):
        assert steps[0].inner.start == 0
        assert steps[-1].inner.stop == length
        assert all(before.inner.stop == after.inner.start for before, after in pairwise(steps))
        assert all(step.inner.length > 0 for step in steps)


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_every_tile_has_one_listed_shape(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """Engines prepare themselves for a shape, so a plan has one."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    assert {step.source.length for step in plan.rows} == {plan.tile_height}
    assert {step.source.length for step in plan.columns} == {plan.tile_width}
    assert {plan.tile_height, plan.tile_width} <= set(TILE_SIDES_PX)
    assert plan.tiles == len(plan.rows) * len(plan.columns)
    assert plan.computed_px == plan.tiles * plan.tile_height * plan.tile_width


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_a_tile_reads_a_halo_around_what_it_answers_for(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """The halo is whole at every border between tiles; at the outer edges none is needed."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    for steps, length in axes(plan, width=width, height=height):
        for step in steps:
            assert step.source.start <= max(step.inner.start - halo_px, 0)
            assert step.source.stop >= min(step.inner.stop + halo_px, seen_length(length))


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_every_tile_lies_in_the_same_extended_picture(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """How far the mirror extends a picture depends on its size, never on halo or budget."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    for steps, length in axes(plan, width=width, height=height):
        assert steps[0].source.start == 0
        assert all(0 <= step.source.start < step.inner.stop for step in steps)
        assert all(step.source.stop <= seen_length(length) for step in steps)


def tiles_needed(length: int, *, side: int, halo_px: int) -> int:
    """Count tiles of a side along an axis: the first and the last need one halo, the rest two."""
    count = 1
    while (
        side + (count - 1) * (side - 2 * halo_px) < seen_length(length)
        and count * (side - 2 * halo_px) + halo_px < length
    ):
        count += 1
    return count


@given(width=LENGTHS, height=LENGTHS, halo_px=HALOS, budget_px=BUDGETS)
def test_the_plan_keeps_to_the_budget_and_wastes_little(
    *, width: int, height: int, halo_px: int, budget_px: int
) -> None:
    """No shape within the budget has both fewer tiles and fewer pixels to compute."""
    plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
    tall_sides, wide_sides = (
        [
            side
            for side in TILE_SIDES_PX
            if side == seen_length(length) or 2 * halo_px < side < seen_length(length)
        ]
        for length in (height, width)
    )
    shapes = [shape for shape in product(tall_sides, wide_sides) if prod(shape) <= budget_px]
    if not shapes:
        assert (plan.tile_height, plan.tile_width) == (tall_sides[0], wide_sides[0])
        return
    assert plan.tile_height * plan.tile_width <= budget_px
    for tall, wide in shapes:
        rows = tiles_needed(height, side=tall, halo_px=halo_px)
        columns = tiles_needed(width, side=wide, halo_px=halo_px)
        if (tall, wide) == (plan.tile_height, plan.tile_width):
            assert (rows, columns) == (len(plan.rows), len(plan.columns))
        assert rows * columns * tall * wide >= plan.computed_px or rows * columns >= plan.tiles


def test_a_halo_that_fits_no_tile_is_refused() -> None:
    """There must be a pixel left between two halos; a picture of one tile needs none."""
    plan_tiles(512, 512, halo_px=256, budget_px=10**6)
    with pytest.raises(ValueError, match=r"no tile side of .* a halo of 256 px"):
        plan_tiles(513, 100, halo_px=256, budget_px=10**6)


@given(width=LENGTHS, height=LENGTHS)
def test_the_whole_plan_is_one_tile(*, width: int, height: int) -> None:
    """It sees what tiles see together: the picture, extended to a listed side if it is small."""
    plan = whole_plan(width, height)
    assert plan.tiles == 1
    assert plan.rows[0].source == Span(0, seen_length(height))
    assert plan.columns[0].source == Span(0, seen_length(width))
    assert plan.rows[0].inner == Span(0, height)
    assert plan.columns[0].inner == Span(0, width)


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
    step = Step(source=Span(40, 72), inner=Span(48, 64))
    assert step.crop == Span(8, 24)
    assert step.crop.scaled(3) == Span(24, 72)
    assert step.source.length == 32
