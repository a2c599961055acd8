from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upres.errors import InvalidOption, KeysUnusable
from upres.web.keys import Keyring, add, read, remove

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "keys.toml"


def test_a_key_is_found_by_its_text_alone(file: Path) -> None:
    text = add(file, "shop", scopes=("enlarge", "models"))
    key = Keyring(file).find(text)
    assert key is not None
    assert (key.name, key.scopes) == ("shop", ("enlarge", "models"))


def test_the_secret_is_not_kept(file: Path) -> None:
    text = add(file, "shop")
    assert text.split("_", 2)[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == [file.name]  # noqa: PTH208


def test_two_keys_have_nothing_in_common(file: Path) -> None:
    first, second = add(file, "one"), add(file, "two")
    ring = Keyring(file)
    assert [key.name for key in ring.all()] == ["one", "two"]
    mixed = "_".join([*first.split("_", 2)[:2], second.split("_", 2)[2]])
    assert ring.find(mixed) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.from_regex(r"upres_[0-9a-f]{0,12}_.*"))
def test_no_other_text_is_a_key(file: Path, text: str) -> None:
    if not file.exists():
        add(file, "shop")
    assert Keyring(file).find(text) is None


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: f"{text}x"])
def test_a_changed_key_is_none(file: Path, change: Callable[[str], str]) -> None:
    text = add(file, "shop")
    assert Keyring(file).find(change(text)) is None


def test_a_running_server_notices_changes(file: Path) -> None:
    ring = Keyring(file)
    assert ring.all() == []
    text = add(file, "shop")
    assert ring.find(text) is not None
    remove(file, "shop")
    assert ring.find(text) is None
    file.unlink()
    assert ring.all() == []


def test_no_file_no_keys() -> None:
    assert Keyring(None).find("upres_00_x") is None


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ä", "a\n"])
def test_odd_names_are_refused(file: Path, name: str) -> None:
    with pytest.raises(InvalidOption):
        add(file, name)
    assert not file.exists()


def test_a_name_is_taken_once(file: Path) -> None:
    add(file, "shop")
    before = file.read_bytes()
    with pytest.raises(InvalidOption, match="no other key"):
        add(file, "shop")
    assert file.read_bytes() == before


@pytest.mark.parametrize("scopes", [("root",), (), ("enlarge", "")])
def test_scopes_are_the_known_ones(file: Path, scopes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidOption, match="enlarge, models"):
        add(file, "shop", scopes=scopes)


def test_only_what_is_there_can_be_removed(file: Path) -> None:
    with pytest.raises(InvalidOption, match="there are none"):
        remove(file, "shop")
    add(file, "shop")
    with pytest.raises(InvalidOption, match="shop"):
        remove(file, "shoq")


_GOOD = {"name": "a", "id": "00", "sha256": "0" * 64, "scopes": ["enlarge"]}


def _toml(**changed: object) -> str:
    entry = {name: value for name, value in (_GOOD | changed).items() if value is not None}
    return "[[key]]\n" + "\n".join(f"{name} = {value!r}" for name, value in entry.items())


def test_a_file_written_by_hand(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(_toml())
    assert read(file)[0].name == "a"


@pytest.mark.parametrize(
    "text",
    [
        "[[key",
        "key = 1",
        "other = 1",
        "[[keys]]",
        _toml(name=None),
        _toml(name=1),
        _toml(name="a b"),
        _toml(id="XY"),
        _toml(sha256="00"),
        _toml(sha256="x" * 64),
        _toml(scopes="enlarge"),
        _toml(scopes=["root"]),
        _toml(more="x"),
        f"{_toml()}\n{_toml(name='b')}",
        f"{_toml()}\n{_toml(id='01')}",
    ],
)
def test_what_is_wrong_with_a_file_is_told(file: Path, text: str) -> None:
    """It opens nothing, and is not written over."""
    file.parent.mkdir()
    file.write_text(text)
    for act in (read, lambda path: Keyring(path).find("upres_00_x"), lambda path: add(path, "new")):
        with pytest.raises(KeysUnusable, match=r"keys\.toml"):
            act(file)
    assert file.read_text() == text


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable):
        Keyring(tmp_path).all()
