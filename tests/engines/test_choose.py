"""Which engine runs a model: what was asked for, what was measured here, else the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from builders import case

from upres.engines import choose as choose_module
from upres.engines.base import Precision
from upres.engines.choose import (
    choose,
    chosen_engine,
    cpu_name,
    current_conditions,
    parse_cpu_name,
)
from upres.engines.measurements import Measurement, save
from upres.errors import EngineFailed, EngineMissing, InvalidOption

if TYPE_CHECKING:
    from pathlib import Path

SPEC = case("repeated").spec


def measured(
    engine: str, precision: Precision, seconds: float, loss_db: float | None = None
) -> Measurement:
    return Measurement(engine=engine, precision=precision, seconds=(seconds,), loss_db=loss_db)


OPENVINO = measured("openvino", "fp32", 0.5)
BF16 = measured("openvino", "bf16", 0.2, loss_db=0.07)
INT8 = measured("openvino", "int8", 0.1, loss_db=0.04)
ONNXRUNTIME = measured("onnxruntime", "fp32", 0.6, loss_db=-0.001)
OPENCV = measured("opencv", "fp32", 0.3, loss_db=0.01)
BROKEN = Measurement(engine="opencv", precision="fp32", failure="no such operator")


def test_the_fastest_near_fp32_is_chosen() -> None:
    """Speed that costs more than 0.05 dB does not count, unless more is allowed."""
    assert choose([OPENVINO, BF16, ONNXRUNTIME, OPENCV]) is OPENCV
    assert choose([OPENVINO, INT8, BF16, ONNXRUNTIME, OPENCV]) is INT8
    assert choose([OPENVINO, BF16, OPENCV], budget_db=0.08) is BF16


def test_what_was_not_scored_is_trusted_in_fp32_alone() -> None:
    """Measurements without samples say nothing of what faster arithmetic costs."""
    assert choose([OPENVINO, measured("openvino", "int8", 0.1)]) is OPENVINO


def test_failed_engines_are_out() -> None:
    """When all failed, their reasons are told."""
    assert choose([BROKEN, ONNXRUNTIME]) is ONNXRUNTIME
    with pytest.raises(EngineFailed, match="opencv: no such operator"):
        choose([BROKEN])


def test_where_none_is_near_the_nearest_is_chosen() -> None:
    """As when only a far one was measured."""
    assert choose([BF16]) is BF16


def choice(
    folder: Path | None, *, engine: str = "auto", precision: Any = "auto"
) -> tuple[str, str]:
    return chosen_engine(SPEC, engine=engine, precision=precision, threads=2, cache_folder=folder)


@pytest.fixture
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose_module, "installed", lambda: ("openvino", "onnxruntime", "opencv"))
    monkeypatch.setattr(choose_module, "_version", lambda name: f"{name} 1")


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize(
    ("engine", "precision", "expected"),
    [
        ("auto", "auto", ("opencv", "fp32")),
        ("auto", "fp32", ("opencv", "fp32")),
        ("auto", "bf16", ("openvino", "bf16")),
        ("openvino", "auto", ("openvino", "fp32")),
        ("openvino", "bf16", ("openvino", "bf16")),
        ("onnxruntime", "auto", ("onnxruntime", "fp32")),
    ],
)
def test_what_is_auto_comes_from_measurements(
    engine: str, precision: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    """What is not auto is kept as asked."""
    save(
        [OPENVINO, BF16, ONNXRUNTIME, OPENCV],
        conditions=current_conditions(SPEC, threads=2),
        folder=tmp_path,
    )
    assert choice(tmp_path, engine=engine, precision=precision) == expected


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize("measured_with", [None, 3])
def test_without_measurements_it_is_the_first_in_fp32(
    measured_with: int | None, tmp_path: Path
) -> None:
    """Nothing is measured unasked, and measurements with other threads do not count."""
    if measured_with:
        conditions = current_conditions(SPEC, threads=measured_with)
        save([OPENCV], conditions=conditions, folder=tmp_path)
    assert choice(tmp_path) == ("openvino", "fp32")
    assert choice(None) == ("openvino", "fp32")
    assert choice(tmp_path, engine="opencv") == ("opencv", "fp32")
    assert choice(tmp_path, precision="fp32") == ("openvino", "fp32")


@pytest.mark.usefixtures("all_installed")
def test_what_is_asked_for_is_not_second_guessed() -> None:
    """Opening says whether this machine has it."""
    assert choice(None, engine="opencv", precision="bf16") == ("opencv", "bf16")


def test_without_openvino_the_next_one_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of ENGINE_NAMES."""
    monkeypatch.setattr(choose_module, "installed", lambda: ("onnxruntime", "opencv"))
    assert choice(None) == ("onnxruntime", "fp32")
    assert choice(None, precision="bf16") == ("onnxruntime", "bf16")


def test_no_engine_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One package is enough."""
    monkeypatch.setattr(choose_module, "installed", lambda: ())
    with pytest.raises(EngineMissing, match="pip install openvino"):
        choice(None)


def test_an_unknown_engine_is_refused() -> None:
    """The error lists the known ones and auto."""
    with pytest.raises(InvalidOption, match="auto, openvino, onnxruntime, opencv"):
        choice(None, engine="tensorrt", precision="fp32")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model have a table of ranges."""
    monkeypatch.setattr(choose_module, "calibration_of", lambda _: object())


@pytest.mark.usefixtures("all_installed", "table")
@pytest.mark.parametrize("fast", [True, False])
def test_without_measurements_int8_is_usual_where_the_cpu_has_it(
    *, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the engine that gains from it alone, and never where exactness is asked for."""
    monkeypatch.setattr(choose_module, "has_int8_dot_product", lambda: fast)
    assert choice(None) == ("openvino", "int8" if fast else "fp32")
    assert choice(None, engine="onnxruntime") == ("onnxruntime", "fp32")
    assert choice(None, precision="fp32") == ("openvino", "fp32")


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize(
    ("budget_db", "expected"), [(0.08, ("openvino", "bf16")), (0.0, ("onnxruntime", "fp32"))]
)
def test_the_budget_of_the_measuring_is_kept(
    budget_db: float, expected: tuple[str, str], tmp_path: Path
) -> None:
    """`upres tune --budget` says what `auto` may lose."""
    save(
        [BF16, ONNXRUNTIME, OPENCV],
        conditions=current_conditions(SPEC, threads=2),
        folder=tmp_path,
        budget_db=budget_db,
    )
    assert choice(tmp_path) == expected


@pytest.mark.usefixtures("all_installed")
def test_int8_that_was_measured_needs_a_table_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blend of two networks is measured like one of them but has no table."""
    save([OPENVINO, INT8], conditions=current_conditions(SPEC, threads=2), folder=tmp_path)
    assert choice(tmp_path) == ("openvino", "fp32")
    monkeypatch.setattr(choose_module, "calibration_of", lambda _: object())
    assert choice(tmp_path) == ("openvino", "int8")


X86 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
stepping\t: 1

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (X86, "AMD EPYC (cpu family 25, model 17)"),
        (ARM, "ARM 0x41 0xd0c"),
        ("model name : Some CPU @ 2.6GHz", "Some CPU @ 2.6GHz"),
        ("", ""),
    ],
)
def test_cpus_are_told_apart(text: str, name: str) -> None:
    """Virtual machines hide model names: `AMD EPYC` is four generations, with and without bf16."""
    assert parse_cpu_name(text) == name


def test_this_cpu_has_a_name() -> None:
    """On every system, on one line."""
    assert cpu_name()
    assert "\n" not in cpu_name()
