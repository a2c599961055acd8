"""The package index is the one that pip is set up to use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upres.models.download import configured_index


class TestConfiguredIndex:
    """`configured_index` reads pip's settings as pip does."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> dict[str, str]:
        """Point every standard place into a folder of the test; Windows has none outside."""
        places = {"USERPROFILE": "home", "PROGRAMDATA": "all", "APPDATA": "home/roaming"}
        return {name: str(tmp_path / folder) for name, folder in places.items()}

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Write a file, its folders included."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_nothing_set(self, place: dict[str, str], tmp_path: Path) -> None:
        """Without any setting there is no index to name."""
        assert configured_index(place, platform="win32", prefix=tmp_path / "venv") is None

    def test_environment_first(self, place: dict[str, str], tmp_path: Path) -> None:
        """PIP_INDEX_URL counts more than any file; an empty one counts as unset."""
        self.write(tmp_path / "venv/pip.ini", "[install]\nindex-url = http://venv/")
        prefix = tmp_path / "venv"
        set_by_name = {**place, "PIP_INDEX_URL": "http://environment/"}
        unset = {**place, "PIP_INDEX_URL": ""}
        found = configured_index(set_by_name, platform="win32", prefix=prefix)
        assert found == "http://environment/"
        assert configured_index(unset, platform="win32", prefix=prefix) == "http://venv/"

    def test_later_files_win(self, place: dict[str, str], tmp_path: Path) -> None:
        """Machine, legacy user, user, environment and PIP_CONFIG_FILE override in this order."""
        own = tmp_path / "own.ini"
        files = ["all/pip", "home/pip", "home/roaming/pip", "venv"]
        for name in files:
            self.write(tmp_path / name / "pip.ini", f"[global]\nindex-url = http://{name}/")
            found = configured_index(place, platform="win32", prefix=tmp_path / "venv")
            assert found == f"http://{name}/"
        self.write(own, "[global]\nindex_url = http://own/")
        place["PIP_CONFIG_FILE"] = str(own)
        found = configured_index(place, platform="win32", prefix=tmp_path / "venv")
        assert found == "http://own/"

    def test_install_counts_more_than_global(self, place: dict[str, str], tmp_path: Path) -> None:
        """`[install]` of any file goes before `[global]` of any other, as in pip."""
        self.write(tmp_path / "all/pip/pip.ini", "[install]\nindex-url = http://install/")
        self.write(tmp_path / "venv/pip.ini", "[global]\nindex-url = http://global/")
        found = configured_index(place, platform="win32", prefix=tmp_path / "venv")
        assert found == "http://install/"

    def test_own_file_hides_the_user_s(self, place: dict[str, str], tmp_path: Path) -> None:
        """With PIP_CONFIG_FILE set to a file, the user's files are not read."""
        self.write(tmp_path / "home/pip/pip.ini", "[global]\nindex-url = http://user/")
        self.write(tmp_path / "own.ini", "[global]\ntimeout = 5")
        place["PIP_CONFIG_FILE"] = str(tmp_path / "own.ini")
        assert configured_index(place, platform="win32", prefix=tmp_path / "venv") is None

    @pytest.mark.parametrize("platform", ["linux", "darwin"])
    def test_user_file_on_unix(self, platform: str, tmp_path: Path) -> None:
        """The XDG user file is read on Linux and, without a Library folder, on macOS."""
        self.write(tmp_path / ".config/pip/pip.conf", "[install]\nindex-url = http://user/%7E/")
        environ = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
        found = configured_index(environ, platform=platform, prefix=tmp_path / "venv")
        assert found == "http://user/%7E/"

    def test_no_files_at_all(self, tmp_path: Path) -> None:
        """PIP_CONFIG_FILE set to the null device switches every file off."""
        self.write(tmp_path / ".config/pip/pip.conf", "[install]\nindex-url = http://user/")
        environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
        assert configured_index(environ, platform="linux", prefix=tmp_path) is None

    @pytest.mark.parametrize("text", ["no section", "[global\n", "[global]\nindex-url\n", "\x00"])
    def test_broken_file(self, text: str, place: dict[str, str], tmp_path: Path) -> None:
        """A file that cannot be read is passed over; pip itself will complain."""
        self.write(tmp_path / "venv/pip.ini", text)
        assert configured_index(place, platform="win32", prefix=tmp_path / "venv") is None
