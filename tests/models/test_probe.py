"""What running a network tells of it, on networks that are numpy functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.errors import EngineFailed, ModelRefused
from upres.models.probe import (
    Halo,
    Planes,
    measure_halo,
    measure_scale,
    measure_value_max,
    sample,
    sample_planes,
)

if TYPE_CHECKING:
    from upres.models.probe import RunPlanes

LARGEST_HALO_PX = 40


def nearest(planes: Planes, scale: int = 2) -> Planes:
    """Repeat pixels."""
    return planes.repeat(scale, axis=1).repeat(scale, axis=2)


def looking(distance_px: int) -> RunPlanes:
    """Return a network that needs just so many pixels of context, and needs each of them."""

    def run(planes: Planes) -> Planes:
        padded = np.pad(planes, ((0, 0), (distance_px, 0), (0, distance_px)))
        height, width = planes.shape[1:]
        shifted = padded[:, :height, distance_px : distance_px + width]
        return nearest((planes + shifted) / np.float32(2))

    return run


@pytest.mark.parametrize("count", [1, 3])
def test_samples_are_noise_text_and_a_photograph(count: int) -> None:
    """They are the same each time, fill 0..1, and differ from each other."""
    pictures = sample_planes(count)
    assert list(pictures) == ["noise", "text", "photo"]
    for name, planes in pictures.items():
        assert planes.shape == (count, 128, 128)
        assert planes.dtype == np.float32
        assert planes.flags.c_contiguous
        assert planes.min() >= 0
        assert 0.8 < planes.max() <= 1
        assert planes.std() > 0.1
        np.testing.assert_array_equal(planes, sample_planes(count)[name])
    assert np.abs(pictures["text"] - pictures["photo"]).mean() > 0.1
    assert not np.array_equal(sample_planes(count, seed=2)["noise"], pictures["noise"])


@pytest.mark.parametrize("name", ["photo", "text"])
def test_samples_ship(name: str) -> None:
    """Each is a small 8-bit RGB picture."""
    assert sample(name).shape == (128, 128, 3)
    assert sample(name).dtype == np.uint8


@pytest.mark.parametrize("distance_px", [0, 1, 2, 7, 20, 39, LARGEST_HALO_PX])
@pytest.mark.parametrize("count", [1, 3])
def test_halo_is_the_distance_that_matters(distance_px: int, count: int) -> None:
    """No pixel more, no pixel less."""
    halo = measure_halo(looking(distance_px), scale=2, count=count, name="net")
    assert halo == Halo(distance_px)


@pytest.mark.parametrize("distance_px", [LARGEST_HALO_PX + 1, 60])
def test_halo_past_the_largest_is_refused(distance_px: int) -> None:
    """Tiles of such a network would be mostly halo."""
    with pytest.raises(ModelRefused, match=r"^net .*more than 40 pixels of context"):
        measure_halo(looking(distance_px), scale=2, count=3, name="net")


def test_global_context_is_refused() -> None:
    """A network that needs the whole picture cannot be tiled, whatever the halo."""

    def run(planes: Planes) -> Planes:
        return nearest(planes - planes.mean((1, 2), keepdims=True) + np.float32(0.5))

    with pytest.raises(ModelRefused, match=r"^net .*context"):
        measure_halo(run, scale=2, count=3, name="net")


def test_context_below_a_level_does_not_count() -> None:
    """Differences that no eye and no 8-bit sample could hold are none."""

    def run(planes: Planes) -> Planes:
        shifted = np.pad(planes, ((0, 0), (30, 0), (0, 0)))[:, : planes.shape[1]]
        return nearest(planes + shifted / np.float32(256))

    assert measure_halo(run, scale=2, count=1, name="net") == Halo(0)


@given(st.integers(0, LARGEST_HALO_PX))
def test_used_halo_is_half_again(smallest_px: int) -> None:
    """Rounded up, so that even one pixel gets company."""
    used_px = Halo(smallest_px).used_px
    assert used_px - 1 < smallest_px * 1.5 <= used_px


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 3])
def test_scale_is_found(scale: int, count: int) -> None:
    """Every whole factor that upres can ask for."""
    assert measure_scale(lambda planes: nearest(planes, scale), count=count, name="net") == scale


def _twice_and_a_row(planes: Planes) -> Planes:
    return np.pad(nearest(planes), ((0, 0), (0, 1), (0, 0)))


def _rounded_to_even(planes: Planes) -> Planes:
    return nearest(np.pad(planes, ((0, 0), (0, planes.shape[1] % 2), (0, planes.shape[2] % 2))))


@pytest.mark.parametrize(
    "run",
    [
        lambda planes: nearest(planes, 17),
        lambda planes: planes[:, ::2, ::2],
        lambda planes: planes.repeat(2, axis=1),
        lambda planes: nearest(planes, 3)[:, ::2, ::2],
        lambda planes: np.zeros((3, 128, 128), planes.dtype),
        lambda planes: np.zeros((3, 0, 0), planes.dtype),
        _twice_and_a_row,
        _rounded_to_even,
    ],
    ids=["17", "half", "tall", "1.5", "fixed", "empty", "a row more", "rounded"],
)
def test_no_whole_factor_is_refused(run: RunPlanes) -> None:
    """A factor must hold for odd sizes, and in both directions."""
    with pytest.raises(ModelRefused, match=r"^net .*one whole factor"):
        measure_scale(run, count=3, name="net")


@pytest.mark.parametrize(
    "run",
    [lambda planes: nearest(planes)[:1], lambda planes: nearest(planes)[np.newaxis]],
    ids=["planes", "dimensions"],
)
def test_other_planes_than_were_given_are_refused(run: RunPlanes) -> None:
    """What comes out has as many planes as went in."""
    with pytest.raises(ModelRefused, match=r"^net .*array of shape"):
        measure_scale(run, count=3, name="net")


def test_sizes_that_a_network_fails_on_are_told() -> None:
    """In the engine's words."""

    def run(planes: Planes) -> Planes:
        if planes.shape[1] % 2:
            raise EngineFailed("onnxruntime", "net", "odd sizes, odd results")
        return nearest(planes)

    with pytest.raises(ModelRefused, match=r"^net .*does not run on 50x37 pixels.*odd results"):
        measure_scale(run, count=3, name="net")


@pytest.mark.parametrize("value_max", [1.0, 255.0])
@pytest.mark.parametrize("count", [1, 3])
def test_range_is_found_where_only_one_works(value_max: float, count: int) -> None:
    """A network that clips its own range gives nothing back in the other."""

    def run(planes: Planes) -> Planes:
        centred = (planes - np.float32(value_max * 0.45)) * np.float32(0.95)
        return nearest(np.clip(centred + np.float32(value_max * 0.45), 0, value_max))

    assert measure_value_max(run, count=count, scale=2, name="net") == value_max


@pytest.mark.parametrize("value_max", [1.0, 255.0])
@pytest.mark.parametrize("shift", [0.01, 0.03, 0.08])
def test_range_is_found_of_networks_that_brighten(value_max: float, shift: float) -> None:
    """A constant is at home in one range: in 0..255 one of 0..1 would vanish, and look better."""

    def run(planes: Planes) -> Planes:
        return nearest(planes) + np.float32(shift * value_max)

    assert measure_value_max(run, count=3, scale=2, name="net") == value_max


@pytest.mark.parametrize(
    "run",
    [
        lambda planes: nearest(planes.max() - planes),
        lambda planes: nearest(planes[:, ::-1]),
        lambda planes: nearest(planes * 0),
        lambda planes: nearest(planes / 0),
    ],
    ids=["negative", "upside down", "black", "not finite"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_does_not_resemble_its_input_is_refused(run: RunPlanes) -> None:
    """Whatever it is, it does not enlarge pictures."""
    with pytest.raises(ModelRefused, match=r"^net .*does not resemble its input"):
        measure_value_max(run, count=3, scale=2, name="net")
