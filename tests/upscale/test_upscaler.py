"""The list of steps: sizes, sample types, transparency, metadata, progress and cancelling."""

from __future__ import annotations

import tracemalloc
import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.errors import Cancelled, InvalidOption, UnreadablePicture
from upres.image.picture import Layout, Metadata, Picture
from upres.models.spec import Channels
from upres.upscale.resample import BICUBIC, KERNELS, Kernel, resize
from upres.upscale.steps import to_planes
from upres.upscale.tiles import plan_tiles, whole_plan
from upres.upscale.upscaler import Interpolation, Options, enlarge_picture, enlarge_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upres.image.picture import Rows
    from upres.upscale.resample import Band
    from upres.upscale.upscaler import Network

    MakeNetwork = Callable[..., Network]

PLAIN = Options()


def noise_picture(
    width: int,
    height: int,
    *,
    planes: int = 3,
    dtype: type[np.uint8 | np.uint16] = np.uint8,
    alpha: bool = False,
) -> Picture:
    """Return a picture of random samples, no pixel of it fully transparent."""
    random = np.random.default_rng(width * 1000 + height)
    limit = int(np.iinfo(dtype).max)
    return Picture(
        pixels=random.integers(0, limit, (height, width, planes), dtype, endpoint=True),
        alpha=random.integers(1, limit, (height, width), dtype, endpoint=True) if alpha else None,
        metadata=Metadata(icc=b"profile", pixels_per_mm=(3.0, 4.0), fields={"exif-data": (1, b"")}),
    )


def nearest(planes: Band, scale: int = 3) -> Band:
    """Enlarge by repeating pixels."""
    return planes.repeat(scale, axis=1).repeat(scale, axis=2)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("channels", list(Channels))
def test_pictures_keep_their_kind(
    fake_network: MakeNetwork,
    *,
    channels: Channels,
    planes: int,
    dtype: type[np.uint8 | np.uint16],
    alpha: bool,
) -> None:
    """Gray stays gray, 16 bits stay 16 bits, alpha stays, and metadata travels on."""
    picture = noise_picture(21, 34, planes=planes, dtype=dtype, alpha=alpha)
    network = fake_network(nearest, scale=3, channels=channels)
    result = enlarge_picture(picture, network, width=63, height=102, options=PLAIN)
    assert result.pixels.shape == (102, 63, planes)
    assert result.pixels.dtype == dtype
    assert result.metadata == picture.metadata
    if picture.alpha is None:
        assert result.alpha is None
    else:
        assert result.alpha is not None
        expected = picture.alpha.repeat(3, axis=0).repeat(3, axis=1)
        np.testing.assert_array_equal(result.alpha, expected)


def test_a_network_at_its_own_factor_has_the_last_word(fake_network: MakeNetwork) -> None:
    """No resampling blurs a result that has the asked size already."""
    picture = noise_picture(50, 40, dtype=np.uint16)
    network = fake_network(nearest, scale=3)
    result = enlarge_picture(picture, network, width=150, height=120, options=PLAIN)
    expected = picture.pixels.repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(result.pixels, expected)


@given(
    width=st.integers(2, 60),
    height=st.integers(2, 60),
    factor=st.floats(1, 7),
    scale=st.integers(1, 4),
    tta=st.booleans(),
)
def test_any_size_can_be_asked_of_any_network(
    *,
    fake_network: MakeNetwork,
    width: int,
    height: int,
    factor: float,
    scale: int,
    tta: bool,
) -> None:
    """The network's own factor goes first; the result has the asked size, never the network's."""
    network = fake_network(lambda planes: nearest(planes, scale), scale=scale)
    to_width, to_height = round(width * factor), round(height * factor)
    picture = Picture(pixels=np.full((height, width, 3), 77, np.uint8))
    result = enlarge_picture(
        picture, network, width=to_width, height=to_height, options=Options(tta=tta)
    )
    assert (result.width, result.height) == (to_width, to_height)
    assert np.all(result.pixels == 77)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", list(Channels))
@pytest.mark.parametrize("options", [PLAIN, Options(tta=True), Options(soften=0.7)])
def test_black_stays_black_and_white_stays_white(
    fake_network: MakeNetwork,
    options: Options,
    channels: Channels,
    dtype: type[np.uint8 | np.uint16],
) -> None:
    """Through the network, Lanczos, softening and rounding; clear stays clear, opaque opaque."""
    network = fake_network(nearest, scale=3, channels=channels, value_max=255.0)
    white = int(np.iinfo(dtype).max)
    for level, shown in ((0, white), (white, white), (white // 2, 0)):
        samples = np.full((30, 40, 3), level, dtype)
        picture = Picture(pixels=samples, alpha=np.full((30, 40), shown, dtype))
        result = enlarge_picture(picture, network, width=100, height=75, options=options)
        assert np.all(result.pixels == level) or shown == 0
        assert result.alpha is not None
        assert np.all(result.alpha == shown)


def test_colours_under_full_transparency_do_not_bleed(fake_network: MakeNetwork) -> None:
    """Black that nobody sees draws no fringe around a white shape."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    alpha = np.zeros((32, 32), np.uint8)
    pixels[8:24, 8:24], alpha[8:24, 8:24] = 255, 255
    network = fake_network(nearest, scale=3)
    picture = Picture(pixels=pixels, alpha=alpha)
    result = enlarge_picture(picture, network, width=64, height=64, options=PLAIN)
    assert np.all(result.pixels == 255)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("options", [PLAIN, Options(tta=True), Options(soften=0.7)])
@pytest.mark.parametrize("method", ["network", "interpolation"])
def test_opaque_alpha_changes_no_bit(
    fake_network: MakeNetwork, method: str, options: Options, bits: int
) -> None:
    """Colours are those of the picture without alpha, what passes black and white included."""
    picture = noise_picture(70, 90, dtype=np.uint8 if bits == 8 else np.uint16)
    opaque = replace(picture, alpha=np.full((90, 70), picture.sample_max, picture.pixels.dtype))
    steep = fake_network(lambda planes: nearest(planes * 2 - np.float32(0.5)), scale=3)
    plain, result = (
        enlarge_picture(
            some,
            steep if method == "network" else Interpolation(kernel=BICUBIC),
            width=150,
            height=200,
            options=options,
        )
        for some in (picture, opaque)
    )
    np.testing.assert_array_equal(result.pixels, plain.pixels)
    assert result.alpha is not None
    assert np.all(result.alpha == picture.sample_max)


@pytest.mark.parametrize("alpha", [False, True])
def test_progress_counts_every_tile_to_the_total(fake_network: MakeNetwork, *, alpha: bool) -> None:
    """With alpha there are two passes over the same tiles, counted in one."""
    picture = noise_picture(100, 70, alpha=alpha)
    plan = plan_tiles(100, 70, halo_px=4, budget_px=32 * 32)
    seen: list[tuple[int, int]] = []
    enlarge_picture(
        picture,
        fake_network(nearest, scale=3),
        width=300,
        height=210,
        options=PLAIN,
        plan=plan,
        progress=lambda done, total: seen.append((done, total)),
    )
    total = plan.tiles * (2 if alpha else 1)
    assert total > 10
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_cancelling_stops_between_tiles(fake_network: MakeNetwork) -> None:
    """The check is asked before every tile; no tile is computed after it said yes."""
    computed: list[None] = []

    def count(planes: Band) -> Band:
        computed.append(None)
        return nearest(planes)

    with pytest.raises(Cancelled):
        enlarge_picture(
            noise_picture(100, 100),
            fake_network(count, scale=3),
            width=300,
            height=300,
            options=PLAIN,
            plan=plan_tiles(100, 100, halo_px=4, budget_px=32 * 32),
            cancel=lambda: len(computed) == 3,
        )
    assert len(computed) == 3


@pytest.mark.parametrize("method", ["network", "interpolation"])
def test_cancelled_from_the_start_computes_nothing(fake_network: MakeNetwork, method: str) -> None:
    """Whoever gave up while waiting pays for no tile."""

    def never(planes: Band) -> Band:
        raise AssertionError(planes.shape)

    with pytest.raises(Cancelled):
        enlarge_picture(
            noise_picture(20, 20),
            fake_network(never, scale=3) if method == "network" else Interpolation(kernel=BICUBIC),
            width=60,
            height=60,
            options=PLAIN,
            cancel=lambda: True,
        )


def test_a_failing_progress_callback_is_not_swallowed(fake_network: MakeNetwork) -> None:
    """What it raises comes through."""

    def fail(done: int, total: int) -> None:
        raise RuntimeError(f"{done} of {total}")

    with pytest.raises(RuntimeError, match="1 of 1"):
        enlarge_picture(
            noise_picture(20, 20),
            fake_network(nearest, scale=3),
            width=60,
            height=60,
            options=PLAIN,
            progress=fail,
        )


def test_a_given_plan_replaces_the_networks_own(fake_network: MakeNetwork) -> None:
    """Tiled or whole, the result of a network that looks at single pixels is one and the same."""
    picture = noise_picture(90, 70)
    network = fake_network(nearest, scale=3)
    results = [
        enlarge_picture(picture, network, width=200, height=180, options=PLAIN, plan=plan)
        for plan in (
            None,
            plan_tiles(90, 70, halo_px=5, budget_px=32 * 48),
            whole_plan(90, 70),
        )
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result.pixels, results[0].pixels)


def test_tta_runs_the_network_eight_times_a_tile(fake_network: MakeNetwork) -> None:
    """Four times upright and four times on its side."""
    shapes = []

    def look(planes: Band) -> Band:
        shapes.append(planes.shape)
        return nearest(planes)

    network = fake_network(look, scale=3)
    picture = noise_picture(30, 100)
    enlarge_picture(picture, network, width=90, height=300, options=Options(tta=True))
    plan = network.plan(width=30, height=100)
    assert shapes.count((3, plan.tile_height, plan.tile_width)) == 4 * plan.tiles
    assert shapes.count((3, plan.tile_width, plan.tile_height)) == 4 * plan.tiles
    assert len(shapes) == 8 * plan.tiles


def test_one_pass_is_enough_where_every_side_gives_the_same(fake_network: MakeNetwork) -> None:
    """Nearest neighbours do; the result is that of eight passes."""
    looks = []

    def look(planes: Band) -> Band:
        looks.append(planes.shape)
        return nearest(planes)

    network = fake_network(look, scale=3)
    alike = replace(network, spec=replace(network.spec, symmetric=True))
    picture = noise_picture(30, 100)
    averaging = Options(tta=True)
    eight = enlarge_picture(picture, network, width=90, height=300, options=averaging)
    looks.clear()
    one = enlarge_picture(picture, alike, width=90, height=300, options=averaging)
    assert len(looks) == alike.plan(width=30, height=100).tiles
    assert np.array_equal(one.pixels, eight.pixels)


def test_softening_takes_contrast_away(fake_network: MakeNetwork) -> None:
    """The more the softer; the picture's mean stays."""
    picture = noise_picture(40, 40)
    spread, means = [], []
    for strength in (0.0, 0.5, 1.0):
        result = enlarge_picture(
            picture,
            fake_network(nearest, scale=3),
            width=120,
            height=120,
            options=Options(soften=strength),
        )
        spread.append(float(result.pixels.std()))
        means.append(float(result.pixels.mean()))
    assert spread[0] > spread[1] > spread[2]
    assert means == pytest.approx([means[0]] * 3, abs=0.5)


@pytest.mark.parametrize("soften", [-0.1, 1.1, float("nan"), float("inf")])
def test_senseless_softening_is_refused(soften: float) -> None:
    """It is a share from 0 to 1."""
    with pytest.raises(InvalidOption, match=r"soften is .*; expected a number from 0 to 1"):
        Options(soften=soften)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_baselines_are_the_kernel_and_nothing_else(
    kernel: Kernel, dtype: type[np.uint8 | np.uint16], *, alpha: bool
) -> None:
    """The kernel's result, clipped and rounded, in bands or not; progress every few rows."""
    picture = noise_picture(33, 600, dtype=dtype)
    if alpha:  # so smooth that no clipping to the neighbours comes in, and the same in every row
        slope = 0.5 - 0.4 * np.cos(np.pi * (np.arange(600) + 0.5) / 600)
        levels = np.rint(slope * np.iinfo(dtype).max).astype(dtype)
        picture = replace(picture, alpha=np.repeat(levels[:, np.newaxis], 33, axis=1))
    seen: list[tuple[int, int]] = []
    result = enlarge_picture(
        picture,
        Interpolation(kernel=kernel),
        width=50,
        height=901,
        options=PLAIN,
        progress=lambda done, total: seen.append((done, total)),
    )
    within_one_level(result, picture, kernel)
    assert seen == [(done, 10) for done in range(1, 11)]
    assert result.metadata == picture.metadata


def within_one_level(result: Picture, picture: Picture, kernel: Kernel) -> None:
    """Hold a result against the kernel's answer for the whole picture in one go."""
    planes = to_planes(picture.rows())
    if picture.alpha is not None:
        planes[:-1] *= planes[-1]
    planes = resize(planes, height=result.height, width=result.width, kernel=kernel)
    if picture.alpha is not None:
        planes[:-1] /= planes[-1]
    expected = np.rint(np.clip(planes, 0, 1) * picture.sample_max).transpose(1, 2, 0)
    assert np.abs(result.rows().astype(np.float64) - expected).max() <= 1


def cut(samples: Rows, lengths: list[int]) -> Iterator[Rows]:
    """Cut a picture into bands of the given lengths, in turn, until there are no rows left."""
    row = turn = 0
    while row < len(samples):
        stop = row + lengths[turn % len(lengths)]
        yield samples[row:stop]
        row, turn = stop, turn + 1


class TestRows:
    """A picture goes through in bands of rows, never held whole."""

    @given(
        height=st.integers(1, 200),
        width=st.integers(1, 70),
        factor=st.sampled_from([1.0, 1.7, 3.0, 4.2]),
        lengths=st.lists(st.integers(1, 90), min_size=1, max_size=4),
        soften=st.sampled_from([0.0, 0.5]),
        network=st.booleans(),
        alpha=st.booleans(),
        gray=st.booleans(),
    )
    def test_bands_of_any_heights_equal_the_whole_picture(
        self,
        *,
        fake_network: MakeNetwork,
        height: int,
        width: int,
        factor: float,
        lengths: list[int],
        soften: float,
        network: bool,
        alpha: bool,
        gray: bool,
    ) -> None:
        """Bit for bit, with empty bands between them, too."""
        picture = noise_picture(width, height, planes=1 if gray else 3, alpha=alpha)
        if picture.alpha is not None:
            picture.alpha[height // 3 : height // 2] = 0
        method = fake_network(nearest, scale=3) if network else Interpolation(kernel=BICUBIC)
        asked = partial(
            enlarge_rows,
            layout=picture.layout,
            method=method,
            width=round(width * factor),
            height=round(height * factor),
            options=Options(soften=soften),
            plan=plan_tiles(width, height, halo_px=3, budget_px=48 * 48),
        )
        rows = picture.rows()
        result = list(asked([rows[:0], *cut(rows, lengths), rows[:0]]))
        assert all(len(band) for band in result)
        np.testing.assert_array_equal(np.concatenate(result), np.concatenate(list(asked([rows]))))

    @pytest.mark.parametrize("alpha", [False, True])
    @pytest.mark.parametrize("method", ["network", "interpolation"])
    @pytest.mark.parametrize(
        ("rows", "words"),
        [(149, "ends after 149 of its 150 rows")]
        + [(more, "has more than its 150 rows") for more in (151, 300)],
    )
    @pytest.mark.parametrize("band", [1, 50, 1000])
    def test_missing_and_surplus_rows_are_an_error(
        self,
        fake_network: MakeNetwork,
        method: str,
        rows: int,
        words: str,
        band: int,
        *,
        alpha: bool,
    ) -> None:
        """Never a short result, and never a complete one."""
        picture = noise_picture(40, rows, alpha=alpha)
        got: list[Rows] = []
        results = enlarge_rows(
            cut(picture.rows(), [band]),
            picture.layout.sized(width=40, height=150),
            fake_network(nearest, scale=3)
            if method == "network"
            else Interpolation(kernel=BICUBIC),
            width=100,
            height=400,
            options=PLAIN,
            plan=plan_tiles(40, 150, halo_px=2, budget_px=48 * 48),
        )
        with pytest.raises(UnreadablePicture, match=words):
            got.extend(results)
        assert sum(map(len, got)) < 400

    @pytest.mark.parametrize(
        "wrong",
        [
            np.zeros((5, 9, 3), np.uint8),
            np.zeros((5, 8, 4), np.uint8),
            np.zeros((5, 8, 3), np.uint16),
        ],
        ids=["width", "planes", "type"],
    )
    def test_rows_of_another_kind_are_refused(self, wrong: Rows) -> None:
        """A mistake of the program, named with what was expected."""
        layout = Layout(width=8, height=5, gray=False, alpha=False, bits=8)
        with pytest.raises(TypeError, match=r"expected uint8 \(rows, 8, 3\)"):
            list(
                enlarge_rows(
                    [wrong],
                    layout,
                    Interpolation(kernel=BICUBIC),
                    width=16,
                    height=10,
                    options=PLAIN,
                )
            )

    def test_what_the_source_raises_comes_through(self) -> None:
        """At the very end, too: the last rows are not given away before."""

        def source() -> Iterator[Rows]:
            yield np.zeros((100, 8, 3), np.uint8)
            raise UnreadablePicture("cat.png", "its checksum is wrong")

        layout = Layout(width=8, height=100, gray=False, alpha=False, bits=8)
        got: list[Rows] = []
        results = enlarge_rows(
            source(), layout, Interpolation(kernel=BICUBIC), width=16, height=200, options=PLAIN
        )
        with pytest.raises(UnreadablePicture, match=r"cat\.png: its checksum"):
            got.extend(results)
        assert sum(map(len, got)) < 200

    def test_whole_pictures_are_built_on_them(self, fake_network: MakeNetwork) -> None:
        """Nothing is done to a whole picture that is not done to its rows."""
        picture = noise_picture(40, 130, alpha=True)
        method = fake_network(nearest, scale=3)
        whole = enlarge_picture(picture, method, width=90, height=300, options=PLAIN)
        rows = enlarge_rows(
            [picture.rows()], picture.layout, method, width=90, height=300, options=PLAIN
        )
        np.testing.assert_array_equal(np.concatenate(list(rows)), whole.rows())

    @pytest.mark.parametrize("taken", [0, 1, 2])
    def test_can_be_abandoned_at_any_time(self, fake_network: MakeNetwork, taken: int) -> None:
        """Closing it closes the source and lets go of everything."""
        closed: list[bool] = []

        def source() -> Iterator[Rows]:
            try:
                while True:
                    yield np.zeros((10, 40, 4), np.uint8)
            finally:
                closed.append(True)

        results = enlarge_rows(
            source(),
            Layout(width=40, height=2000, gray=False, alpha=True, bits=8),
            fake_network(nearest, scale=3),
            width=90,
            height=4500,
            options=Options(soften=0.5),
        )
        for _ in range(taken):
            next(results)
        assert hasattr(results, "close")
        results.close()
        del results
        assert len(closed) == (1 if taken else 0)

    @pytest.mark.parametrize(("method", "most"), [("network", 500), ("interpolation", 336)])
    def test_few_source_rows_are_held(
        self, fake_network: MakeNetwork, method: str, most: int
    ) -> None:
        """A row of tiles, and with alpha the reach of the colours around a band to be filled."""
        height = 3000
        live: set[int] = set()
        peak = 0

        def source() -> Iterator[Rows]:
            nonlocal peak
            random = np.random.default_rng(5)
            for row in range(height):
                band = random.integers(0, 256, (1, 20, 4), np.uint8)
                live.add(row)
                weakref.finalize(band, live.discard, row)
                peak = max(peak, len(live))
                yield band

        plan = plan_tiles(20, height, halo_px=8, budget_px=32 * 160)
        assert plan.tile_height <= 160
        done = sum(
            len(band)
            for band in enlarge_rows(
                source(),
                Layout(width=20, height=height, gray=False, alpha=True, bits=8),
                fake_network(nearest, scale=3)
                if method == "network"
                else Interpolation(kernel=BICUBIC),
                width=60,
                height=3 * height,
                options=PLAIN,
                plan=plan,
            )
        )
        assert done == 3 * height
        assert 0 < peak <= most

    @pytest.mark.parametrize("alpha", [False, True])
    @pytest.mark.parametrize(("scale", "most_mb"), [(None, 100), (2, 240), (3, 300)])
    def test_memory_for_100_megapixels_is_bounded(
        self, fake_network: MakeNetwork, scale: int | None, most_mb: int, *, alpha: bool
    ) -> None:
        """Traced on the first 15 % of 5000 x 5000 pixels to twice the size; then it is steady."""
        side, planes = 5000, 4 if alpha else 3
        sample = np.random.default_rng(6).integers(0, 256, (50, side, planes), np.uint8)
        sample[..., -1] |= 1

        def source() -> Iterator[Rows]:
            while True:
                yield sample.copy()

        results = enlarge_rows(
            source(),
            Layout(width=side, height=side, gray=False, alpha=alpha, bits=8),
            fake_network(lambda planes: nearest(planes, scale or 1), scale=scale or 1, halo_px=12)
            if scale
            else Interpolation(kernel=BICUBIC),
            width=2 * side,
            height=2 * side,
            options=Options(soften=0.2),
        )
        tracemalloc.start()
        try:
            done = 0
            while done < 1500:
                done += len(next(results))
            assert tracemalloc.get_traced_memory()[1] < most_mb * 1e6
        finally:
            tracemalloc.stop()
