"""Alpha through an enlargement: colours multiplied by it on the way, divided by it at the end.

Products of colour and alpha are linear in what is seen, so whatever mixes pixels mixes them right
over any background: a clear pixel counts for nothing, a faint one for little. Both ends are local
rules, so that a picture can pass through them in bands of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from upres.image.picture import Layout, Rows, Samples
from upres.upscale.resample import Band
from upres.upscale.rows import RowReader
from upres.upscale.tiles import Span
from upres.upscale.transparency import FAINT

_WEAK = 1 / 32
"""Share of full alpha below which a pixel beside others widens their colours' range little."""
_TINY = np.float32(1e-6)


def premultiply(planes: Band) -> None:
    """Multiply the colour planes by alpha, the last one, in place."""
    alpha = planes[-1]
    if alpha.min() < 1:
        planes[:-1] *= alpha


def over_white(planes: Band) -> Band:
    """Lay a picture of multiplied colours and alpha over white; returns the colour planes."""
    laid: Band = planes[:-1] + (1 - planes[-1])
    return laid


def neighbour_range(samples: Rows) -> tuple[Rows, Rows, Rows]:
    """Return what colours and alpha a pixel may have, judged by its 3x3 neighbours.

    `samples` are straight colours and alpha. The least and the greatest of every plane; and for
    the colour planes, how far a colour multiplied by alpha may pass them. Colours of clear pixels
    do not count, and those of weak ones beside others by no more than their alpha. Where all are
    clear the least is white and the greatest black.
    """
    white = np.iinfo(samples.dtype).max
    alpha = samples[..., -1]
    weak = alpha < _WEAK * white
    least, greatest = _range(samples, alpha > 0)
    low, high = _range(samples, ~weak)
    alone = high[..., -1] < _WEAK * white
    low[alone], high[alone] = least[alone], greatest[alone]
    share = _extreme(np.where(weak, alpha, 0), np.maximum)[..., np.newaxis] / np.float32(white)
    passing = np.maximum(low - least, greatest - high)[..., :-1]
    return low, high, np.ceil(share * passing).astype(samples.dtype)


def _range(samples: Rows, counting: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Return extremes of the neighbours; only some pixels' colours count, but all their alpha."""
    low, high = samples.copy(), samples.copy()
    low[~counting, :-1], high[~counting, :-1] = np.iinfo(samples.dtype).max, 0
    return _extreme(low, np.minimum), _extreme(high, np.maximum)


def split_alpha(planes: Band, white: Band, low: Band, high: Band, passing: Band) -> None:
    """Find the colours and alpha that come nearest to two pictures, over black and over white.

    The colour planes of `planes` hold the picture over black, `white` is the one over white; what
    they differ by shines through. In place, `planes` become multiplied colours and alpha. What the
    planes of the two disagree about is shared between black and white; mid-gray has none of it.

    `low`, `high` and `passing` are the range of the source pixels around (`neighbour_range`). Alpha
    stays in it. A network overshoots at an edge to black and at an edge to white; but the colours
    of a shape know nothing of its ground, and so they stay in it too, where alpha has an edge. In
    other places they are drawn there by up to twice what the two pictures disagree by, and keep the
    rest: that is what the network makes of the shape itself.
    """
    colours, alpha = planes[:-1], planes[-1]
    through = white - colours
    np.clip(1 - through.mean(axis=0), low[-1], high[-1], out=alpha)
    through -= 1 - alpha
    doubt = 2 * np.abs(through).max(axis=0)
    doubt[low[-1] < np.maximum(high[-1], _TINY)] = np.inf
    through /= 2
    colours += through
    excess = np.minimum(colours - low[:-1] * alpha + passing, 0)
    excess += np.maximum(colours - high[:-1] * alpha - passing, 0)
    colours -= np.clip(excess, -doubt, doubt)


def straight_bands(
    bands: Iterable[Band], rows: Iterable[Rows], layout: Layout, *, width: int, height: int
) -> Iterator[Band]:
    """Divide multiplied colours by alpha and bring alpha into bounds, band by band, in place.

    `bands` are of `width` x `height` pixels, enlarged from a picture whose colours under
    transparency were filled (`filled_rows`): `rows`. Alpha is kept between the least and the
    greatest of the 3x3 source pixels around it: networks and kernels overshoot at edges and ring
    beyond them, and networks are a level or more off on plain areas; in alpha that is a ghost line,
    or an opaque area one can see through. Colours are not bounded by it, they keep their ratio to
    the alpha they came with. Below `FAINT` alpha they turn into the filled ones, which changes
    what is seen by one level of 255 at most.
    """
    reader = RowReader(rows)
    across = _nearest(Span(0, width), layout.width, width)
    row = 0
    for band in bands:
        down = _nearest(Span(row, row + band.shape[1]), layout.height, height)
        row += band.shape[1]
        near = Span(max(int(down[0]) - 1, 0), min(int(down[-1]) + 2, layout.height))
        source = reader.read(near)
        if source[..., -1].min() == layout.sample_max:
            band[-1] = 1
        else:
            _straighten(band, source, down - near.start, across)
        yield band


def _straighten(band: Band, source: Rows, down: NDArray[np.intp], across: NDArray[np.intp]) -> None:
    """Do so with a band; `down` and `across` give each row's and column's place in the source."""
    white = np.float32(np.iinfo(source.dtype).max)
    colours, alpha = band[:-1], band[-1]
    colours /= np.maximum(alpha, _TINY)
    np.clip(colours, 0, 1, out=colours)
    low, high = (
        np.divide(_extreme(source[..., -1], of)[np.ix_(down, across)], white, dtype=np.float32)
        for of in (np.minimum, np.maximum)
    )
    bounded = np.clip(alpha, low, high)
    own = np.minimum(alpha, bounded)
    y, x = np.nonzero(own < FAINT)
    if len(y):
        share = np.maximum(own[y, x] / FAINT, 0)
        filled = np.divide(source[down[y], across[x], :-1].T, white, dtype=np.float32)
        colours[:, y, x] = filled + share * (colours[:, y, x] - filled)
    alpha[...] = bounded


def _nearest(span: Span, n_in: int, n_out: int) -> NDArray[np.intp]:
    """Return the input pixel under each of some output pixels' centres."""
    return (2 * np.arange(span.start, span.stop) + 1) * n_in // (2 * n_out)


def _extreme(samples: NDArray[Samples], of: np.ufunc) -> NDArray[Samples]:
    """Return the minimum or maximum of every pixel's 3x3 neighbours, as far as there are any."""
    tall = samples.copy()
    of(tall[1:], samples[:-1], out=tall[1:])
    of(tall[:-1], samples[1:], out=tall[:-1])
    wide = tall.copy()
    of(wide[:, 1:], tall[:, :-1], out=wide[:, 1:])
    of(wide[:, :-1], tall[:, 1:], out=wide[:, :-1])
    return wide
