"""Makes the small pictures that people really have: blurred, aliased, noisy, compressed, again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Resampling

from training.compression import jpeg, resized_and_back, webp
from training.downscale import Picture
from training.losses import LUMA
from training.sampling import (
    Downscaler,
    Matrix,
    Planes,
    apply,
    blurred,
    downscale_matrix,
    gaussian,
    oblique_gaussian,
)

if TYPE_CHECKING:
    from numpy.random import Generator

SMOOTHING: tuple[Downscaler, ...] = ("bicubic", "area", "lanczos")

KERNEL_MARGIN_PX = 6
"""Low-resolution pixels around a region that blur and downscale may reach into."""

GRID_PX = 16
"""Period of the compression grid: 8x8 blocks, twice that where colour is halved."""

RESIZE_FILTERS = (Resampling.BILINEAR, Resampling.BICUBIC, Resampling.LANCZOS)


@dataclass(frozen=True)
class Degradation:
    """How often and how strongly crops are degraded; probabilities 0..1, strengths up to a maximum.

    `clean` is the share of crops that are left as the plain bicubic downscale. Of the others
    `aliased` are shrunk without smoothing, the rest by one of SMOOTHING; before that `blur` are
    blurred (`blur_px`: standard deviation in small pixels, the share `oblique` of them with a
    direction). Then `noise` get noise, and `compress` are compressed (`compress_aliased` of those
    shrunk without smoothing, where it is given): the share `webp` as WebP,
    the others as JPEG (the share `subsampled` with halved colour, 4:2:0), the share `twice` of all
    with a shifted or resized JPEG before. Qualities are drawn evenly, with a `quality_skew` above
    one more often low than high. Noise is one of sensor (`sensor_levels`, constant plus
    growing with light) and film grain (`grain_levels`, correlated over `grain_px` small pixels);
    standard deviations in levels of 255. `prints` are made old photographs first, by `toned`, and
    then get a print's grain (`print_grain_levels`, `print_grain_px`) instead of that noise.
    """

    clean: float = 0.2
    aliased: float = 0.25
    blur: float = 0.3
    blur_px: tuple[float, float] = (0.2, 0.8)
    oblique: float = 0.4
    noise: float = 0.4
    sensor_levels: float = 15.0
    grain: float = 0.35
    grain_levels: float = 12.0
    grain_px: tuple[float, float] = (0.4, 1.1)
    gray_noise: float = 0.4
    compress: float = 0.65
    compress_aliased: float | None = None
    quality: tuple[int, int] = (30, 95)
    quality_skew: float = 1.0
    webp: float = 0.2
    subsampled: float = 0.5
    twice: float = 0.25
    prints: float = 0.0
    print_grain_levels: float = 10.0
    print_grain_px: tuple[float, float] = (0.5, 2.0)

    def of_prints(self) -> Degradation:
        """Return what is done to old photographs: gray grain always, any of the rest as usual."""
        return replace(
            self,
            noise=1.0,
            grain=1.0,
            gray_noise=1.0,
            grain_levels=self.print_grain_levels,
            grain_px=self.print_grain_px,
        )


def degrade(high: Picture, scale: int, rule: Degradation, random: Generator) -> Picture:
    """Return the small picture of a high-resolution region.

    `high` is (H, W, 3) with KERNEL_MARGIN_PX * scale pixels more on each side than the result
    covers; the compression grid begins at the result's corner. The result is a function of the
    arguments and the generator's state alone.
    """
    planes = np.ascontiguousarray(high.transpose(2, 0, 1), np.float32)
    aliased = random.random() < rule.aliased
    kind: Downscaler = "cubic" if aliased else SMOOTHING[int(random.integers(len(SMOOTHING)))]
    planes = shrink(planes, scale, kind, rule, random)
    if random.random() < rule.noise:
        planes = planes + make_noise(planes, rule, random)
    picture = to_levels(planes)
    share = rule.compress_aliased if aliased else None
    if random.random() < (rule.compress if share is None else share):
        picture = compress(picture, rule, random)
    return picture


def toned(picture: Picture, random: Generator) -> Picture:
    """Return (H, W, 3) as an old photograph has it: faded, gray or of one warm tint."""
    dark = random.uniform(0, 70)
    light = random.uniform(170, 255)
    warmth = random.uniform(0, 0.35) if random.random() < 0.6 else 0.0
    tint = 1 - warmth * np.array([0.0, random.uniform(0.2, 0.6), 1.0])
    luma = picture @ (np.array(LUMA) / 255)
    tone = dark + (light - dark) * luma
    # A tint shows in middle tones: black has no colour to lose, white paper little.
    middle = (1 - np.abs(2 * luma - 1) ** 2)[..., None]
    colours = tone[..., None] * (middle * tint + (1 - middle) * (1 + tint) / 2)
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)


def to_levels(planes: Planes) -> Picture:
    """Round (3, H, W) to an 8-bit picture (H, W, 3)."""
    levels: Picture = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def shrink(
    planes: Planes, scale: int, kind: Downscaler, rule: Degradation, random: Generator
) -> Planes:
    """Blur perhaps, then shrink by a downscaler and cut the margin off."""
    rows, columns = (shrinking_matrix(side, scale, kind) for side in planes.shape[1:])
    pairs = [(rows, columns)]
    if random.random() < rule.blur:
        pairs = blur_pairs(rows, columns, scale, rule, random)
    return apply(planes, pairs)


def shrinking_matrix(side: int, scale: int, kind: Downscaler) -> Matrix:
    """Return the matrix from `side` pixels with margin to small pixels without."""
    pad = KERNEL_MARGIN_PX * scale
    return downscale_matrix(kind, side // scale - 2 * KERNEL_MARGIN_PX, scale, pad)


def blur_pairs(
    rows: Matrix, columns: Matrix, scale: int, rule: Degradation, random: Generator
) -> list[tuple[Matrix, Matrix]]:
    """Put a random Gaussian before both matrices."""
    least, most = (value * scale for value in rule.blur_px)
    sigma = float(random.uniform(least, most))
    if random.random() >= rule.oblique:
        taps = gaussian(sigma)
        return [(blurred(rows, taps), blurred(columns, taps))]
    across = sigma * float(random.uniform(0.3, 0.9))
    terms = oblique_gaussian(sigma, across, float(random.uniform(0, np.pi)))
    return [(blurred(rows, down), blurred(columns, right)) for down, right in terms]


def make_noise(planes: Planes, rule: Degradation, random: Generator) -> Planes:
    """Return sensor noise or film grain for a picture in 0..255, without a mean of its own."""
    gray = random.random() < rule.gray_noise
    if random.random() < rule.grain:
        return _film_grain(planes, rule, random, gray=gray)
    # Squared: weak noise is what most pictures have.
    most = rule.sensor_levels * float(random.random()) ** 2
    constant = float(random.random())
    height, width = planes.shape[1:]
    white = _white(height, width, random, gray=gray)
    light = (1 - constant) * np.maximum(planes, 0) / 128 + constant
    noise: Planes = white * np.sqrt(light) * np.float32(most)
    return noise


def _film_grain(planes: Planes, rule: Degradation, random: Generator, *, gray: bool) -> Planes:
    grain_px = float(random.uniform(*rule.grain_px))
    most = rule.grain_levels * float(random.random()) ** 2
    taps = gaussian(grain_px)
    reach = len(taps) // 2
    sides = planes.shape[1:]
    # White noise beyond the sides too: grain is as strong at the border as elsewhere.
    white = _white(sides[0] + 2 * reach, sides[1] + 2 * reach, random, gray=gray)
    rows, columns = (
        blurred(np.eye(side, side + 2 * reach, reach, dtype=np.float32), taps) for side in sides
    )
    grain = apply(white, [(rows, columns)])
    grain /= np.float32(np.sum(taps**2))  # the filter's gain on white noise, both ways
    # Film shows its grain in the middle tones: paper white and black have none.
    middle = np.clip(planes / 255, 0, 1)
    strength = np.sqrt(np.maximum(4 * middle * (1 - middle), 0.05))
    noise: Planes = grain * strength * np.float32(most)
    return noise


def _white(height: int, width: int, random: Generator, *, gray: bool) -> Planes:
    return random.standard_normal((1 if gray else 3, height, width), dtype=np.float32)


def compress(picture: Picture, rule: Degradation, random: Generator) -> Picture:
    """Compress once, or twice with another grid or another size the first time."""
    if random.random() < rule.twice:
        picture = _first_compression(picture, rule, random)
    quality = drawn_quality(rule, random)
    if random.random() < rule.webp:
        return webp(picture, quality)
    return jpeg(picture, quality, "4:2:0" if random.random() < rule.subsampled else "4:4:4")


def _first_compression(picture: Picture, rule: Degradation, random: Generator) -> Picture:
    quality = drawn_quality(rule, random)
    if random.random() < 0.5:
        top, left = (int(value) for value in random.integers(1, 8, 2))
        inner = jpeg(picture[top:, left:], quality)
        whole = picture.copy()
        whole[top:, left:] = inner
        return whole
    ratio = float(random.uniform(0.8, 1.3))
    height, width = (round(side * ratio) for side in picture.shape[:2])
    there, back = (int(RESIZE_FILTERS[int(pick)]) for pick in random.integers(0, 3, 2))
    return resized_and_back(picture, width, height, quality=quality, filters=(there, back))


def drawn_quality(rule: Degradation, random: Generator) -> int:
    """Draw the quality of one compression."""
    least, most = rule.quality
    return least + int((most + 1 - least) * float(random.random()) ** rule.quality_skew)
