"""Colours under transparency are made up from what is visible, and alpha stays in bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.image.picture import Layout
from upres.upscale.transparency import FAINT, REACH_PX, filled_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from upres.image.picture import Rows

    Floats = NDArray[np.float64]

SEEDS = st.integers(0, 2**32 - 1)
LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=4)
BITS = st.sampled_from([8, 16])


def layout_of(samples: Rows) -> Layout:
    """Describe a picture's samples, the last plane of which is alpha."""
    height, width, planes = samples.shape
    bits = samples.dtype.itemsize * 8
    assert bits in (8, 16)
    return Layout(
        width=width, height=height, gray=planes == 2, alpha=True, bits=8 if bits == 8 else 16
    )


def cut(samples: Rows, lengths: list[int]) -> Iterator[Rows]:
    """Cut a picture into bands of the given lengths, in turn, until there are no rows left."""
    row = turn = 0
    while row < len(samples):
        stop = row + lengths[turn % len(lengths)]
        yield samples[row:stop]
        row, turn = stop, turn + 1


def filled(samples: Rows, lengths: list[int] | None = None) -> Rows:
    """Fill a picture that comes in bands, or in one."""
    bands = cut(samples, lengths or [len(samples)])
    return np.concatenate(list(filled_rows(bands, layout_of(samples))))


def spotted(
    seed: int, height: int, width: int, *, planes: int = 3, bits: int = 8, share: float = 0.02
) -> Rows:
    """Return noise with alpha: a few blots of visible pixels of any alpha, clear between them."""
    random = np.random.default_rng(seed)
    dtype = np.uint8 if bits == 8 else np.uint16
    white = np.iinfo(dtype).max
    samples = random.integers(0, white, (height, width, planes + 1), dtype, endpoint=True)
    faint = random.random((height, width)) < 0.5
    samples[..., -1] = np.where(faint, samples[..., -1] // 30, samples[..., -1])
    samples[..., -1] *= random.random((height, width)) < share
    return samples


class TestFilling:
    """A local rule that takes colours from the nearest visible pixels."""

    @given(
        height=st.integers(1, 260),
        width=st.integers(1, 60),
        planes=st.sampled_from([1, 3]),
        bits=BITS,
        share=st.sampled_from([0.0, 0.0005, 0.02, 0.5]),
        lengths=LENGTHS,
        seed=SEEDS,
    )
    def test_bands_equal_one_go_bit_for_bit(
        self,
        *,
        height: int,
        width: int,
        planes: int,
        bits: int,
        share: float,
        lengths: list[int],
        seed: int,
    ) -> None:
        """However the picture is cut into bands."""
        samples = spotted(seed, height, width, planes=planes, bits=bits, share=share)
        np.testing.assert_array_equal(filled(samples, lengths), filled(samples))

    @given(
        share=st.sampled_from([0.0005, 0.02, 0.5]),
        top=st.integers(0, 150),
        left=st.integers(0, 1100),
        seed=SEEDS,
    )
    def test_a_pixel_depends_on_what_is_within_reach(
        self, *, share: float, top: int, left: int, seed: int
    ) -> None:
        """Cut out with a margin of the reach, a part is filled as it is in the whole."""
        samples = spotted(seed, 200, 1200, planes=1, share=share)
        part = np.s_[max(top - REACH_PX, 0) : top + REACH_PX + 40]
        part_columns = np.s_[max(left - REACH_PX, 0) : left + REACH_PX + 50]
        alone = filled(np.ascontiguousarray(samples[part, part_columns]))
        inner = alone[min(top, REACH_PX) :, min(left, REACH_PX) :][:40, :50]
        np.testing.assert_array_equal(inner, filled(samples)[top : top + 40, left : left + 50])

    @given(
        height=st.integers(1, 50),
        width=st.integers(1, 50),
        bits=BITS,
        share=st.sampled_from([0.001, 0.02, 0.5]),
        seed=SEEDS,
    )
    def test_is_the_weighted_mean_of_the_smallest_box_with_enough_alpha(
        self, *, height: int, width: int, bits: int, share: float, seed: int
    ) -> None:
        """The rule again, one pixel at a time."""
        samples = spotted(seed, height, width, bits=bits, share=share)
        white = int(np.iinfo(samples.dtype).max)
        result = filled(samples)
        np.testing.assert_array_equal(result[..., -1], samples[..., -1])
        for y, x in np.random.default_rng(seed).integers(0, (height, width), (20, 2)):
            if samples[y, x, -1] >= FAINT * white:
                np.testing.assert_array_equal(result[y, x], samples[y, x])
                continue
            for radius in (1, 2, 4, 8, 16, 32):
                box = samples[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) :]
                box = box[:, : x + radius + 1 - max(x - radius, 0)].astype(np.float64)
                weight = box[..., -1:]
                if weight.sum() >= (white / 2 if radius < 32 else 1):
                    mean = (box[..., :-1] * weight).sum((0, 1)) / weight.sum()
                    assert np.abs(result[y, x, :-1] - mean).max() <= 0.5 + 1e-6
                    break
            else:
                assert np.all(result[y, x, :-1] == (white + 1) // 2)

    def test_opaque_pictures_are_handed_on_as_they_are(self) -> None:
        """Not even copied."""
        samples = spotted(1, 90, 70)
        samples[..., -1] = 255
        (band,) = filled_rows([samples], layout_of(samples))
        assert np.shares_memory(band, samples)
        np.testing.assert_array_equal(band, samples)

    @pytest.mark.parametrize(("bits", "gray"), [(8, 128), (16, 32768)])
    def test_a_wholly_clear_picture_becomes_gray(self, bits: int, gray: int) -> None:
        """There is nothing to take colours from."""
        samples = spotted(2, 150, 70, bits=bits, share=0)
        assert np.all(filled(samples)[..., :-1] == gray)

    def test_colours_reach_as_far_as_stated(self) -> None:
        """One visible pixel colours the box around it, undimmed, and nothing beyond."""
        samples = np.zeros((200, 200, 2), np.uint8)
        samples[100, 90] = 200, 255
        colour = filled(samples)[..., 0]
        expected = np.full((200, 200), 128, np.uint8)
        expected[100 - REACH_PX : 101 + REACH_PX, 90 - REACH_PX : 91 + REACH_PX] = 200
        np.testing.assert_array_equal(colour, expected)

    def test_a_clear_pixel_takes_its_neighbours_colour(self) -> None:
        """Red on the left and green on the right stay red and green where it is clear."""
        samples = np.zeros((16, 32, 4), np.uint8)
        samples[:, :4], samples[:, -4:] = (255, 0, 0, 255), (0, 255, 0, 255)
        result = filled(samples)
        assert np.all(result[:, 5, :3] == (255, 0, 0))
        assert np.all(result[:, 26, :3] == (0, 255, 0))

    def test_the_tail_of_a_shadow_keeps_its_colour(self) -> None:
        """Pixels too faint to be trusted one by one are, where there is nothing else."""
        samples = np.zeros((80, 80, 4), np.uint8)
        samples[..., 3] = 3
        assert np.all(filled(samples)[..., :3] == 0)
