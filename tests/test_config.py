"""Settings: every variable, what it is without one, and every mistake at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs import user_cache_path, user_data_path

from upres.config import Settings
from upres.errors import InvalidOption
from upres.image.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = {"PIP_CONFIG_FILE": os.devnull}
"""The developer's own pip configuration is none of these tests' business."""

NUMBERS: dict[str, Callable[[Settings], int | None]] = {
    "UPRES_MAX_INPUT_PIXELS": lambda settings: settings.limits.input_pixels,
    "UPRES_MAX_OUTPUT_PIXELS": lambda settings: settings.limits.output_pixels,
    "UPRES_THREADS": lambda settings: settings.threads,
}
PLACES: dict[str, Callable[[Settings], Path | str | None]] = {
    "UPRES_MODEL_DIR": lambda settings: settings.store.folder,
    "UPRES_CACHE_DIR": lambda settings: settings.cache_folder,
    "UPRES_MODEL_MIRROR": lambda settings: settings.store.mirror,
}

each_number = pytest.mark.parametrize("name", NUMBERS)


def settings(**environment: str) -> Settings:
    """Return the settings of such an environment."""
    return Settings.from_environment(QUIET | environment)


def test_nothing_needs_to_be_set() -> None:
    """The defaults: folders of this user, no mirror, the index tool's own index, every CPU."""
    default = settings()
    assert default.store.folder == user_data_path("upres") / "models"
    assert default.cache_folder == user_cache_path("upres")
    assert default.added_models_folder == default.store.folder / "added"
    assert default.store.mirror is None
    assert default.store.package_index is None
    assert default.threads is None
    assert default.limits == Limits()


def test_empty_variables_are_unset_ones() -> None:
    """As in `UPRES_THREADS= upres ...`."""
    names = (*NUMBERS, *PLACES, "UPRES_PACKAGE_INDEX")
    assert settings(**dict.fromkeys(names, "")) == settings()


def test_no_folder_is_made(tmp_path: Path) -> None:
    """Settings are read, nothing is written."""
    places = ("UPRES_MODEL_DIR", "UPRES_CACHE_DIR")
    settings(**{name: str(tmp_path / name) for name in places})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PLACES)
def test_places(tmp_path: Path, name: str) -> None:
    """A variable sets its own place and no other."""
    chosen = settings(**{name: str(tmp_path)})
    assert str(PLACES[name](chosen)) == str(tmp_path)
    for other in PLACES.keys() - {name}:
        assert PLACES[other](chosen) == PLACES[other](settings())


def test_additions_lie_in_the_model_folder(tmp_path: Path) -> None:
    """One folder to keep, one variable to set."""
    chosen = settings(UPRES_MODEL_DIR=str(tmp_path))
    assert chosen.added_models_folder == tmp_path / "added"


@pytest.mark.parametrize("name", PLACES)
def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """No shell does it in a unit file or a Dockerfile."""
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    assert Path(str(PLACES[name](settings(**{name: "~/upres"})))) == tmp_path / "upres"


@pytest.mark.parametrize("mirror", ["https://models.example/~team/v1/", "http://127.0.0.1:8/"])
def test_mirror_can_be_an_address(mirror: str) -> None:
    """It is left as it is."""
    assert settings(UPRES_MODEL_MIRROR=mirror).store.mirror == mirror


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PIP_INDEX_URL": "https://pip.example/simple"}, "https://pip.example/simple"),
        ({"UPRES_PACKAGE_INDEX": "https://own.example/simple"}, "https://own.example/simple"),
        (
            {"UPRES_PACKAGE_INDEX": "https://own.example", "PIP_INDEX_URL": "https://pip.example"},
            "https://own.example",
        ),
    ],
)
def test_package_index(environment: dict[str, str], expected: str) -> None:
    """Ours counts before pip's."""
    assert settings(**environment).store.package_index == expected


@each_number
@given(value=st.integers(1, 10**15))
def test_numbers(name: str, value: int) -> None:
    """A variable sets its own number and no other."""
    chosen = settings(**{name: str(value)})
    assert NUMBERS[name](chosen) == value
    for other in NUMBERS.keys() - {name}:
        assert NUMBERS[other](chosen) == NUMBERS[other](settings())


@each_number
@pytest.mark.parametrize(
    "text", ["0", "-1", "+1", "1.5", "1e6", "many", " 4", "1_000", "٣", "²", "nan", "00"]
)
def test_anything_but_a_whole_number_above_0_is_refused(name: str, text: str) -> None:
    """Variable, value and what is expected are told."""
    with pytest.raises(InvalidOption) as caught:
        settings(**{name: text})
    assert str(caught.value) == f"{name} is {text!r}; expected whole numbers above 0"


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever mends the first knows of the others."""
    with pytest.raises(InvalidOption) as caught:
        settings(UPRES_THREADS="two", UPRES_MAX_OUTPUT_PIXELS="0", UPRES_MAX_INPUT_PIXELS="9")
    text = str(caught.value)
    assert all(word in text for word in ("UPRES_THREADS", "two", "UPRES_MAX_OUTPUT_PIXELS", "0"))
    assert "UPRES_MAX_INPUT_PIXELS" not in text


def test_the_process_environment_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once at import."""
    for threads in (3, 5):
        monkeypatch.setenv("UPRES_THREADS", str(threads))
        assert Settings.from_environment().threads == threads
