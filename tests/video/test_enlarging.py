from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from upres.upscale.resample import BICUBIC
from upres.upscale.upscaler import Interpolation, Network, Options
from upres.video.enlarging import Enlarging, calm, frame_plan, small_plan, still_enough

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
    """The function above, counting its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, planes: Planes) -> Planes:
        """Enlarge a tile."""
        self.calls += 1
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
        options=Options(),
        **options,
    )
    enlarge = how.start()
    return [np.asarray(enlarge(frame)) for frame in frames]


def test_still_tiles_are_computed_once_and_the_result_is_the_same(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """Bit for bit; and what is computed is about what changed."""
    frames = screencast()
    network, with_reuse = counted()
    reused = run(frames, network, tiled=True, reuse=True)
    network, without = counted()
    anew = run(frames, network, tiled=True, reuse=False)
    assert all(np.array_equal(one, two) for one, two in zip(reused, anew, strict=True))
    tiles = small_plan(300, 200, network).tiles
    assert without.calls == tiles * len(frames)
    assert with_reuse.calls <= tiles + 4 * (len(frames) - 1)


def test_tiles_leave_no_mark(counted: Callable[[], tuple[Network, Counted]]) -> None:
    """Small tiles with a halo that suffices are the whole picture.

    But for the last pixels at the right and lower edge, where the network sees a short picture
    mirrored and a tile as it ends.
    """
    frames = screencast(3)
    tiled = run(frames, counted()[0], tiled=True)
    whole = run(frames, counted()[0], tiled=False)
    for one, two in zip(tiled, whole, strict=True):
        assert np.array_equal(one[:-SCALE, :-SCALE], two[:-SCALE, :-SCALE])


def test_a_frame_like_the_last_is_not_computed(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """Whole frames too; another one between them is no obstacle to being right."""
    first, second = screencast(2)
    network, function = counted()
    results = run([first, first, second, second, first], network, tiled=False)
    per_frame = function.calls // 3
    assert function.calls == 3 * per_frame
    assert np.array_equal(results[0], results[4])
    assert not np.array_equal(results[1], results[2])


@given(st.lists(st.integers(0, 3), min_size=2, max_size=12), st.booleans())
def test_reuse_never_shows(order: list[int], tiled: bool) -> None:  # noqa: FBT001
    """Whatever the order of frames, each is what it is alone."""
    from conftest import FakeSession

    from upres.models.spec import Channels, ModelFile, ModelSpec

    spec = ModelSpec(
        name="fake", scale=SCALE, channels=Channels.RGB, value_max=1.0, halo_px=4,
        working_bytes_per_px=1000, licence="none", origin="this test",
        file=ModelFile(name="fake.onnx", bytes=0, sha256=""),
    )  # fmt: skip
    network = Network(spec=spec, session=FakeSession(sharpened, spec))
    frames = screencast(4)
    alone = [run([frame], network, tiled=tiled)[0] for frame in frames]
    together = run([frames[number] for number in order], network, tiled=tiled)
    for number, result in zip(order, together, strict=True):
        assert np.array_equal(result, alone[number])


def test_a_size_between_factors_works_with_reuse(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """The kept picture is taken to the size asked for."""
    frames = screencast(3)
    reused = run(frames, counted()[0], tiled=True, width=450, height=300)
    anew = run(frames, counted()[0], tiled=True, width=450, height=300, reuse=False)
    assert reused[2].shape == (300, 450, 3)
    assert all(np.array_equal(one, two) for one, two in zip(reused, anew, strict=True))


def test_when_small_tiles_are_worth_it(counted: Callable[[], tuple[Network, Counted]]) -> None:
    """For clips that stand still in large part, and networks; never with transparency."""
    rng = np.random.default_rng(5)
    lively = [rng.integers(0, 256, (200, 300, 3), np.uint8) for _ in range(4)]
    network = counted()[0]
    assert still_enough([screencast(4)], network, alpha=False)
    assert not still_enough([screencast(4)], network, alpha=True)
    assert not still_enough([lively], network, alpha=False)
    assert not still_enough([screencast(4)], Interpolation(kernel=BICUBIC), alpha=False)
    assert not still_enough([screencast(1)], network, alpha=False)


def test_heavy_networks_get_tiles_that_are_soon_over(
    counted: Callable[[], tuple[Network, Counted]],
) -> None:
    """So that a wish to stop is heard."""
    from dataclasses import replace

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
    from dataclasses import replace

    network = replace(counted()[0], tile_memory_bytes=budget_px * 1000)
    plan = frame_plan(width, height, network)
    assert sum(row.inner.length for row in plan.rows) == height
    assert sum(column.inner.length for column in plan.columns) == width
    assert plan.tile_height * plan.tile_width <= budget_px
    if min(width, height) > 200:
        assert plan.computed_px < 1.25 * width * height
