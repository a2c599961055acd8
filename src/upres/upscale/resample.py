"""Interpolation between pixel grids: bicubic and Lanczos, widened against aliasing when shrinking.

The grids share their outer edges, and pixels past an edge are mirrored, as MATLAB's `imresize`
has it: its bicubic is the downscale of the standard super-resolution benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from upres.upscale.tiles import Span

Band = NDArray[np.float32]
"""Some rows of a picture: (planes, rows, width)."""

_BLOCK = 32
"""Output lines computed by one matrix product."""

_PRODUCT_LIMIT = 250_000
"""Multiplications in one product: below this BLAS works in the calling thread, above it wakes a
pool of threads of its own, which halts for milliseconds a product when cores are busy."""


@dataclass(frozen=True)
class Kernel:
    """An interpolation function and how far it reaches, in pixels of the coarser grid."""

    name: str
    radius: int
    weight: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = -1/2 (Keys 1981)."""
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))  # noqa: PLR2004 - the kernel's knots


def _lanczos3(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """sinc(x) sinc(x / 3) inside three pixels (Duchon 1979)."""
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)  # noqa: PLR2004


BICUBIC = Kernel("bicubic", 2, _cubic)
LANCZOS = Kernel("lanczos", 3, _lanczos3)
KERNELS = {kernel.name: kernel for kernel in (BICUBIC, LANCZOS)}


@dataclass(frozen=True)
class Taps:
    """For each output pixel of an axis, the input pixels it mixes and their weights."""

    indices: NDArray[np.intp]
    """(outputs, taps), inside the axis, ascending reach per output."""
    weights: NDArray[np.float64]
    """(outputs, taps), each row sums to 1."""

    def reach(self, outputs: Span) -> Span:
        """Return the input pixels that a range of outputs needs."""
        used = self.indices[outputs.start : outputs.stop]
        return Span(int(used.min()), int(used.max()) + 1)


@lru_cache(maxsize=16)
def axis_taps(n_in: int, n_out: int, kernel: Kernel) -> Taps:
    """Compute the taps of one axis from `n_in` to `n_out` pixels."""
    scale = n_out / n_in
    stretch = min(scale, 1.0)  # a shrinking axis reads through a wider kernel
    centres = (np.arange(n_out) + 0.5) / scale - 0.5
    radius = kernel.radius / stretch
    first = np.floor(centres - radius).astype(np.intp)
    taps = int(np.ceil(2 * radius)) + 2
    positions = first[:, np.newaxis] + np.arange(taps)
    weights = kernel.weight((centres[:, np.newaxis] - positions) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    folded = positions % (2 * n_in)
    indices = np.where(folded < n_in, folded, 2 * n_in - 1 - folded)
    used = np.flatnonzero(np.any(weights != 0, axis=0))
    return Taps(indices[:, used[0] : used[-1] + 1], weights[:, used[0] : used[-1] + 1])


def _blocks(taps: Taps, outputs: Span) -> Iterator[tuple[Span, Span, Band]]:
    """Cut a range of outputs into blocks: their span, the input span they mix, a dense matrix.

    Neighbours mix nearly the same inputs, so a block is one small matrix product, and that is
    what CPUs do best.
    """
    for start in range(outputs.start, outputs.stop, _BLOCK):
        block = Span(start, min(start + _BLOCK, outputs.stop))
        reach = taps.reach(block)
        matrix = np.zeros((block.length, reach.length), np.float32)
        row = np.arange(block.length)[:, np.newaxis]
        indices = taps.indices[block.start : block.stop] - reach.start
        np.add.at(matrix, (row, indices), taps.weights[block.start : block.stop])
        yield block, reach, matrix


def _mix_rows(planes: Band, taps: Taps, *, outputs: Span, first_row: int) -> Band:
    """Interpolate down the columns; `planes` starts at input row `first_row`."""
    count, _, width = planes.shape
    mixed = np.empty((count, outputs.length, width), np.float32)
    for block, reach, matrix in _blocks(taps, outputs):
        read = planes[:, reach.start - first_row : reach.stop - first_row]
        part = mixed[:, block.start - outputs.start : block.stop - outputs.start]
        chunk = max(16, _PRODUCT_LIMIT // matrix.size)
        for column in range(0, width, chunk):
            part[..., column : column + chunk] = matrix @ read[..., column : column + chunk]
    return mixed


def _mix_columns(planes: Band, taps: Taps) -> Band:
    """Interpolate along the rows."""
    rows = planes.reshape(-1, planes.shape[2])
    mixed = np.empty((len(rows), len(taps.indices)), np.float32)
    for block, reach, matrix in _blocks(taps, Span(0, mixed.shape[1])):
        across = np.ascontiguousarray(matrix.T)
        chunk = max(16, _PRODUCT_LIMIT // matrix.size)
        for row in range(0, len(rows), chunk):
            read = rows[row : row + chunk, reach.start : reach.stop]
            mixed[row : row + chunk, block.start : block.stop] = read @ across
    return mixed.reshape(*planes.shape[:2], -1)


def resize_bands(
    bands: Iterable[Band], *, size: tuple[int, int], to: tuple[int, int], kernel: Kernel
) -> Iterator[Band]:
    """Resize a picture that comes as bands of rows from the top; yields bands from the top.

    Bands are float32 (planes, rows, width); `size` and `to` are (height, width) of the whole
    pictures. Only the rows that the kernel still reaches are kept.
    """
    if size == to:
        yield from bands
        return
    down, across = axis_taps(size[0], to[0], kernel), axis_taps(size[1], to[1], kernel)
    last_needed = np.maximum.accumulate(down.indices.max(axis=1))
    first_needed = np.minimum.accumulate(down.indices.min(axis=1)[::-1])[::-1]
    kept: Band | None = None
    first_row = done = 0
    for band in bands:
        kept = band if kept is None else np.concatenate([kept, band], axis=1)
        ready = int(np.searchsorted(last_needed, first_row + kept.shape[1]))
        if ready > done:
            rows = _mix_rows(kept, down, outputs=Span(done, ready), first_row=first_row)
            yield _mix_columns(rows, across)
            done = ready
        if done < to[0]:
            spent = int(first_needed[done]) - first_row
            kept, first_row = kept[:, spent:], first_row + spent


def resize(planes: Band, *, height: int, width: int, kernel: Kernel) -> Band:
    """Resize float32 (planes, H, W) to (planes, height, width) in one go."""
    bands = resize_bands(
        [planes], size=(planes.shape[1], planes.shape[2]), to=(height, width), kernel=kernel
    )
    return np.concatenate(list(bands), axis=1)
