from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from upres.compare.display import eight_bit, over_gray, srgb
from upres.image.picture import Metadata, Picture


@cache
def wide_profile() -> bytes:
    """Display P3, as libvips brings it."""
    profile: bytes = pyvips.Image.profile_load("p3")
    return profile


def silent(text: str) -> None:
    pytest.fail(text)


def test_wide_colours_become_srgb() -> None:
    """As another colour management, libvips', does it: within two levels."""
    levels = np.random.default_rng(2).integers(0, 256, (16, 16, 3), np.uint8)
    ours = srgb(Picture(pixels=levels, metadata=Metadata(icc=wide_profile())), complain=silent)
    image = pyvips.Image.new_from_memory(levels.tobytes(), 16, 16, 3, "uchar")
    image = image.copy(interpretation="srgb")
    theirs = image.icc_transform(
        "srgb", input_profile="p3", intent="relative", black_point_compensation=True
    ).numpy()
    assert np.abs(ours.pixels.astype(int) - theirs).max() <= 2
    assert np.abs(ours.pixels.astype(int) - levels).max() > 10
    assert ours.metadata.icc is None


def test_gray_becomes_equal_colours() -> None:
    """With no profile, and with one for RGB."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    plain = srgb(Picture(pixels=ramp), complain=silent)
    assert np.array_equal(plain.pixels, np.repeat(ramp, 3, axis=2))
    profiled = srgb(Picture(pixels=ramp, metadata=Metadata(icc=wide_profile())), complain=silent)
    assert np.ptp(profiled.pixels.astype(int), axis=2).max() <= 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda icc: icc[:132],
        lambda icc: icc[:16] + b"CMYK" + icc[20:],
        lambda icc: icc[:16] + b"GRAY" + icc[20:],
        lambda icc: icc[:128] + bytes(len(icc) - 128),
    ],
)
def test_profiles_of_no_use_are_told_of(damage: object) -> None:
    """The samples stay as they are, and somebody hears of it, once."""
    assert callable(damage)
    levels = np.full((2, 2, 3), 77, np.uint8)
    told: list[str] = []
    picture = Picture(pixels=levels, metadata=Metadata(icc=damage(wide_profile())))
    assert np.array_equal(srgb(picture, complain=told.append).pixels, levels)
    assert len(told) == 1
    assert "profile" in told[0]


@given(arrays.arrays(np.uint16, (3, 4, 3)), arrays.arrays(np.uint16, (3, 4)))
def test_sixteen_bits_are_rounded(samples: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> None:
    """To the nearest level, alpha too."""
    narrow = eight_bit(Picture(pixels=samples, alpha=alpha))
    assert np.array_equal(narrow.pixels, np.rint(samples / 257))
    assert narrow.alpha is not None
    assert np.array_equal(narrow.alpha, np.rint(alpha / 257))


@given(arrays.arrays(np.uint8, (3, 4, 3)), arrays.arrays(np.uint8, (3, 4)), st.integers(0, 255))
def test_transparency_lies_over_gray(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], level: int
) -> None:
    """Rounded to the nearest; clear shows the gray, opaque the colour."""
    flat = over_gray(Picture(pixels=pixels, alpha=alpha), level=level)
    share = alpha[..., np.newaxis] / 255
    assert np.abs(flat - (pixels * share + level * (1 - share))).max() <= 0.5 + 1e-9
