from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from upres.upscale.tiles import Span
from upres.video.windows import Box, changed_pixels, windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = (96, 128)
INNER = Box(Span(12, 84), Span(0, 116))


def marked(places: list[tuple[int, int, int, int]]) -> NDArray[np.bool_]:
    """Mark rectangles, (row, column, height, width), of a tile."""
    changed = np.zeros(TILE, bool)
    for row, column, height, width in places:
        changed[row : row + height, column : column + width] = True
    return changed


def spread(changed: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Mark everything that is at most so far from a mark, along both axes."""
    padded = np.pad(changed, reach)
    views = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(views.any(axis=(2, 3)))


rectangles = st.lists(
    st.tuples(st.integers(0, 95), st.integers(0, 127), st.integers(1, 30), st.integers(1, 30)),
    max_size=5,
)


@given(places=rectangles, reach=st.integers(0, 30))
def test_all_that_may_change_is_wanted_and_seen_with_all_around_it(
    places: list[tuple[int, int, int, int]], reach: int
) -> None:
    """As far as the network reaches, and again as far, but for where the tile ends."""
    changed = marked(places)
    wanted = np.zeros(TILE, bool)
    for part in windows(changed, INNER, reach_px=reach):
        wanted[part.wanted.slices] = True
        for seen, want, end in zip(part.source, part.wanted, TILE, strict=True):
            assert 0 <= seen.start <= max(0, want.start - reach)
            assert min(end, want.stop + reach) <= seen.stop <= end
            assert seen.length % 16 == 0
        for span, inner in zip(part.wanted, INNER, strict=True):
            assert inner.start <= span.start < span.stop <= inner.stop
    may_change = np.zeros(TILE, bool)
    may_change[INNER.slices] = spread(changed, reach)[INNER.slices]
    assert not (may_change & ~wanted).any()


def test_changes_in_two_corners_get_a_window_each() -> None:
    """What lies between them is left alone."""
    parts = windows(marked([(14, 2, 4, 4), (76, 104, 4, 4)]), INNER, reach_px=2)
    assert len(parts) == 2
    assert sum(part.source.area_px for part in parts) < 2000
    assert not windows(marked([]), INNER, reach_px=2)
    assert not windows(marked([(0, 0, 4, 4)]), INNER, reach_px=2)


def test_a_change_of_any_sample_is_one() -> None:
    """Of any plane, by any amount."""
    before = np.zeros((4, 5, 3), np.uint16)
    now = before.copy()
    now[1, 2, 0] = now[3, 4, 2] = 1
    assert np.argwhere(changed_pixels(before, now)).tolist() == [[1, 2], [3, 4]]
