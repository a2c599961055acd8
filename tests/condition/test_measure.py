"""What is measured of a picture grows with the damage, wherever it lies and however rows come."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import noise
from PIL import Image, ImageFilter

from upres.condition.measure import MEASURED_PX, UNKNOWN, Condition, measure
from upres.image.picture import Layout, Picture
from upres.models.probe import sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


def condition(pixels: Pixels) -> Condition:
    """Measure an RGB or gray array."""
    samples = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    picture = Picture(pixels=samples)
    return measure([picture.rows()], picture.layout)


def photo() -> Pixels:
    """Return the photograph that ships, four of them: (256, 256, 3)."""
    one = sample("photo")
    return np.concatenate([np.concatenate([one, one[:, ::-1]], 1)] * 2)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Return an array after JPEG."""
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(target))


def noisy(pixels: Pixels, levels: float) -> Pixels:
    """Return an array with Gaussian noise."""
    random = np.random.default_rng(4)
    levels_now = pixels + random.normal(0, levels, pixels.shape)
    return np.clip(np.rint(levels_now), 0, 255).astype(np.uint8)


class TestWhatItTells:
    """Each number answers its own question."""

    def test_block_edges_grow_with_compression(self) -> None:
        """And a clean picture has next to none."""
        found = [condition(jpeg(photo(), quality)).blocks for quality in (95, 75, 50, 25)]
        assert found == sorted(found)
        assert condition(photo()).blocks < 0.1
        assert found[-1] > 0.5

    @pytest.mark.parametrize(("top", "left"), [(3, 5), (1, 0), (0, 7)])
    def test_the_grid_may_begin_anywhere(self, top: int, left: int) -> None:
        """A picture that was cropped after compression shows it just as much."""
        squeezed = jpeg(photo(), 30)
        whole, cut = condition(squeezed).blocks, condition(squeezed[top:, left:]).blocks
        assert abs(whole - cut) < 0.15 * whole

    def test_a_grid_that_the_picture_itself_has_is_not_blocks(self) -> None:
        """Stripes every eight pixels one way are no grid: both ways must show it."""
        stripes = np.tile(np.repeat(np.array([90, 110], np.uint8), 8), 16)
        assert condition(np.tile(stripes, (256, 1))).blocks < 0.1

    @pytest.mark.parametrize("levels", [2.0, 5.0, 10.0])
    def test_noise_is_measured_in_levels(self, levels: float) -> None:
        """On a gray field within a fifth."""
        field = np.full((256, 256), 120, np.uint8)
        assert condition(field).noise == 0
        assert condition(noisy(field, levels)).noise == pytest.approx(levels, rel=0.2)
        assert condition(noisy(field, levels)).grain == pytest.approx(levels, rel=0.2)

    def test_grain_is_coarser_than_pixels(self) -> None:
        """Film grain has less from pixel to pixel than noise of the same strength."""
        field = noisy(np.full((256, 256), 120, np.uint8), 20)
        soft = np.asarray(Image.fromarray(field).filter(ImageFilter.GaussianBlur(1)))
        found = condition(soft)
        assert found.grain > 2 * found.noise > 0

    def test_a_ramp_is_no_noise(self) -> None:
        """Skies are slopes."""
        ramp = np.add.outer(np.arange(256) * 0.4, np.arange(256) * 0.4).astype(np.uint8)
        assert condition(ramp).noise < 0.8  # its steps, which are rounded
        assert condition(ramp).grain < 0.5

    def test_sharpness_tells_blurred_from_aliased(self) -> None:
        """Blur takes the finest detail first; dropping pixels folds more into it."""
        picture = Image.fromarray(photo())
        plain = condition(np.asarray(picture.resize((128, 128), Image.Resampling.BICUBIC)))
        dropped = condition(np.asarray(picture)[::2, ::2].copy())
        soft = condition(np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5))))
        assert soft.sharpness < 0.6 * plain.sharpness
        assert dropped.sharpness > 1.2 * plain.sharpness


class TestHowItIsGiven:
    """The same picture, the same numbers."""

    @given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
    def test_bands_may_have_any_heights(self, heights: list[int]) -> None:
        """Strips are cut anew."""
        pixels = jpeg(photo(), 40)
        rows, start = [], 0
        for height in heights:
            rows.append(pixels[start : start + height])
            start += height
        rows.append(pixels[start:])
        assert measure(rows, Picture(pixels=pixels).layout) == condition(pixels)

    def test_sixteen_bits_are_levels_too(self) -> None:
        """65535 is white."""
        pixels = noisy(photo(), 5)
        fine = Picture(pixels=pixels.astype(np.uint16) * 257)
        found, expected = measure([fine.rows()], fine.layout), condition(pixels)
        assert found.noise == pytest.approx(expected.noise, rel=1e-3)
        assert found.blocks == pytest.approx(expected.blocks, abs=1e-3)

    def test_what_is_not_opaque_does_not_count(self) -> None:
        """Noise under transparency is seen by nobody."""
        pixels = photo()
        pixels[:128] = noise(128, 256, 3).astype(np.uint8)
        alpha = np.full((256, 256), 255, np.uint8)
        alpha[:128] = 0
        picture = Picture(pixels=pixels, alpha=alpha)
        found = measure([picture.rows()], picture.layout)
        assert found.noise == pytest.approx(condition(photo()[128:]).noise, rel=0.2)

    def test_colours_tell_a_print_of_one_tint(self) -> None:
        """Gray, or any tint that follows the tones, is none; a photograph in colour has many."""
        gray = np.asarray(Image.fromarray(photo()).convert("L"))
        tint = np.stack([gray, gray * 0.9, 40 + gray * 0.6], axis=2).astype(np.uint8)
        assert condition(gray).colours == 0
        assert condition(np.repeat(gray[..., np.newaxis], 3, axis=2)).colours < 0.01
        assert condition(tint).colours < 1.5
        assert condition(photo()).colours > 8

    def test_hidden_colours_do_not_count(self) -> None:
        """A gray picture stays one with colours under transparency."""
        pixels = np.repeat(photo()[..., :1], 3, axis=2)
        pixels[:128] = noise(128, 256, 3).astype(np.uint8)
        alpha = np.full((256, 256), 255, np.uint8)
        alpha[:128] = 0
        picture = Picture(pixels=pixels, alpha=alpha)
        assert measure([picture.rows()], picture.layout).colours < 0.01

    @pytest.mark.parametrize(("height", "width"), [(1, 500), (23, 23), (500, 8)])
    def test_small_pictures_tell_nothing(self, height: int, width: int) -> None:
        """Rather than something wrong."""
        assert condition(noise(height, width, 3).astype(np.uint8)) == UNKNOWN

    @given(st.integers(24, 80), st.integers(24, 80), st.sampled_from([1, 3]))
    def test_every_picture_has_finite_numbers(self, height: int, width: int, planes: int) -> None:
        """Also flat ones, black ones, and ones of odd sizes."""
        for pixels in (
            noise(height, width, planes).astype(np.uint8),
            np.zeros((height, width, planes), np.uint8),
            np.full((height, width, planes), 255, np.uint8),
        ):
            found = condition(pixels)
            values = (found.blocks, found.noise, found.grain, found.sharpness, found.colours)
            assert np.isfinite(values).all()
            assert min(values) >= 0

    def test_of_a_huge_picture_a_part_is_measured(self) -> None:
        """In strips from top to bottom, so that the time stays bounded."""
        strip = noisy(np.full((64, 2000, 1), 120, np.uint8), 5)
        layout = Layout(width=2000, height=64 * 200, gray=True, alpha=False, bits=8)
        assert layout.width * layout.height > 4 * MEASURED_PX
        found = measure((strip for _ in range(200)), layout)
        assert found.noise == pytest.approx(5, rel=0.2)
