"""Reading a picture that comes as bands of rows, holding only those that are still needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from upres.errors import UnreadablePicture
from upres.image.picture import Layout, Rows
from upres.upscale.tiles import Span

_NAME = "the picture"


def checked_rows(rows: Iterable[Rows], layout: Layout) -> Iterator[Rows]:
    """Hand bands on, of any heights, and hold them to what the layout says.

    The last band goes on once the source has ended, so that a source that fails or brings too much
    at its end leaves no complete result. Raises UnreadablePicture when rows are missing or too
    many, TypeError for rows of another shape or sample type.
    """
    source = iter(rows)
    done = 0
    for band in source:
        if band.shape[1:] != (layout.width, layout.planes) or band.dtype != layout.dtype:
            raise TypeError(
                f"rows are {band.dtype} {band.shape}; "
                f"expected {np.dtype(layout.dtype)} (rows, {layout.width}, {layout.planes})"
            )
        done += len(band)
        if done > layout.height or (done == layout.height and any(map(len, source))):
            raise UnreadablePicture(_NAME, f"it has more than its {layout.height} rows")
        if len(band):
            yield band
    if done < layout.height:
        raise UnreadablePicture(_NAME, f"it ends after {done} of its {layout.height} rows")


def forked(rows: Iterable[Rows]) -> tuple[Iterator[Rows], Iterator[Rows]]:
    """Return two iterators over the same bands; only what lies between their places is held.

    `itertools.tee` lets bands go dozens at a time.
    """
    source = iter(rows)
    queues: tuple[deque[Rows], deque[Rows]] = deque(), deque()

    def branch(own: deque[Rows]) -> Iterator[Rows]:
        while True:
            if not own:
                for band in islice(source, 1):
                    for queue in queues:
                        queue.append(band)
            if not own:
                return
            yield own.popleft()

    return branch(queues[0]), branch(queues[1])


class RowReader:
    """Reads spans of rows that move down a picture; what lies above the last span is let go."""

    def __init__(self, rows: Iterable[Rows]) -> None:
        self._source = iter(rows)
        self._held: deque[Rows] = deque()
        self._start = self._stop = 0

    def read(self, span: Span) -> Rows:
        """Return the rows of a span, (rows, width, planes), not to be written to.

        No span starts above one read before. The source has the rows; see `checked_rows`.
        """
        while self._stop < span.stop:
            band = next(self._source)
            self._held.append(band)
            self._stop += len(band)
        while self._start + len(self._held[0]) <= span.start:
            self._start += len(self._held.popleft())
        parts = []
        top = self._start
        for band in self._held:
            parts.append(band[max(span.start - top, 0) : max(span.stop - top, 0)])
            top += len(band)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def bands(self, height: int, *, rows: int) -> Iterator[Rows]:
        """Yield a picture of that height in bands that all have `rows` rows, but for the last."""
        for start in range(0, height, rows):
            yield self.read(Span(start, min(start + rows, height)))
