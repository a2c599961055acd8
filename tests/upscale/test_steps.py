"""Each step between a picture and its enlargement does what its name says, tiled or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.errors import Cancelled
from upres.image.picture import Layout
from upres.models.spec import Channels
from upres.upscale.resample import BICUBIC, resize
from upres.upscale.steps import (
    PLAIN_ROWS,
    check_cancelled,
    network_function,
    plain_bands,
    quantized,
    self_ensemble,
    softened,
    tiled_bands,
    to_planes,
)
from upres.upscale.tiles import plan_tiles, whole_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from upres.image.picture import Rows, Samples
    from upres.upscale.resample import Band
    from upres.upscale.upscaler import Network

    MakeNetwork = Callable[..., Network]

SEEDS = st.integers(0, 2**32 - 1)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def noise(seed: int, *shape: int) -> Band:
    """Return random planes in 0..1."""
    return np.random.default_rng(seed).random(shape, np.float32)


def nearest(planes: Band, scale: int) -> Band:
    """Enlarge by repeating pixels."""
    return planes.repeat(scale, axis=1).repeat(scale, axis=2)


def luma(planes: Band) -> Band:
    """Return Y of full-range BT.601."""
    return np.tensordot(LUMA, planes, axes=1)


def cut(planes: Band, lengths: list[int]) -> Iterator[Band]:
    """Cut planes into bands of the given lengths, in turn, until there are no rows left."""
    row = turn = 0
    while row < planes.shape[1]:
        stop = row + lengths[turn % len(lengths)]
        yield planes[:, row:stop]
        row, turn = stop, turn + 1


def multiplied(samples: Rows) -> Band:
    """Return planes whose colours are multiplied by alpha, the last one."""
    planes = to_planes(samples)
    planes[:-1] *= planes[-1]
    return planes


def layout_of(samples: Rows, *, alpha: bool = False) -> Layout:
    """Describe a picture's 8-bit samples."""
    height, width, planes = samples.shape
    return Layout(width=width, height=height, gray=planes - alpha == 1, alpha=alpha, bits=8)


def row_bands(samples: Rows, lengths: list[int]) -> Iterator[Rows]:
    """Cut a picture into bands of the given lengths, in turn, until there are no rows left."""
    row = turn = 0
    while row < len(samples):
        stop = row + lengths[turn % len(lengths)]
        yield samples[row:stop]
        row, turn = stop, turn + 1


def joined(bands: Iterator[Band]) -> Band:
    """Put bands together again."""
    return np.concatenate(list(bands), axis=1)


class TestNetworkFunction:
    """Whatever planes a network was made for, it takes gray and RGB in 0..1."""

    MARKS = np.array([1.0, 0.5, 0.25], np.float32)
    """What a marking network multiplies its first, second and third plane by."""

    def marking(self, planes: Band) -> Band:
        """Enlarge twice, each plane marked by its place in the network's own order."""
        return nearest(planes * self.MARKS[: len(planes), np.newaxis, np.newaxis], 2)

    @pytest.mark.parametrize("value_max", [1.0, 255.0])
    @pytest.mark.parametrize(
        ("channels", "marks"),
        [(Channels.RGB, [1.0, 0.5, 0.25]), (Channels.BGR, [0.25, 0.5, 1.0])],
    )
    def test_colour_networks_get_their_order_and_give_rgb(
        self, fake_network: MakeNetwork, channels: Channels, marks: list[float], value_max: float
    ) -> None:
        """A BGR network's first plane is blue; the result's first plane is red again."""
        network = fake_network(self.marking, scale=2, channels=channels, value_max=value_max)
        planes = noise(1, 3, 5, 4)
        enlarged = network_function(network.spec, network.session)(planes)
        expected = nearest(planes, 2) * np.array(marks, np.float32)[:, np.newaxis, np.newaxis]
        np.testing.assert_allclose(enlarged, expected, rtol=1e-6)

    @pytest.mark.parametrize("value_max", [1.0, 255.0])
    def test_networks_see_their_own_range(
        self, fake_network: MakeNetwork, value_max: float
    ) -> None:
        """White is the model's `value_max` inside and 1 outside."""
        seen = []

        def look(planes: Band) -> Band:
            seen.append((float(planes.min()), float(planes.max())))
            return planes

        network = fake_network(look, scale=1, value_max=value_max)
        planes = np.zeros((3, 2, 2), np.float32)
        planes[:, 0] = 1
        enlarged = network_function(network.spec, network.session)(planes)
        assert seen == [(0.0, value_max)]
        np.testing.assert_array_equal(enlarged, planes)

    @pytest.mark.parametrize("channels", [Channels.RGB, Channels.BGR])
    def test_gray_through_a_colour_network_is_the_luma_of_its_answer(
        self, fake_network: MakeNetwork, channels: Channels
    ) -> None:
        """Gray goes in as three equal planes and comes out as one."""
        network = fake_network(self.marking, scale=2, channels=channels)
        planes = noise(2, 1, 3, 6)
        enlarged = network_function(network.spec, network.session)(planes)
        marks = self.MARKS if channels is Channels.RGB else self.MARKS[::-1]
        assert enlarged.shape == (1, 6, 12)
        np.testing.assert_allclose(enlarged, nearest(planes, 2) * (LUMA @ marks), rtol=1e-5)

    def test_gray_through_a_luma_network_goes_straight(self, fake_network: MakeNetwork) -> None:
        """The one plane is the network's one plane."""
        network = fake_network(self.marking, scale=2, channels=Channels.LUMA)
        planes = noise(3, 1, 4, 4)
        enlarged = network_function(network.spec, network.session)(planes)
        np.testing.assert_array_equal(enlarged, nearest(planes, 2))

    def test_a_luma_network_leaves_chroma_to_bicubic(self, fake_network: MakeNetwork) -> None:
        """The result's luma is the network's, its colour differences are interpolated."""
        network = fake_network(lambda planes: nearest(planes, 3), scale=3, channels=Channels.LUMA)
        planes = noise(4, 3, 7, 9)
        enlarged = network_function(network.spec, network.session)(planes)
        np.testing.assert_allclose(
            luma(enlarged), nearest(luma(planes)[np.newaxis], 3)[0], atol=1e-6
        )
        chroma = planes - luma(planes)
        np.testing.assert_allclose(
            enlarged - luma(enlarged),
            resize(chroma, height=21, width=27, kernel=BICUBIC),
            atol=2e-6,
        )

    @pytest.mark.parametrize("channels", list(Channels))
    def test_gray_colours_stay_gray(self, fake_network: MakeNetwork, channels: Channels) -> None:
        """Equal planes come out equal, equal to what the gray picture gives."""
        network = fake_network(lambda planes: nearest(planes, 2), scale=2, channels=channels)
        gray = noise(5, 1, 6, 5)
        function = network_function(network.spec, network.session)
        colour = function(np.repeat(gray, 3, axis=0))
        np.testing.assert_allclose(colour, np.repeat(function(gray), 3, axis=0), atol=1e-6)


class TestSelfEnsemble:
    """The average over eight orientations, each answer turned back."""

    @given(seed=SEEDS, height=st.integers(1, 9), width=st.integers(1, 9))
    def test_of_an_equivariant_function_is_that_function(
        self, *, seed: int, height: int, width: int
    ) -> None:
        """Where orientation makes no difference, the average makes none."""
        planes = noise(seed, 3, height, width)
        average = self_ensemble(lambda tile: nearest(tile, 2))(planes)
        np.testing.assert_allclose(average, nearest(planes, 2), atol=1e-6)

    def test_of_identity_is_identity(self) -> None:
        """At scale 1 too: every turn is undone."""
        planes = noise(6, 1, 5, 8)
        np.testing.assert_allclose(self_ensemble(lambda tile: tile)(planes), planes, rtol=1e-6)

    def test_asks_for_eight_distinct_orientations(self) -> None:
        """All flips of the tile and of the tile on its side, none twice, each in plain memory."""
        seen = set()

        def look(tile: Band) -> Band:
            assert tile.flags.c_contiguous
            seen.add((tile.shape, tile.tobytes()))
            return tile

        planes = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
        original = planes.copy()
        self_ensemble(look)(planes)
        assert len(seen) == 8
        assert {shape for shape, _ in seen} == {(2, 3, 4), (2, 4, 3)}
        np.testing.assert_array_equal(planes, original)

    def test_spreads_a_lopsided_answer_evenly(self) -> None:
        """A mark that the network always puts top left lands in each corner a quarter strong."""

        def mark(tile: Band) -> Band:
            marked = np.zeros_like(tile)
            marked[:, 0, 0] = 1
            return marked

        average = self_ensemble(mark)(np.zeros((1, 4, 4), np.float32))
        expected = np.zeros((1, 4, 4), np.float32)
        expected[:, ::3, ::3] = 0.25
        np.testing.assert_array_equal(average, expected)


class TestTiling:
    """Tiled output equals untiled output."""

    @staticmethod
    def blurred(planes: Band) -> Band:
        """Enlarge twice by repetition, then blur 5x5: each result reads one input pixel around."""
        padded = np.pad(nearest(planes, 2), ((0, 0), (2, 2), (2, 2)))
        height, width = padded.shape[1] - 4, padded.shape[2] - 4
        shifts = [
            padded[:, down : down + height, across : across + width]
            for down in range(5)
            for across in range(5)
        ]
        return sum(shifts[1:], start=shifts[0]) / np.float32(25)

    @given(
        height=st.integers(1, 90),
        width=st.integers(1, 90),
        halo_px=st.integers(1, 12),
        budget_px=st.integers(1, 100 * 100),
        planes=st.sampled_from([1, 3]),
        lengths=st.lists(st.integers(1, 50), min_size=1, max_size=4),
        seed=SEEDS,
    )
    def test_tiles_of_a_local_function_join_without_a_seam(
        self,
        *,
        height: int,
        width: int,
        halo_px: int,
        budget_px: int,
        planes: int,
        lengths: list[int],
        seed: int,
    ) -> None:
        """To the last bit, for any size, where the halo is at least what the function reads.

        Past the edges of what it is given the function reads black, as networks do.
        """
        samples = np.random.default_rng(seed).integers(0, 256, (height, width, planes), np.uint8)
        plan = plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px)
        done: list[None] = []
        tiled = joined(
            tiled_bands(
                row_bands(samples, lengths),
                layout_of(samples),
                self.blurred,
                plan=plan,
                scale=2,
                tile_done=lambda: done.append(None),
            )
        )
        whole = joined(
            tiled_bands(
                [samples],
                layout_of(samples),
                self.blurred,
                plan=whole_plan(width, height),
                scale=2,
                tile_done=lambda: None,
            )
        )
        assert tiled.shape == (planes, 2 * height, 2 * width)
        np.testing.assert_array_equal(tiled, whole)
        assert len(done) == plan.tiles

    def test_a_small_picture_is_extended_by_its_mirror(self) -> None:
        """To the right and below, up to a side that tiles may have; results end where it ends."""
        samples = np.random.default_rng(10).integers(0, 256, (20, 50, 3), np.uint8)
        seen = []

        def look(tile: Band) -> Band:
            seen.append(tile)
            return tile

        plan = plan_tiles(50, 20, halo_px=4, budget_px=64 * 64)
        result = joined(
            tiled_bands(
                row_bands(samples, [3]),
                layout_of(samples),
                look,
                plan=plan,
                scale=1,
                tile_done=lambda: None,
            )
        )
        extended = np.pad(samples, ((0, 12), (0, 14), (0, 0)), mode="symmetric")
        np.testing.assert_array_equal(seen, [to_planes(extended)])
        np.testing.assert_array_equal(result, to_planes(samples))

    def test_every_tile_has_the_plans_shape(self) -> None:
        """Engines prepare themselves for one shape; they are given no other."""
        shapes = set()

        def look(tile: Band) -> Band:
            shapes.add(tile.shape)
            return tile

        plan = plan_tiles(101, 77, halo_px=3, budget_px=48 * 64)
        samples = np.zeros((77, 101, 3), np.uint8)
        layout = layout_of(samples)
        joined(tiled_bands([samples], layout, look, plan=plan, scale=1, tile_done=lambda: None))
        assert shapes == {(3, plan.tile_height, plan.tile_width)}

    def test_stops_when_told_after_a_tile(self) -> None:
        """What `tile_done` raises comes through, and no further tile is computed."""
        computed: list[None] = []

        def look(tile: Band) -> Band:
            computed.append(None)
            return tile

        def stop() -> None:
            raise Cancelled

        plan = plan_tiles(100, 100, halo_px=0, budget_px=32 * 32)
        samples = np.zeros((100, 100, 1), np.uint8)
        with pytest.raises(Cancelled):
            joined(
                tiled_bands([samples], layout_of(samples), look, plan=plan, scale=1, tile_done=stop)
            )
        assert len(computed) == 1

    def test_alpha_is_what_shines_through(self) -> None:
        """A tile is enlarged over black, then over white, and counts twice."""
        samples = np.random.default_rng(11).integers(0, 256, (70, 64, 4), np.uint8)
        plan = plan_tiles(64, 70, halo_px=2, budget_px=32 * 32)
        seen: list[Band] = []
        done: list[None] = []

        def look(tile: Band) -> Band:
            seen.append(tile)
            return nearest(tile, 2)

        result = joined(
            tiled_bands(
                [samples],
                layout_of(samples, alpha=True),
                look,
                plan=plan,
                scale=2,
                tile_done=lambda: done.append(None),
            )
        )
        np.testing.assert_allclose(result, nearest(multiplied(samples), 2), atol=1e-6)
        first = multiplied(samples[:32, :32])
        np.testing.assert_allclose(seen[0], first[:3], atol=1e-6)
        np.testing.assert_allclose(seen[1], first[:3] + 1 - first[3], atol=1e-6)
        assert len(seen) == len(done) == 2 * plan.tiles

    @pytest.mark.parametrize(("alpha", "passes"), [(0, 0), (77, 2), (255, 1)])
    def test_a_network_is_spared_what_nobody_sees(self, alpha: int, passes: int) -> None:
        """A clear tile costs nothing, an opaque one a single pass."""
        samples = np.random.default_rng(12).integers(0, 256, (32, 32, 4), np.uint8)
        samples[..., 3] = alpha
        seen: list[None] = []
        done: list[None] = []

        def look(tile: Band) -> Band:
            seen.append(None)
            return nearest(tile, 3)

        result = joined(
            tiled_bands(
                [samples],
                layout_of(samples, alpha=True),
                look,
                plan=whole_plan(32, 32),
                scale=3,
                tile_done=lambda: done.append(None),
            )
        )
        np.testing.assert_allclose(result, nearest(multiplied(samples), 3), atol=1e-6)
        assert (len(seen), len(done)) == (passes, 2)

    def test_opaque_places_are_enlarged_as_in_an_opaque_picture(self) -> None:
        """Far from transparency not a bit differs, what passes black and white included."""
        samples = np.random.default_rng(14).integers(0, 256, (64, 64, 4), np.uint8)
        samples[..., 3] = 255
        samples[:8, :8, 3] = 100

        def steep(tile: Band) -> Band:
            return nearest(tile * 2 - np.float32(0.5), 2)

        mixed, opaque = (
            joined(
                tiled_bands(
                    [some],
                    layout_of(some, alpha=some is samples),
                    steep,
                    plan=whole_plan(64, 64),
                    scale=2,
                    tile_done=lambda: None,
                )
            )
            for some in (samples, np.ascontiguousarray(samples[..., :3]))
        )
        np.testing.assert_array_equal(mixed[:3, 18:, 18:], opaque[:, 18:, 18:])
        assert opaque.max() > 1.4
        assert np.all(mixed[3, 18:] == 1)

    def test_bands_are_the_callers(self) -> None:
        """What was yielded does not change while the next row of tiles is computed."""
        samples = np.random.default_rng(13).integers(0, 256, (100, 40, 3), np.uint8)
        plan = plan_tiles(40, 100, halo_px=0, budget_px=32 * 48)
        assert len(plan.rows) > 1
        bands = list(
            tiled_bands(
                [samples],
                layout_of(samples),
                lambda tile: tile,
                plan=plan,
                scale=1,
                tile_done=lambda: None,
            )
        )
        np.testing.assert_array_equal(np.concatenate(bands, axis=1), to_planes(samples))


class TestSoftening:
    """A blend towards a 3x3 binomial blur."""

    @staticmethod
    def binomial(planes: Band) -> Band:
        """Blur in one go, the edge pixel repeated outside."""
        padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
        quarter = np.float32(0.25)
        tall = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) * quarter
        blurred: Band = (tall[..., :-2] + 2 * tall[..., 1:-1] + tall[..., 2:]) * quarter
        return blurred

    @given(
        height=st.integers(1, 40),
        width=st.integers(1, 12),
        lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
        strength=st.floats(0, 1, width=16),
        seed=SEEDS,
    )
    def test_bands_equal_one_go(
        self, *, height: int, width: int, lengths: list[int], strength: float, seed: int
    ) -> None:
        """However the picture is cut, bands one row high included."""
        planes = noise(seed, 2, height, width)
        result = joined(softened(cut(planes, lengths), strength=strength))
        whole = planes + strength * (self.binomial(planes) - planes)
        np.testing.assert_allclose(result, whole, atol=1e-6)
        assert result.dtype == np.float32

    def test_strength_0_changes_nothing(self) -> None:
        """Not by a rounding error."""
        planes = noise(7, 3, 20, 9)
        np.testing.assert_array_equal(joined(softened(cut(planes, [6]), strength=0)), planes)

    def test_strength_1_is_the_blur(self) -> None:
        """A single white pixel becomes the binomial pattern."""
        planes = np.zeros((1, 5, 5), np.float32)
        planes[0, 2, 2] = 16
        result = joined(softened(cut(planes, [2]), strength=1))
        np.testing.assert_array_equal(result[0, 1:4, 1:4], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])

    @given(value=st.floats(0, 1, width=32), strength=st.floats(0, 1, width=16))
    def test_constants_stay(self, *, value: float, strength: float) -> None:
        """Edges and corners included."""
        planes = np.full((1, 7, 5), value, np.float32)
        result = joined(softened(cut(planes, [3]), strength=strength))
        np.testing.assert_allclose(result, planes, atol=1e-6)


class TestSamples:
    """Integer samples become planes and come back."""

    @pytest.mark.parametrize(
        "values",
        [np.arange(2**8, dtype=np.uint8), np.arange(2**16, dtype=np.uint16)],
        ids=["8 bits", "16 bits"],
    )
    def test_every_value_comes_back(self, values: NDArray[Samples]) -> None:
        """All 256 and all 65,536 of them, through planes in 0..1."""
        samples = values.reshape(-1, 16, 1)
        planes = to_planes(samples)
        assert planes.dtype == np.float32
        assert (planes.min(), planes.max()) == (0, 1)
        (back,) = quantized([planes], sample_max=int(values.max()))
        assert back.dtype == values.dtype
        np.testing.assert_array_equal(back, samples)

    def test_planes_are_in_the_order_of_the_samples(self) -> None:
        """Rows and columns stay; the last axis becomes the first, in plain memory."""
        samples = np.random.default_rng(8).integers(0, 256, (4, 6, 3), np.uint8)
        planes = to_planes(samples)
        assert planes.flags.c_contiguous
        np.testing.assert_array_equal(np.rint(planes * 255).transpose(1, 2, 0), samples)

    @given(
        height=st.integers(1, 300),
        lengths=st.lists(st.integers(1, 200), min_size=1, max_size=4),
    )
    def test_plain_bands_hold_every_row_once(self, *, height: int, lengths: list[int]) -> None:
        """In order, cut in one way whatever the source's bands are."""
        samples = (np.arange(height) % 256).astype(np.uint8)[:, np.newaxis, np.newaxis]
        done: list[None] = []
        bands = list(
            plain_bands(
                row_bands(samples, lengths),
                layout_of(samples),
                band_done=lambda: done.append(None),
            )
        )
        assert {band.shape[1] for band in bands[:-1]} <= {PLAIN_ROWS}
        assert len(done) == len(bands)
        np.testing.assert_array_equal(np.concatenate(bands, axis=1), to_planes(samples))

    def test_plain_bands_have_their_colours_multiplied(self) -> None:
        """By alpha, where there is one."""
        samples = np.random.default_rng(15).integers(0, 256, (70, 9, 4), np.uint8)
        layout = layout_of(samples, alpha=True)
        bands = list(plain_bands([samples], layout, band_done=lambda: None))
        np.testing.assert_array_equal(np.concatenate(bands, axis=1), multiplied(samples))

    @pytest.mark.parametrize("sample_max", [255, 65535])
    @pytest.mark.parametrize(
        ("value", "level"),
        [(0.0, 0.0), (1.0, 1.0), (-0.0, 0.0), (-0.3, 0.0), (1.2, 1.0), (9e9, 1.0), (-9e9, 0.0)],
    )
    def test_black_white_and_what_passes_them(
        self, sample_max: int, value: float, level: float
    ) -> None:
        """Networks overshoot; samples are clipped, they never wrap around."""
        (samples,) = quantized([np.full((1, 1, 1), value, np.float32)], sample_max=sample_max)
        assert samples.dtype == (np.uint8 if sample_max == 255 else np.uint16)
        assert samples.item() == level * sample_max

    @pytest.mark.parametrize(
        ("value", "sample_max", "level"),
        [(0.5, 255, 128), (0.5, 65535, 32768), (0.1, 255, 26), (0.3, 255, 77), (0.499, 255, 127)],
    )
    def test_halves_are_rounded_up(self, value: float, sample_max: int, level: int) -> None:
        """127.5 is 128, never the even neighbour or the floor."""
        (samples,) = quantized([np.full((1, 1, 1), value, np.float32)], sample_max=sample_max)
        assert samples.item() == level


def test_cancelling_is_asked_of_the_caller() -> None:
    """No check, or one that says no, lets the work go on."""
    check_cancelled(None)
    check_cancelled(lambda: False)
    with pytest.raises(Cancelled):
        check_cancelled(lambda: True)
