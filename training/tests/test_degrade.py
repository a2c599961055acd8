"""Degradations: each does what it says, none moves the picture or its colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.compression import jpeg, webp
from training.degrade import (
    KERNEL_MARGIN_PX,
    Degradation,
    degrade,
    drawn_quality,
    make_noise,
    toned,
)
from training.downscale import Picture, downscale
from training.losses import LUMA
from training.sampling import Downscaler, apply, blurred, downscale_matrix, oblique_gaussian
from training.tests.pictures import noise, scene

NOTHING = Degradation(clean=0, blur=0, noise=0, compress=0)
SIDE_PX = 64


def region(picture: Picture, scale: int) -> Picture:
    """Return the picture, SIDE_PX * scale pixels wide, with a mirrored margin."""
    margin = KERNEL_MARGIN_PX * scale
    return np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")


def planes_of(picture: Picture) -> np.ndarray:
    """Return (3, H, W) float32."""
    return picture.transpose(2, 0, 1).astype(np.float32)


def difference_from_clean(rule: Degradation, scale: int = 3, seeds: int = 40) -> np.ndarray:
    """Return (seeds, SIDE_PX, SIDE_PX, 3): degraded minus plainly shrunk scenes."""
    found = []
    for seed in range(seeds):
        high = scene(SIDE_PX * scale, SIDE_PX * scale, seed)
        small = degrade(region(high, scale), scale, rule, np.random.default_rng(seed))
        low = downscale(high, scale) if scale > 1 else high
        found.append(small.astype(np.float64) - low)
    return np.stack(found)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_matrix_is_matlabs(scale: int) -> None:
    """Within the rounding between MATLAB's two passes, away from the border."""
    high = noise(40 * scale, 40 * scale)
    matrix = downscale_matrix("bicubic", 40, scale, 0)
    small = apply(planes_of(high), [(matrix, matrix)]).transpose(1, 2, 0)
    inner = np.s_[3:-3, 3:-3]
    assert np.abs(np.clip(small, 0, 255) - downscale(high, scale))[inner].max() < 1.7


def test_the_area_matrix_averages_squares() -> None:
    """Each small pixel is the mean of its own square, and of nothing else."""
    high = planes_of(noise(30, 30))
    matrix = downscale_matrix("area", 10, 3, 0)
    expected = high.reshape(3, 10, 3, 10, 3).mean((2, 4))
    assert np.allclose(apply(high, [(matrix, matrix)]), expected, atol=1e-3)


def test_the_cubic_matrix_does_not_smooth() -> None:
    """At x3 a sample falls on a pixel and takes it; at x2 four pixels by OpenCV's weights."""
    assert np.array_equal(downscale_matrix("cubic", 4, 3, 0), np.eye(12, dtype=np.float32)[1::3])
    row = downscale_matrix("cubic", 4, 2, 0)[1]
    assert np.allclose(row[1:5], [-0.09375, 0.59375, 0.59375, -0.09375])


@pytest.mark.parametrize("kind", ["bicubic", "area", "lanczos", "cubic"])
def test_without_enlargement_nothing_is_resampled(kind: Downscaler) -> None:
    """Every downscaler by 1 is the identity."""
    assert np.allclose(downscale_matrix(kind, 9, 1, 2), np.eye(13)[2:-2], atol=1e-6)


@pytest.mark.parametrize("kind", ["bicubic", "area", "lanczos", "cubic"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downscalers_do_not_move_a_picture(kind: Downscaler, scale: int) -> None:
    """A ramp is sampled at the centre of each small pixel's square."""
    matrix = downscale_matrix(kind, 12, scale, 4 * scale)
    ramp = np.arange(matrix.shape[1]) - 4 * scale
    expected = (np.arange(12) + 0.5) * scale - 0.5
    assert np.allclose(matrix @ ramp, expected, atol=1e-3)


def test_an_oblique_blur_has_the_moments_asked_for() -> None:
    """The sum of its separable terms has mean zero and the covariance of the axes."""
    terms = oblique_gaussian(2.5, 1.0, 0.6)
    kernel = np.sum([np.outer(down, right) for down, right in terms], axis=0)
    reach = kernel.shape[0] // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cos, sin = np.cos(0.6), np.sin(0.6)
    assert kernel.sum() == pytest.approx(1, abs=1e-4)
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-3)
    assert (kernel * x * x).sum() == pytest.approx(6.25 * cos**2 + sin**2, rel=0.08)
    assert (kernel * x * y).sum() == pytest.approx(5.25 * cos * sin, rel=0.08)


def test_blurring_a_matrix_is_blurring_the_picture_first() -> None:
    """Convolution and downscale are one matrix."""
    line = np.random.default_rng(0).normal(size=30)
    taps = np.array([0.25, 0.5, 0.25], np.float32)
    matrix = downscale_matrix("area", 6, 3, 6)
    expected = matrix @ np.convolve(line, taps, "same")
    assert np.allclose(blurred(matrix, taps) @ line, expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_same_generator_gives_the_same_picture(scale: int) -> None:
    """And another one another picture; always 8 bit of the right size."""
    high = region(scene(SIDE_PX * scale, SIDE_PX * scale), scale)
    rule = Degradation(clean=0, noise=1, compress=1, twice=0.5, blur=1)
    first, again, other = (
        degrade(high, scale, rule, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.uint8
    assert first.shape == (SIDE_PX, SIDE_PX, 3)


RULES = {
    "downscale": NOTHING,
    "blur": replace(NOTHING, blur=1),
    "sensor": replace(NOTHING, noise=1, grain=0),
    "grain": replace(NOTHING, noise=1, grain=1),
    "jpeg": replace(NOTHING, compress=1, webp=0, twice=0),
    "webp": replace(NOTHING, compress=1, webp=1, twice=0),
    "twice": replace(NOTHING, compress=1, twice=1),
    "print": replace(NOTHING, prints=1).of_prints(),
    "all": Degradation(clean=0),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("scale", [1, 3])
def test_no_degradation_shifts_the_colour(name: str, scale: int) -> None:
    """Within 0.3 of a level in the mean of every channel."""
    shift = difference_from_clean(RULES[name], scale).mean(axis=(0, 1, 2))
    assert np.abs(shift).max() < 0.3


@pytest.mark.parametrize("name", [name for name in RULES if name != "downscale"])
def test_each_degradation_changes_the_picture(name: str) -> None:
    """A switch that does nothing would go unnoticed otherwise."""
    assert difference_from_clean(RULES[name], scale=1, seeds=8).std() > 0.4


def test_without_any_degradation_the_same_size_is_untouched() -> None:
    """Restoring without enlargement learns that a clean picture stays."""
    assert not difference_from_clean(NOTHING, scale=1, seeds=3).any()


def test_aliased_pictures_may_be_compressed_less() -> None:
    """Their own share counts for them, and for no others."""
    rule = replace(NOTHING, compress=1, compress_aliased=0, webp=0, twice=0)
    spared, squeezed = (
        difference_from_clean(replace(rule, aliased=aliased), scale=1, seeds=4)
        for aliased in (1, 0)
    )
    assert not spared.any()
    assert squeezed.std() > 0.4


def test_an_old_photograph_has_one_tint() -> None:
    """Its channels follow luma alone, never falling; it is as bright from pixel to pixel."""
    picture = scene(60, 60)
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    for seed in range(20):
        ramp = toned(grays, np.random.default_rng(seed)).astype(int)[:, 0]
        assert (np.diff(ramp, axis=0) >= -1).all()
        assert ramp[255].min() > ramp[0].max() + 40
        luma = np.rint(picture @ np.array(LUMA)).astype(int)
        result = toned(picture, np.random.default_rng(seed)).astype(int)
        assert np.abs(result - ramp[luma]).max() <= 1


def test_grain_is_as_strong_at_the_border() -> None:
    """Its filter finds noise beyond the sides too."""
    rule = replace(NOTHING, grain=1, grain_px=(2.0, 2.0))
    planes = np.full((3, 40, 40), 128, np.float32)
    fields = [make_noise(planes, rule, np.random.default_rng(seed))[0] for seed in range(300)]
    strength = np.stack(fields).std(axis=0)
    assert strength[0].mean() == pytest.approx(strength[18:22].mean(), rel=0.15)


def noise_on(level: float, rule: Degradation) -> np.ndarray:
    """Return (60, 3, 64, 64) of noise drawn for a constant picture."""
    flat = np.full((3, 64, 64), level, np.float32)
    drawn = [make_noise(flat, rule, np.random.default_rng(seed)) for seed in range(60)]
    return np.stack([np.broadcast_to(one, (3, 64, 64)) for one in drawn])


def test_sensor_noise_is_independent_between_pixels_and_grows_with_light() -> None:
    """Its strength stays within the maximum at middle gray, its mean is zero."""
    rule = replace(NOTHING, grain=0, sensor_levels=15)
    dark, middle, bright = (noise_on(level, rule) for level in (20, 128, 240))
    assert dark.std() < middle.std() < bright.std()
    assert middle.std(axis=(1, 2, 3)).max() < 16
    assert abs(middle.mean()) < 0.1
    assert abs(np.corrcoef(middle[..., 1:].ravel(), middle[..., :-1].ravel())[0, 1]) < 0.02


def test_film_grain_is_correlated_and_spares_black_and_white() -> None:
    """Neighbours are alike; middle tones have most of it."""
    rule = replace(NOTHING, grain=1, grain_levels=12)
    middle, white = noise_on(128, rule), noise_on(255, rule)
    assert white.std() < 0.4 * middle.std()
    assert middle.std(axis=(1, 2, 3)).max() < 13.5
    assert np.corrcoef(middle[..., 1:].ravel(), middle[..., :-1].ravel())[0, 1] > 0.3


def test_gray_noise_is_the_same_in_all_channels() -> None:
    """The share that is gray is as asked for."""
    drawn = noise_on(128, replace(NOTHING, grain=0, gray_noise=0.5))
    gray = [np.array_equal(one[0], one[1]) for one in drawn]
    assert 0.3 < np.mean(gray) < 0.7


def test_compression_leaves_its_grid_and_quality_decides_how_much() -> None:
    """Steps between 8x8 blocks are larger than steps inside; low quality does more harm."""
    picture = scene(96, 96)
    squeezed = jpeg(picture, 30).astype(np.float64)
    steps = np.abs(np.diff(squeezed, axis=1)).mean(axis=(0, 2))
    assert steps[7::8].mean() > 1.1 * np.delete(steps, np.s_[7::8]).mean()
    for codec in (jpeg, webp):
        harm = [
            np.std(codec(picture, quality) - picture.astype(np.float64)) for quality in (30, 95)
        ]
        assert harm[0] > 1.5 * harm[1]


def test_a_skew_draws_low_qualities_more_often() -> None:
    """Every quality still comes, and none beyond the ends."""
    random = np.random.default_rng(2)
    counts = {}
    for skew in (1.0, 2.0):
        rule = Degradation(quality=(30, 95), quality_skew=skew)
        drawn = [drawn_quality(rule, random) for _ in range(6000)]
        assert {*drawn} == {*range(30, 96)}
        counts[skew] = sum(quality <= 50 for quality in drawn) / len(drawn)
    assert counts[1.0] == pytest.approx(21 / 66, abs=0.03)
    assert counts[2.0] == pytest.approx((21 / 66) ** 0.5, abs=0.03)
