"""Rectangles over marked cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from upres.upscale.cover import covered

MARGIN = 2


def cost(rows: Any, columns: Any) -> Any:
    """Every rectangle costs what lies around it, too."""
    return (rows + MARGIN) * (columns + MARGIN)


@given(mask=st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda s: arrays(bool, s)))
def test_every_marked_cell_is_in_one_rectangle_and_it_is_worth_it(mask: Any) -> None:
    count = np.zeros(mask.shape, int)
    spent = 0
    for one in covered(mask, cost):
        count[one.rows.start : one.rows.stop, one.columns.start : one.columns.stop] += 1
        spent += cost(one.rows.length, one.columns.length)
    assert count.max(initial=0) <= 1
    assert (count[mask] == 1).all()
    assert spent <= cost(*mask.shape)


def test_nothing_marked_needs_no_rectangle() -> None:
    assert covered(np.zeros((3, 5), bool), cost) == []


def test_two_far_corners_are_two_rectangles() -> None:
    mask = np.zeros((20, 30), bool)
    mask[:3, :4] = mask[15:, 20:] = True
    areas = sorted(one.rows.length * one.columns.length for one in covered(mask, cost))
    assert areas == [12, 50]


def test_a_frame_is_cut_around_its_hole() -> None:
    """No single cut pays here: the hole shows only after several."""
    mask = np.ones((30, 30), bool)
    mask[4:26, 4:26] = False
    found = covered(mask, cost)
    assert sum(cost(one.rows.length, one.columns.length) for one in found) < 0.7 * cost(30, 30)
