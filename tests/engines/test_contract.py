"""What every engine keeps, in each arithmetic it has, on small generated networks."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from builders import NAMES, Case, case
from engines.numpy_reference import evaluate

from upres.errors import EngineFailed, EngineMissing, InvalidOption, PrecisionUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from engines.conftest import Kind
    from numpy.typing import NDArray

    from upres.engines.base import Engine, Precision

SIZES = ((32, 48), (37, 21), (2, 3), (131, 66))
TOLERANCE: dict[Precision, float] = {"fp32": 2e-5, "bf16": 2e-2}
"""Of `value_max`. Winograd convolutions cost the fp32 engines a digit; bf16 has 8 bits."""


def planes(made: Case, height: int, width: int, *, seed: int = 0) -> NDArray[np.float32]:
    shape = (1, made.spec.channels.count, height, width)
    values = np.random.default_rng(seed).uniform(0, made.spec.value_max, shape)
    return values.astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_results_are_those_of_plain_arithmetic(name: str, kind: Kind, tmp_path: Path) -> None:
    """Every operator, at even, odd and tiny sizes in turn, on one session."""
    made = case(name)
    with kind.open(made, tmp_path) as session:
        for height, width in SIZES:
            tile = planes(made, height, width)
            result = session.run(tile)
            scale = made.spec.scale
            assert result.shape == (1, tile.shape[1], height * scale, width * scale)
            assert result.dtype == np.float32
            np.testing.assert_allclose(
                result,
                evaluate(made.model, tile),
                rtol=0,
                atol=TOLERANCE[kind.precision] * made.spec.value_max,
                err_msg=f"{height}x{width}",
            )


def test_results_are_not_clipped(kind: Kind, tmp_path: Path) -> None:
    """Values below black and above white come through: what follows may still need them."""
    made = case("residual")
    with kind.open(made, tmp_path) as session:
        result = session.run(planes(made, 32, 32))
    assert result.min() < 0
    assert result.max() > made.spec.value_max


@pytest.mark.parametrize("name", NAMES)
def test_levels_are_the_results_clipped_and_rounded(name: str, kind: Kind, tmp_path: Path) -> None:
    """Pixels of 8 bits, at several sizes on one session, whatever the network ends in."""
    made = case(name)
    with kind.open(made, tmp_path) as session:
        for height, width in SIZES:
            tile = planes(made, height, width)
            tile[..., : height // 2, :] = made.spec.value_max
            levels = session.run_levels(tile)
            values = session.run(tile)[0].transpose(1, 2, 0) / made.spec.value_max
            exact = np.clip(values, 0, 1) * 255
            assert levels.shape == exact.shape
            assert levels.dtype == np.uint8
            # halves may fall to either side; bf16 itself has steps of a level above the middle
            beyond = 1 if kind.precision == "bf16" else 0.01
            assert np.abs(levels - exact).max() <= 0.5 + beyond


def test_the_same_tile_gives_the_same_result_again(kind: Kind, tmp_path: Path) -> None:
    """Bit for bit, also after tiles of other shapes."""
    made = case("sub-pixel-dcr")
    tile = planes(made, 48, 33)
    with kind.open(made, tmp_path) as session:
        first = session.run(tile)
        session.run(planes(made, 20, 90))
        np.testing.assert_array_equal(session.run(tile), first)


def test_a_result_belongs_to_the_caller(kind: Kind, tmp_path: Path) -> None:
    """Writing into one changes no later result, and a later run changes no earlier result."""
    made = case("sub-pixel-crd")
    one, other = planes(made, 32, 32, seed=1), planes(made, 32, 32, seed=2)
    with kind.open(made, tmp_path) as session:
        first = session.run(one)
        kept = first.copy()
        session.run(other)
        np.testing.assert_array_equal(first, kept)
        first[:] = -7
        np.testing.assert_array_equal(session.run(one), kept)
    assert first.min() == -7  # it outlives the session, too


def test_the_input_stays_as_it_was(kind: Kind, tmp_path: Path) -> None:
    """A tile that may not be written to is enough."""
    made = case("residual")
    tile = planes(made, 32, 32)
    before = tile.copy()
    tile.flags.writeable = False
    with kind.open(made, tmp_path) as session:
        session.run(tile)
    np.testing.assert_array_equal(tile, before)


def test_threads_may_share_a_session(kind: Kind, tmp_path: Path) -> None:
    """Tiles of several shapes from several threads at once give what they give one by one."""
    made = case("residual")
    tiles = [planes(made, 16 + 7 * (n % 3), 40, seed=n) for n in range(12)]
    with kind.open(made, tmp_path) as session:
        alone = [session.run(tile) for tile in tiles]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(session.run, tiles * 3))
    for result, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_threads_may_use_sessions_of_their_own(kind: Kind, tmp_path: Path) -> None:
    """Two networks run at once do not disturb each other."""
    cases = [case("sub-pixel-dcr"), case("attention")]
    tiles = [planes(made, 40, 40) for made in cases]
    sessions = [kind.open(made, tmp_path, threads=1 + n) for n, made in enumerate(cases)]
    alone = [session.run(tile) for session, tile in zip(sessions, tiles, strict=True)]

    def repeat(index: int) -> bool:
        again = (sessions[index].run(tiles[index]) for _ in range(8))
        return all(np.array_equal(result, alone[index]) for result in again)

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(repeat, (0, 1)))
    for session in sessions:
        session.close()


def test_a_closed_session_says_so(kind: Kind, tmp_path: Path) -> None:
    """Closing twice is no error; running afterwards is EngineFailed."""
    made = case("one-conv")
    session = kind.open(made, tmp_path)
    session.close()
    session.close()
    with pytest.raises(EngineFailed, match="closed"):
        session.run(planes(made, 32, 32))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 32, 32), np.float32),
        np.zeros((2, 3, 32, 32), np.float32),
        np.zeros((1, 1, 32, 32), np.float32),
        np.zeros((1, 32, 32, 3), np.float32),
        np.zeros((1, 3, 0, 32), np.float32),
        np.zeros((1, 3, 32, 32), np.float64),
        np.zeros((1, 3, 32, 32), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}-{'x'.join(map(str, array.shape))}",
)
def test_what_is_no_tile_is_refused(wrong: Any, kind: Kind, tmp_path: Path) -> None:
    """The error names what came and what is expected, and the session goes on."""
    made = case("sub-pixel-dcr")
    with kind.open(made, tmp_path) as session:
        with pytest.raises(EngineFailed, match="not float32 1x3") as caught:
            session.run(wrong)
        assert str(wrong.dtype) in str(caught.value)
        session.run(planes(made, 32, 32))


@pytest.mark.parametrize(
    "content", [b"", b"no model at all" * 20, None], ids=["empty", "noise", "absent"]
)
def test_a_file_that_is_no_model_fails_on_one_line(
    content: bytes | None, each_engine: Engine, tmp_path: Path
) -> None:
    """The library's words are kept, and the model and the engine are named."""
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineFailed) as caught:
        each_engine.open(path, case("one-conv").spec, threads=1)
    text = str(caught.value)
    assert text.startswith(f"engine {each_engine.name} failed on model one-conv-x1: ")
    assert "\n" not in text
    assert len(text) < 600


def test_a_truncated_model_fails(each_engine: Engine, tmp_path: Path) -> None:
    """Half a file is no smaller network."""
    made = case("sub-pixel-dcr")
    path = made.save(tmp_path)
    path.write_bytes(path.read_bytes()[: made.spec.file.bytes // 2])
    with pytest.raises(EngineFailed):
        each_engine.open(path, made.spec, threads=1)


def test_arithmetic_that_is_not_here_is_refused(each_engine: Engine, tmp_path: Path) -> None:
    """The error lists what there is."""
    made = case("one-conv")
    for precision in {"fp32", "bf16", "int3"} - set(each_engine.precisions()):
        with pytest.raises(PrecisionUnavailable, match="available: fp32"):
            each_engine.open(made.save(tmp_path), made.spec, precision=precision, threads=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(threads: int, each_engine: Engine, tmp_path: Path) -> None:
    """Zero means a library's own choice in some of them, and is never meant."""
    made = case("one-conv")
    with pytest.raises(InvalidOption, match="threads"):
        each_engine.open(made.save(tmp_path), made.spec, threads=threads)


def test_a_missing_library_names_its_package(
    each_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening without the library says what to install."""
    module = {"opencv": "cv2"}.get(each_engine.name, each_engine.name)
    monkeypatch.setitem(sys.modules, module, None)
    made = case("one-conv")
    with pytest.raises(EngineMissing, match=f"pip install {each_engine.package}"):
        each_engine.open(made.save(tmp_path), made.spec, threads=1)


def test_an_engine_tells_its_version(each_engine: Engine) -> None:
    """Measurements hold for one version only."""
    assert each_engine.version()[0].isdigit()


def test_every_engine_computes_fp32(each_engine: Engine) -> None:
    """The exact arithmetic comes first."""
    assert each_engine.precisions()[0] == "fp32"
