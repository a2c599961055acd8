from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from upres.cli.exits import EXIT_SETUP, EXIT_USAGE
from upres.web.keys import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys.toml"
    monkeypatch.setenv("UPRES_SERVICE_API_KEYS_FILE", str(path))
    return path


def test_from_adding_to_removing(
    run: Callable[..., int], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("keys", "add", "shop", "--scope", "enlarge", "--scope", "models") == 0
    text = capsys.readouterr().out.strip()
    key = Keyring(file).find(text)
    assert key is not None
    assert key.scopes == ("enlarge", "models")

    assert run("keys", "list") == 0
    listed = capsys.readouterr().out
    assert "shop" in listed
    assert text not in listed
    assert text.split("_", 2)[2] not in listed

    assert run("keys", "remove", "shop") == 0
    assert run("keys", "list") == 0
    assert capsys.readouterr().out == ""


def test_a_key_is_for_pictures_unless_said_otherwise(run: Callable[..., int], file: Path) -> None:
    assert run("keys", "add", "shop") == 0
    assert Keyring(file).all()[0].scopes == ("enlarge",)


@pytest.mark.parametrize(
    "words", [("add", "a b"), ("add", "a", "--scope", "root"), ("remove", "nobody")]
)
def test_mistakes(
    run: Callable[..., int], file: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("keys", *words) == EXIT_USAGE
    assert capsys.readouterr().err.startswith("upres: ")
    assert not file.exists()


def test_without_a_file_to_keep_them_in(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("keys", "list") == EXIT_USAGE
    assert "UPRES_SERVICE_API_KEYS_FILE" in capsys.readouterr().err


def test_a_damaged_file(
    run: Callable[..., int], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("[[")
    assert run("keys", "add", "shop") == EXIT_SETUP
    assert str(file) in capsys.readouterr().err


def test_the_file_stays_as_readable_as_it_was(run: Callable[..., int], file: Path) -> None:
    """For the service, which is another user; a new one is for its owner."""
    assert run("keys", "add", "shop") == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12_345, 23_456)
    before = file.stat()
    for words in (("add", "other"), ("remove", "shop")):
        assert run("keys", *words) == 0
        after = file.stat()
        assert (after.st_uid, after.st_gid, after.st_mode) == (
            before.st_uid,
            before.st_gid,
            before.st_mode,
        )
