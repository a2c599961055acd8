"""Interpolation between pixel grids: bicubic and Lanczos, widened against aliasing when shrinking.

The grids share their outer edges, and pixels past an edge are mirrored, as MATLAB's `imresize`
has it: its bicubic is the downscale of the standard super-resolution benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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


_PORTION_BYTES = 4 * 2**20
"""About what one band holds that goes from step to step."""


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


def portions(band: Band) -> Iterator[tuple[int, int]]:
    """Cut the rows of a band into portions of bounded memory, (start, stop)."""
    rows = max(_PORTION_BYTES // band[:, :1].nbytes, 1)
    for start in range(0, band.shape[1], rows):
        yield start, min(start + rows, band.shape[1])


_Block = tuple[Span, Span, Band]
"""Some outputs, the inputs they mix, and how: a dense matrix (outputs, inputs)."""


def _block(taps: Taps, start: int) -> _Block:
    """Return the block of outputs that starts there.

    Neighbours mix nearly the same inputs, so a block is one small matrix product, and that is
    what CPUs do best.
    """
    outputs = Span(start, min(start + _BLOCK, len(taps.indices)))
    reach = taps.reach(outputs)
    matrix = np.zeros((outputs.length, reach.length), np.float32)
    row = np.arange(outputs.length)[:, np.newaxis]
    indices = taps.indices[outputs.start : outputs.stop] - reach.start
    np.add.at(matrix, (row, indices), taps.weights[outputs.start : outputs.stop])
    return outputs, reach, matrix


def _mix_rows(planes: Band, block: _Block, *, first_row: int) -> Band:
    """Interpolate down the columns; `planes` starts at input row `first_row`."""
    count, _, width = planes.shape
    outputs, reach, matrix = block
    mixed = np.empty((count, outputs.length, width), np.float32)
    read = planes[:, reach.start - first_row : reach.stop - first_row]
    chunk = max(16, _PRODUCT_LIMIT // matrix.size)
    for column in range(0, width, chunk):
        mixed[..., column : column + chunk] = matrix @ read[..., column : column + chunk]
    return mixed


def _mix_columns(planes: Band, blocks: Sequence[_Block]) -> Band:
    """Interpolate along the rows."""
    rows = planes.reshape(-1, planes.shape[2])
    mixed = np.empty((len(rows), blocks[-1][0].stop), np.float32)
    for outputs, reach, matrix in blocks:
        across = np.ascontiguousarray(matrix.T)
        chunk = max(16, _PRODUCT_LIMIT // matrix.size)
        for row in range(0, len(rows), chunk):
            read = rows[row : row + chunk, reach.start : reach.stop]
            mixed[row : row + chunk, outputs.start : outputs.stop] = read @ across
    return mixed.reshape(*planes.shape[:2], -1)


def resize_bands(
    bands: Iterable[Band], *, size: tuple[int, int], to: tuple[int, int], kernel: Kernel
) -> Iterator[Band]:
    """Resize a picture that comes as bands of rows from the top; yields bands from the top.

    Bands are float32 (planes, rows, width); `size` and `to` are (height, width) of the whole
    pictures. Only the rows that the kernel still reaches are kept, and results come a few rows at
    a time. How the picture is cut into bands makes no difference.
    """
    if size == to:
        yield from bands
        return
    down, across = axis_taps(size[0], to[0], kernel), axis_taps(size[1], to[1], kernel)
    columns = [_block(across, start) for start in range(0, to[1], _BLOCK)]
    first_needed = np.minimum.accumulate(down.indices.min(axis=1)[::-1])[::-1]
    starts = iter(range(0, to[0], _BLOCK))
    block: _Block | None = _block(down, next(starts))
    kept: Band | None = None
    first_row = 0
    for band in bands:
        kept = band if kept is None else np.concatenate([kept, band], axis=1)
        while block is not None and block[1].stop <= first_row + kept.shape[1]:
            yield _mix_columns(_mix_rows(kept, block, first_row=first_row), columns)
            start = next(starts, None)
            block = None if start is None else _block(down, start)
        if block is not None:
            spent = min(int(first_needed[block[0].start]) - first_row, kept.shape[1])
            kept, first_row = kept[:, spent:], first_row + spent


def resize(planes: Band, *, height: int, width: int, kernel: Kernel) -> Band:
    """Resize float32 (planes, H, W) to (planes, height, width) in one go."""
    bands = resize_bands(
        [planes], size=(planes.shape[1], planes.shape[2]), to=(height, width), kernel=kernel
    )
    return np.concatenate(list(bands), axis=1)
