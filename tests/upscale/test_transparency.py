"""Colours under transparency are made up from what is visible, and alpha stays in bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.config import Settings
from upres.image.picture import Layout, Picture
from upres.upscale.resample import KERNELS
from upres.upscale.transparency import REACH_PX, bounded_alpha, filled_rows
from upres.upscale.upscaler import Interpolation, Options, enlarge_picture
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from upres.image.picture import Rows
    from upres.upscale.upscaler import Network

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
            if samples[y, x, -1] >= 0.03 * white:
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


class TestBounds:
    """Enlarged alpha stays between the extremes of the 3x3 source pixels around it."""

    @given(
        height=st.integers(1, 40),
        width=st.integers(1, 40),
        to=st.tuples(st.integers(1, 130), st.integers(1, 130)),
        lengths=LENGTHS,
        source_lengths=LENGTHS,
        bits=BITS,
        seed=SEEDS,
    )
    def test_is_clipped_to_its_neighbours(
        self,
        *,
        height: int,
        width: int,
        to: tuple[int, int],
        lengths: list[int],
        source_lengths: list[int],
        bits: int,
        seed: int,
    ) -> None:
        """Against the rule one pixel at a time; colours are left alone."""
        source = spotted(seed, height, width, bits=bits, share=0.6)
        result = spotted(seed + 1, *to, bits=bits, share=0.9)
        bands = (band.copy() for band in cut(result, lengths))
        bounded = np.concatenate(
            list(
                bounded_alpha(
                    bands,
                    cut(source, source_lengths),
                    layout_of(source),
                    width=to[1],
                    height=to[0],
                )
            )
        )
        np.testing.assert_array_equal(bounded[..., :-1], result[..., :-1])
        for y, x in np.random.default_rng(seed).integers(0, to, (20, 2)):
            down, across = int((y + 0.5) * height / to[0]), int((x + 0.5) * width / to[1])
            near = source[max(down - 1, 0) : down + 2, max(across - 1, 0) : across + 2, -1]
            assert bounded[y, x, -1] == np.clip(result[y, x, -1], near.min(), near.max())


def disc(side: int, *, radius: float, fine: int = 8) -> Floats:
    """Return the share of each pixel that a disc in the middle covers."""
    at = (np.arange(side * fine) + 0.5) / fine - side / 2
    inside = at[:, np.newaxis] ** 2 + at**2 <= radius**2
    share: Floats = inside.reshape(side, fine, side, fine).mean((1, 3))
    return share


SIDE, RADIUS = 72, 21.3
RED = np.array([230, 20, 30], np.uint8)
GARBAGE = {"black": (0, 0, 0), "white": (255, 255, 255), "green": (0, 255, 0)}


def red_disc(garbage: tuple[int, int, int] | None, *, below: int = 1) -> Picture:
    """Return a red disc, its edge antialiased; what has less alpha than `below` is garbage."""
    alpha = np.rint(disc(SIDE, radius=RADIUS) * 255).astype(np.uint8)
    pixels = np.broadcast_to(RED, (SIDE, SIDE, 3)).copy()
    if garbage is not None:
        pixels[alpha < below] = garbage
    return Picture(pixels=pixels, alpha=alpha)


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Open the bundled network."""
    folder = tmp_path_factory.mktemp("models")
    settings = Settings.from_environment(
        {"UPRES_MODEL_DIR": str(folder), "UPRES_CACHE_DIR": str(folder)}
    )
    workbench = Workbench(settings)
    method = workbench.method(
        "lite", factor=3, runtime=Runtime(engine="onnxruntime", precision="fp32", threads=1)
    )
    assert not isinstance(method, Interpolation)
    yield method
    method.session.close()


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("name", ["bicubic", "lanczos", "lite"])
class TestRedDisc:
    """An edge on transparency shows nothing but the shape's colour and the background."""

    @staticmethod
    def enlarged(
        picture: Picture, name: str, factor: int, lite: Network
    ) -> tuple[Floats, NDArray[np.uint8]]:
        """Return colours and alpha of the enlarged disc."""
        method = lite if name == "lite" else Interpolation(kernel=KERNELS[name])
        side = picture.width * factor
        result = enlarge_picture(picture, method, width=side, height=side, options=Options())
        assert result.alpha is not None
        return result.pixels.astype(np.float64), result.alpha.astype(np.uint8)

    @pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
    def test_has_no_fringe(
        self, garbage: tuple[int, int, int], name: str, factor: int, lite: Network
    ) -> None:
        """Composited pixels lie between red and the background, close to the opaque truth."""
        colours, alpha = self.enlarged(red_disc(garbage), name, factor, lite)
        share = alpha[..., np.newaxis] / 255
        truth = disc(SIDE * factor, radius=RADIUS * factor)[..., np.newaxis]
        red = RED.astype(np.float64)
        for level in (255.0, 0.0, 128.0):
            composited = colours * share + level * (1 - share)
            way = red - level
            at = np.clip((composited - level) @ way / (way @ way), 0, 1)[..., np.newaxis]
            assert np.abs(composited - (level + at * way)).max() <= 3
            expected = red * truth + level * (1 - truth)
            assert np.abs(composited - expected).mean() <= 1.2

    @pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
    def test_alpha_falls_from_the_middle_to_the_rim(
        self, garbage: tuple[int, int, int], name: str, factor: int, lite: Network
    ) -> None:
        """Along rays, without a ghost line; opaque inside and clear outside, exactly.

        Within a source pixel of the edge a network may waver by 6 % of full alpha.
        """
        _, alpha = self.enlarged(red_disc(garbage), name, factor, lite)
        side = SIDE * factor
        middle = side // 2
        for ray in (
            alpha[middle, middle:],
            alpha[middle, middle - 1 :: -1],
            alpha[middle:, middle],
            np.diagonal(alpha)[middle:],
            np.diagonal(alpha[:, ::-1])[middle:],
        ):
            assert np.diff(ray.astype(int)).max() <= (16 if name == "lite" else 2)
        at = np.arange(side) + 0.5 - middle
        distance = np.hypot(at[:, np.newaxis], at) / factor
        assert np.all(alpha[distance < RADIUS - 3] == 255)
        assert np.all(alpha[distance > RADIUS + 3] == 0)

    def test_does_not_depend_on_what_lies_under_transparency(
        self, name: str, factor: int, lite: Network
    ) -> None:
        """Colours that are seen change by a level at most, alpha not at all."""
        results = [
            self.enlarged(red_disc(garbage), name, factor, lite)
            for garbage in (None, *GARBAGE.values())
        ]
        colours, alpha = results[0]
        for other_colours, other_alpha in results[1:]:
            np.testing.assert_array_equal(other_alpha, alpha)
            assert np.abs(other_colours - colours)[alpha > 0].max() <= 1

    def test_nor_much_on_colours_of_the_faintest_pixels(
        self, name: str, factor: int, lite: Network
    ) -> None:
        """Where alpha is below 3 % colours are rounded coarsely; opaque ones stay clear of that."""
        clean, alpha = self.enlarged(red_disc(None), name, factor, lite)
        for garbage in GARBAGE.values():
            spoilt, _ = self.enlarged(red_disc(garbage, below=8), name, factor, lite)
            seen = np.abs(spoilt - clean).max(axis=2) * (alpha / 255)
            assert seen.max() <= 3


@pytest.mark.parametrize("level", [0, 255])
def test_plain_alpha_stays_plain_whatever_the_network_makes_of_it(
    lite: Network, level: int
) -> None:
    """Wholly opaque and wholly clear pictures come out so, up to the picture's edges."""
    random = np.random.default_rng(3)
    picture = Picture(
        pixels=random.integers(0, 256, (60, 50, 3), np.uint8),
        alpha=np.full((60, 50), level, np.uint8),
    )
    result = enlarge_picture(picture, lite, width=125, height=150, options=Options(soften=0.5))
    assert result.alpha is not None
    assert np.all(result.alpha == level)
