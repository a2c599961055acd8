"""Measures a picture's condition: block edges of compression, noise, aliasing or blur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upres.image.picture import Layout, Rows

Luma = NDArray[np.float32]
"""(rows, width), black 0, white 255."""

Chroma = NDArray[np.float32]
"""(2, rows, width) of every few pixels: red and blue minus luma, in levels of 255."""

MEASURED_PX = 4_000_000
"""Of larger pictures only so many pixels are looked at, in strips from all over them."""
_STRIP_ROWS = 64
_BLOCK_PX = 8
"""The grid of JPEG and, with less at stake, of WebP."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_COLOUR_PLANES = 3
_FLAT_SHARE = 0.03
"""The flattest blocks tell the noise: whatever else is in a picture, it has some of them."""
_SATURATED = (6.0, 249.0)
"""Noise is cut off at black and white: such blocks tell nothing of it."""
_OF_PURE_NOISE = {"noise": 0.72, "grain": 0.83}
"""What the flattest blocks show of a field of nothing but noise: of many, some have less."""
_LARGEST_STEP = 12.0
"""A larger step between neighbours is the picture's own."""
_SMALLEST_PX = 24
_COLOUR_STEP_PX = 4
"""Colours are looked at on every fourth pixel of every fourth row."""
_TONES = 64
"""A tint may be another one in the shadows than in the lights: it is sought in so many steps."""
ONE_TINT = 5.0
"""Standard deviation of colours, in levels, up to which a picture counts as of one tint."""
MANY_COLOURS = 255.0
"""Of a picture that is too small to tell: as if every pixel had a colour of its own."""
_TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What was measured; every number is 0 where a picture is too small to tell."""

    blocks: float
    """How much stronger steps are across the lines of an 8x8 grid than elsewhere: 0 is not."""
    noise: float
    """From pixel to pixel, in the flattest parts: standard deviation in levels of 255."""
    grain: float
    """The same, coarser structure than single pixels included."""
    sharpness: float
    """Power of the finest detail against that of twice its size: low is blurred, high aliased."""
    colours: float = MANY_COLOURS
    """How far colours are from one tint, standard deviation in levels: little in old prints."""
    quality: float | None = None
    """What the file's own tables say of its compression, 1..100; None where it has none."""

    @property
    def print_noise(self) -> float | None:
        """The noise of a picture of one tint, as old prints are; None where there are more."""
        return self.noise if self.colours <= ONE_TINT else None


UNKNOWN = Condition(blocks=0.0, noise=0.0, grain=0.0, sharpness=0.0)
"""Of a picture that is too small to tell."""


class _Sums:
    """What strips add to, until the whole picture was seen."""

    def __init__(self) -> None:
        self.steps = {axis: np.zeros((2, _BLOCK_PX)) for axis in (0, 1)}
        self.fine = self.coarse = 0.0
        self.noise: list[NDArray[np.float32]] = []
        self.grain: list[NDArray[np.float32]] = []
        self.tint = np.zeros((3, 2, _TONES))

    def add(
        self, luma: Luma, opaque: NDArray[np.bool_] | None, first_row: int, chroma: Chroma
    ) -> None:
        """Take in a strip; `first_row` is its place in the picture."""
        self._add_tint(luma, chroma)
        for axis in (0, 1):
            self._add_steps(luma, axis, first_row if axis == 0 else 0)
            self._add_detail(luma, axis)
        self._add_blocks(luma, opaque)

    def _add_steps(self, luma: Luma, axis: int, first: int) -> None:
        """Sum, for each place in the grid, by how much a step exceeds its neighbours."""
        lines = luma if axis == 0 else luma.T
        step = np.diff(lines, axis=0)
        excess = np.abs(step[1:-1] - (step[:-2] + step[2:]) / 2)
        mean = np.minimum(excess, _LARGEST_STEP).mean(axis=1)
        places = (np.arange(len(mean)) + first + 2) % _BLOCK_PX  # of the line behind the step
        np.add.at(self.steps[axis][0], places, mean)
        np.add.at(self.steps[axis][1], places, 1)

    def _add_detail(self, luma: Luma, axis: int) -> None:
        lines = luma if axis == 0 else luma.T
        fine = lines[1:-3] - 2 * lines[2:-2] + lines[3:-1]
        coarse = lines[:-4] - 2 * lines[2:-2] + lines[4:]
        self.fine += float(np.square(fine).sum())
        self.coarse += float(np.square(coarse).sum())

    def _add_blocks(self, luma: Luma, opaque: NDArray[np.bool_] | None) -> None:
        """Keep how much each 8x8 block differs from a plane, and each pixel from its neighbours."""
        blocks = _blocks(luma)
        seen = (blocks.mean((1, 2)) > _SATURATED[0]) & (blocks.mean((1, 2)) < _SATURATED[1])
        if opaque is not None:
            seen &= _blocks(opaque).all((1, 2))
        self.noise.append(np.sqrt(np.square(_blocks(_alone(luma))).mean((1, 2)))[seen])
        self.grain.append(_off_plane(blocks)[seen])

    def _add_tint(self, luma: Luma, chroma: Chroma) -> None:
        """Sum, for each tone, the number of pixels, their two colour differences and squares."""
        tones = luma[::_COLOUR_STEP_PX, ::_COLOUR_STEP_PX].ravel() * np.float32(_TONES / 256)
        places = np.clip(tones, 0, _TONES - 1).astype(np.intp)
        for axis, values in enumerate(chroma):
            for power in range(3):
                weights = values.ravel().astype(np.float64) ** power
                self.tint[power, axis] += np.bincount(places, weights, _TONES)

    def _off_tint(self) -> float:
        """Return how far colours are from the mean colour of their tone."""
        counts, sums, squares = self.tint
        within = squares - np.square(sums) / np.maximum(counts, 1)
        return float(np.sqrt(max(0.0, within.sum()) / max(1.0, counts[0].sum())))

    def condition(self) -> Condition:
        """Return what the sums say."""
        return Condition(
            blocks=max(0.0, min(_standing_out(*sums) for sums in self.steps.values())),
            noise=_of_flattest(self.noise) / _OF_PURE_NOISE["noise"],
            grain=_of_flattest(self.grain) / _OF_PURE_NOISE["grain"],
            sharpness=self.fine / (self.coarse + _TINY),
            colours=self._off_tint(),
        )


def _alone(luma: Luma) -> Luma:
    """Return what of each pixel no plane through its neighbours explains, as standard deviation.

    Immerkaer's mask: noise passes with its own size, edges and ramps hardly.
    """
    rows = np.pad(luma, 1, mode="edge")
    rows = rows[:-2] - 2 * rows[1:-1] + rows[2:]
    alone: Luma = (rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]) / np.float32(6)
    return alone


def _off_plane(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each block's standard deviation from the plane that fits it best."""
    slope = np.arange(_BLOCK_PX, dtype=np.float32) - np.float32((_BLOCK_PX - 1) / 2)
    power = float(np.square(slope).sum()) * _BLOCK_PX
    down = np.einsum("nij,i->n", blocks, slope)
    right = np.einsum("nij,j->n", blocks, slope)
    spread = np.square(blocks - blocks.mean((1, 2), keepdims=True)).sum((1, 2))
    rest = spread - (np.square(down) + np.square(right)) / power
    off: NDArray[np.float32] = np.sqrt(np.maximum(rest, 0) / (_BLOCK_PX**2 - 3))
    return off


def _of_flattest(parts: list[NDArray[np.float32]]) -> float:
    values = np.concatenate(parts) if parts else np.zeros(0)
    return float(np.quantile(values, _FLAT_SHARE)) if len(values) else 0.0


def measure(rows: Iterable[Rows], layout: Layout) -> Condition:
    """Measure a picture that comes from the top in bands of any heights; little of it is held."""
    if min(layout.width, layout.height) < _SMALLEST_PX:
        return UNKNOWN
    sums = _Sums()
    every = -(-layout.width * layout.height // MEASURED_PX)
    for number, strip in enumerate(_strips(rows)):
        if number % every == 0 and len(strip) >= _BLOCK_PX:
            luma, opaque = _luma(strip, layout)
            sums.add(luma, opaque, number * _STRIP_ROWS, _chroma(strip, layout))
    return sums.condition()


def _strips(rows: Iterable[Rows]) -> Iterator[Rows]:
    """Cut bands anew into strips of 64 rows; the last may be lower."""
    held: list[Rows] = []
    count = 0
    for band in rows:
        start = 0
        while start < len(band):
            part = band[start : start + _STRIP_ROWS - count]
            held.append(part.copy())  # bands are their giver's, who may use them again
            start += len(part)
            count += len(part)
            if count == _STRIP_ROWS:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def _luma(strip: Rows, layout: Layout) -> tuple[Luma, NDArray[np.bool_] | None]:
    """Return luma in 0..255 and, where there is alpha, what is opaque; the rest becomes gray."""
    white = np.iinfo(strip.dtype).max
    planes = strip.astype(np.float32) * np.float32(255 / white)
    colours = planes[..., : layout.planes - layout.alpha]
    luma = colours @ _LUMA if colours.shape[2] == _COLOUR_PLANES else colours[..., 0]
    if not layout.alpha:
        return np.ascontiguousarray(luma), None
    alpha = planes[..., -1] / np.float32(255)
    return luma * alpha + np.float32(128) * (1 - alpha), strip[..., -1] == white


def _chroma(strip: Rows, layout: Layout) -> Chroma:
    """Return red's and blue's distance from luma on few pixels; a gray picture has none."""
    few = strip[::_COLOUR_STEP_PX, ::_COLOUR_STEP_PX, : layout.planes - layout.alpha]
    planes = few.astype(np.float32) * np.float32(255 / np.iinfo(strip.dtype).max)
    if planes.shape[2] != _COLOUR_PLANES:
        return np.zeros((2, *planes.shape[:2]), np.float32)
    luma = planes @ _LUMA
    chroma: Chroma = np.stack([planes[..., 0] - luma, planes[..., 2] - luma])
    if layout.alpha:  # what nobody sees has no colour
        hidden = strip[::_COLOUR_STEP_PX, ::_COLOUR_STEP_PX, -1] == 0
        chroma[:, hidden] = 0
    return chroma


def _blocks(plane: NDArray[Any]) -> NDArray[Any]:
    height, width = (side // _BLOCK_PX * _BLOCK_PX for side in plane.shape)
    parts = plane[:height, :width].reshape(
        height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, _BLOCK_PX
    )
    return parts.swapaxes(1, 2).reshape(-1, _BLOCK_PX, _BLOCK_PX)


def _standing_out(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return how far the strongest line of the grid is above the others."""
    means = np.sort(sums / np.maximum(counts, 1))
    usual = float(np.median(means[:-1]))
    return float(means[-1] - usual) / (usual + 0.1)
