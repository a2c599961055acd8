from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from upres.models.spec import Channels, ModelFile, ModelSpec
from upres.upscale.upscaler import Interpolation, Network, Options
from upres.video.enlarging import Enlarging, calm, frame_plan

if TYPE_CHECKING:
    Planes = NDArray[np.float32]
    Frame = NDArray[np.uint8]

SCALE = 2


def sharpened(planes: Planes) -> Planes:
    """Enlarge by repeating pixels, each mixed with its neighbours: needs a halo of one pixel."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    mixed = (
        2 * planes
        - 0.25 * (padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1])
        - 0.25 * (padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:])
    )
    return np.repeat(np.repeat(mixed, SCALE, axis=1), SCALE, axis=2).astype(np.float32)


class Counted:
    """The function above, counting its calls and their pixels."""

    def __init__(self) -> None:
        self.calls = self.pixels = 0

    def __call__(self, planes: Planes) -> Planes:
        """Enlarge a tile."""
        self.calls += 1
        self.pixels += planes.shape[1] * planes.shape[2]
        return sharpened(planes)


@pytest.fixture(scope="session")
def counted(fake_network: Callable[..., Network]) -> Callable[[], tuple[Network, Counted]]:
    """Return what makes a network that counts its tiles."""

    def make() -> tuple[Network, Counted]:
        function = Counted()
        return fake_network(function, scale=SCALE, halo_px=4), function

    return make


def screencast(frames: int = 8, *, seed: int = 0) -> list[Frame]:
    """Draw a still picture of 300x200 in which one place changes from frame to frame."""
    rng = np.random.default_rng(seed)
    still = rng.integers(0, 256, (200, 300, 3), np.uint8)
    made = []
    for _ in range(frames):
        frame = still.copy()
        frame[60:90, 120:160] = rng.integers(0, 256, (30, 40, 3), np.uint8)
        made.append(frame)
    return made


def run(frames: list[Frame], network: Network | Interpolation, **options: Any) -> list[Frame]:
    """Enlarge frames one after the other."""
    height, width = frames[0].shape[:2]
    how = Enlarging(
        method=network,
        width=options.pop("width", width * SCALE),
        height=options.pop("height", height * SCALE),
        options=options.pop("options", Options()),
        reach_px=options.pop("reach_px", 1),
        **options,
    )
    enlarge = how.start()
    return [np.asarray(enlarge(frame)) for frame in frames]


def same(some: list[Frame], others: list[Frame]) -> bool:
    """Tell whether frames are equal, bit for bit."""
    return all(np.array_equal(one, two) for one, two in zip(some, others, strict=True))


def test_what_changed_is_computed_and_little_else(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """The result is that of computing everything; the work is about what changed."""
    frames = screencast()
    network, with_reuse = counted()
    reused = run(frames, network)
    network, without = counted()
    anew = run(frames, network, reuse=False)
    assert same(reused, anew)
    whole = frame_plan(300, 200, network).computed_px
    assert without.pixels == whole * len(frames)
    changed = (30 + 4 + 16) * (40 + 4 + 16)
    assert with_reuse.pixels <= 2 * whole + changed * (len(frames) - 1)


def test_an_unknown_reach_takes_over_whole_tiles_alone(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """And the result is the same."""
    frames = screencast()
    network, function = counted()
    network = replace(network, tile_memory_bytes=64 * 64 * 1000)
    reused = run(frames, network, reach_px=None)
    tiles = frame_plan(300, 200, network).tiles
    assert tiles < function.calls < tiles * len(frames) / 2
    assert same(reused, run(frames, network, reuse=False))


def test_an_engine_that_depends_on_the_shape_is_found_out(
    fake_network: Callable[..., Network],
) -> None:
    """Its windows are not used, and the result is that of whole tiles."""

    def shaped(planes: Planes) -> Planes:
        return np.asarray(sharpened(planes) + np.float32(planes.shape[1] % 7 / 100))

    network = fake_network(shaped, scale=SCALE, halo_px=4)
    frames = screencast()
    assert same(run(frames, network), run(frames, network, reuse=False))


def test_a_frame_like_the_last_is_not_computed(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """Not even where nothing is known of the network."""
    first, second = screencast(2)
    network, function = counted()
    results = run([first, first, second, second, first], network, reach_px=None)
    per_frame = function.calls // 3
    assert function.calls == 3 * per_frame
    assert np.array_equal(results[0], results[4])
    assert not np.array_equal(results[1], results[2])


@given(
    order=st.lists(st.integers(0, 3), min_size=2, max_size=12),
    reach_px=st.sampled_from([1, 3, 30, None]),
    tile_px=st.sampled_from([48 * 48, 128 * 128, 10**6]),
)
def test_reuse_never_shows(order: list[int], reach_px: int | None, tile_px: int) -> None:
    """Whatever the order of frames, each is what it is alone."""
    from conftest import FakeSession

    spec = ModelSpec(
        name="fake", scale=SCALE, channels=Channels.RGB, value_max=1.0, halo_px=4,
        working_bytes_per_px=1000, licence="none", origin="this test",
        file=ModelFile(name="fake.onnx", bytes=0, sha256=""),
    )  # fmt: skip
    session = FakeSession(sharpened, spec)
    network = Network(spec=spec, session=session, tile_memory_bytes=tile_px * 1000)
    frames = screencast(4)
    alone = [run([frame], network)[0] for frame in frames]
    together = run([frames[number] for number in order], network, reach_px=reach_px)
    assert same(together, [alone[number] for number in order])


@pytest.mark.parametrize("options", [Options(), Options(soften=0.5), Options(tta=True)])
def test_a_size_between_factors_and_options_work_with_reuse(
    counted: Callable[[], tuple[Network, Counted]], options: Options
) -> None:
    """The network's result is kept; what comes behind it is made of the whole."""
    frames = screencast(3)
    wanted: dict[str, Any] = {"width": 450, "height": 300, "options": options}
    reused = run(frames, counted()[0], **wanted)
    anew = run(frames, counted()[0], **wanted, reuse=False)
    assert reused[2].shape == (300, 450, 3)
    assert same(reused, anew)


def test_transparency_is_enlarged_as_a_whole(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """Its colours are filled from further away than a network looks."""
    rng = np.random.default_rng(3)
    frames = []
    for frame in screencast(3):
        alpha = np.full((*frame.shape[:2], 1), 255, np.uint8)
        alpha[50:100, 110:170] = rng.integers(0, 2, (50, 60, 1), np.uint8) * 255
        frames.append(np.concatenate([frame, alpha], axis=2))
    alone = [run([frame], counted()[0])[0] for frame in frames]
    assert same(run(frames, counted()[0]), alone)


def test_heavy_networks_get_tiles_that_are_soon_over(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """So that a wish to stop is heard."""
    network = counted()[0]
    heavy = replace(network, spec=replace(network.spec, parameters=38_000_000))
    light = replace(network, spec=replace(network.spec, parameters=20_000))
    assert calm(network) is network
    assert calm(light).plan(width=480, height=270).tiles == 1  # type: ignore[union-attr]
    plan = calm(heavy).plan(width=480, height=270)  # type: ignore[union-attr]
    assert plan.tile_height * plan.tile_width <= 128 * 128


@pytest.mark.parametrize(
    ("width", "height"), [(480, 270), (640, 360), (1280, 720), (1920, 1080), (31, 7), (853, 480)]
)
@pytest.mark.parametrize("budget_px", [30_000, 250_000, 10**7])
def test_tiles_cut_to_frames_waste_little(
    counted: Callable[[], tuple[Network, Counted]], width: int, height: int, budget_px: int
) -> None:
    """They cover the frame once, keep to the budget, and compute little that nobody sees."""
    network = replace(counted()[0], tile_memory_bytes=budget_px * 1000)
    plan = frame_plan(width, height, network)
    assert sum(row.inner.length for row in plan.rows) == height
    assert sum(column.inner.length for column in plan.columns) == width
    assert plan.tile_height * plan.tile_width <= budget_px
    if min(width, height) > 200:
        assert plan.computed_px < 1.25 * width * height
