"""Blobs on disk: their files, damage, limits of room, and what is left of killed processes."""

from __future__ import annotations

import os
import random
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from storage import disk_child

from upres.errors import DiskFull, OutputNotWritable
from upres.storage import disk
from upres.storage.blobs import Blob
from upres.storage.disk import DiskBlobs

if TYPE_CHECKING:
    import subprocess

POSIX = pytest.mark.skipif(os.name != "posix", reason="rights, signals and locks of POSIX systems")
HOUR_S = 3600.0


def objects(folder: Path) -> list[Path]:
    """Return every file that stands for a blob."""
    return [path for path in (folder / "objects").rglob("*") if path.is_file()]


def parts(folder: Path) -> list[Path]:
    """Return every file that is not finished."""
    return list((folder / "parts").iterdir())


def kill(child: subprocess.Popen[str]) -> list[str]:
    """End a child as the out-of-memory killer would; return what it printed in whole lines."""
    child.kill()
    printed, _ = child.communicate()
    return printed.splitlines()[: printed.count("\n")]


class TestFiles:
    """What lies where."""

    def test_layout(self, tmp_path: Path) -> None:
        """As documented, for whoever restores a backup."""
        blob = DiskBlobs(tmp_path / "blobs").put([b"content"])
        path = tmp_path / "blobs" / "objects" / blob.key[:2] / blob.key[2:4] / blob.key
        assert path.read_bytes() == b"content"
        assert parts(tmp_path / "blobs") == []

    def test_looking_makes_no_folder(self, tmp_path: Path) -> None:
        """Only writing does."""
        blobs = DiskBlobs(tmp_path / "blobs")
        assert list(blobs.oldest_first()) == []
        assert blobs.size("0" * 64) is None
        assert not blobs.touch("0" * 64)
        assert not blobs.delete("0" * 64)
        blobs.sweep(keep=())
        assert list(tmp_path.iterdir()) == []

    @POSIX
    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
    def test_other_users_see_nothing(self, tmp_path: Path, mask: int) -> None:
        """Files 0600, folders 0700, whatever the umask."""
        before = os.umask(mask)
        try:
            blobs = DiskBlobs(tmp_path / "blobs")
            blobs.put([b"content"])
            with blobs.writer() as file:
                file.write(b"part")
                modes = {
                    path: stat.S_IMODE(path.stat().st_mode)
                    for path in (blobs.folder, *blobs.folder.rglob("*"))
                }
        finally:
            os.umask(before)
        assert len(modes) == 8
        assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())

    def test_emptied_folders_go(self, tmp_path: Path) -> None:
        """A listing stays as long as there are blobs, not as there ever were."""
        blobs = DiskBlobs(tmp_path)
        for number in range(20):
            assert blobs.delete(blobs.put([bytes([number])]).key)
        assert list((tmp_path / "objects").iterdir()) == []

    def test_strangers_files_are_left_alone(self, tmp_path: Path) -> None:
        """Whatever somebody laid there."""
        blobs = DiskBlobs(tmp_path, clock=lambda: time.time() + 1000 * HOUR_S)
        blob = blobs.put([b"content"])
        strange = [
            tmp_path / "objects" / "README",
            tmp_path / "objects" / blob.key[:2] / blob.key[2:4] / "note",
            tmp_path / "notes" / "x",
        ]
        for path in strange:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"mine")
        assert [found.key for found in blobs.oldest_first()] == [blob.key]
        assert blobs.sweep(keep=(), max_bytes=0, fresh_s=0).blobs == 1
        assert all(path.exists() for path in strange)

    @pytest.mark.parametrize("damage", ["bit", "cut"])
    def test_damage_is_seen(self, tmp_path: Path, damage: str) -> None:
        """By reading it all; a file that was cut is replaced when its content comes again."""
        blobs = DiskBlobs(tmp_path)
        data = random.Random(1).randbytes(10_000)
        key = blobs.put([data]).key
        path = blobs.path(key)
        assert path is not None
        path.write_bytes(data[:-1] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
        assert not blobs.verify(key)
        if damage == "bit":
            blobs.delete(key)
        blobs.put([data])
        assert blobs.verify(key)

    def test_the_time_of_use_is_coarse(self, tmp_path: Path) -> None:
        """A blob that is asked for every second is not written to every second."""
        now = time.time()
        blobs = DiskBlobs(tmp_path, clock=lambda: now)
        key = blobs.put([b"popular"]).key
        written = set()
        for _ in range(3600):
            now += 1
            assert blobs.touch(key)
            (blob,) = blobs.oldest_first()
            assert now - blob.used < 600
            written.add(blob.used)
        assert len(written) == 7


class TestProcesses:
    """Several at once, and killed ones."""

    @POSIX
    def test_the_same_contents_from_several_processes(self, tmp_path: Path) -> None:
        """Each is stored once, whole, and nothing is left over."""
        children = [disk_child.start("put", tmp_path) for _ in range(4)]
        outcomes = [(*child.communicate(timeout=120), child.returncode) for child in children]
        assert outcomes == [("", "", 0)] * 4
        blobs = DiskBlobs(tmp_path)
        stored = {blob.key for blob in blobs.oldest_first()}
        assert stored == {blobs.put([data]).key for data in disk_child.SHARED}
        assert all(blobs.verify(key) for key in stored)
        assert parts(tmp_path) == []

    @POSIX
    def test_kill_at_any_moment(self, tmp_path: Path) -> None:
        """Twenty times: what was told of is there, all that is there is whole.

        At most one part is left of each; the sweep removes it when it is an hour old.
        """
        told: list[str] = []
        for seed in range(5):
            children = [disk_child.start("write", tmp_path) for _ in range(4)]
            for number, child in enumerate(children):
                assert child.stdout is not None
                told.append(child.stdout.readline().strip())
                time.sleep(random.Random(4 * seed + number).uniform(0, 0.1))
                told += kill(child)
        blobs = DiskBlobs(tmp_path)
        stored = {path.name for path in objects(tmp_path)}
        assert len(told) >= 20
        assert stored >= set(told)
        assert all(blobs.verify(key) for key in stored)
        left = len(parts(tmp_path))
        assert 1 <= left <= 20
        assert blobs.sweep(keep=stored).parts == 0
        later = DiskBlobs(tmp_path, clock=lambda: time.time() + 1.1 * HOUR_S)
        assert later.sweep(keep=stored).parts == left
        assert parts(tmp_path) == []
        assert {path.name for path in objects(tmp_path)} == stored

    @POSIX
    def test_a_living_process_keeps_its_part(self, tmp_path: Path) -> None:
        """Some encoders write nothing for hours, then everything at once."""
        child = disk_child.start("hold", tmp_path)
        try:
            assert child.stdout is not None
            child.stdout.readline()
            assert len(parts(tmp_path)) == 1
            later = DiskBlobs(tmp_path, clock=lambda: time.time() + 100 * HOUR_S)
            for _ in range(20):
                assert later.sweep(keep=()).parts == 0
        finally:
            kill(child)
        assert later.sweep(keep=()).parts == 1

    def test_a_process_that_froze_with_the_lock(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Others wait, then say so; reading goes on."""
        blob = DiskBlobs(tmp_path).put([b"before"])
        monkeypatch.setattr(disk, "LOCK_TIMEOUT_S", 0.05)
        blobs = DiskBlobs(tmp_path)
        with DiskBlobs(tmp_path)._lock:
            with pytest.raises(OutputNotWritable, match="another process has kept it locked"):
                blobs.put([b"new"])
            with blobs.open(blob.key) as file:
                assert file.read() == b"before"
        assert parts(tmp_path) == []
        assert blobs.put([b"new"]).bytes == 3

    def test_a_folder_that_eviction_removes_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is made again."""
        blobs = DiskBlobs(tmp_path)
        make, removals = blobs._make, iter(range(3))

        def make_and_lose(*folders: Path) -> None:
            make(*folders)
            if folders[0].name == "objects" and next(removals, None) is not None:
                folders[-1].rmdir()

        monkeypatch.setattr(blobs, "_make", make_and_lose)
        key = blobs.put([b"content"]).key
        assert blobs.verify(key)
        assert next(removals, None) is None


class TestRoom:
    """The floor of free space, told apart from a full disk only by where it lies."""

    def test_the_floor_refuses_what_is_new(self, tmp_path: Path) -> None:
        """What is stored can still be read, touched and deleted."""
        blob = DiskBlobs(tmp_path).put([b"before"])
        blobs = DiskBlobs(tmp_path, free_floor_bytes=2**60)
        with pytest.raises(DiskFull, match=f"no space left for {tmp_path}"):
            blobs.put([b"new"])
        with pytest.raises(DiskFull):
            blobs.check()
        assert parts(tmp_path) == []
        assert blobs.verify(blob.key)
        assert blobs.touch(blob.key)
        assert blobs.delete(blob.key)

    def test_the_floor_is_watched_while_a_blob_grows(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Others fill the disk, too."""
        free = iter(range(10 * 2**20, 0, -(2**20)))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
        with pytest.raises(DiskFull):
            DiskBlobs(tmp_path, free_floor_bytes=4 * 2**20).put(bytes(2**20) for _ in range(50))
        assert next(free) >= 2 * 2**20
        assert parts(tmp_path) == []
        assert objects(tmp_path) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user can reach: pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_nobody(folder: Path) -> dict[str, str]:
    """Return what a user without rights gets from each method."""
    printed, complaints = disk_child.start("unprivileged", folder).communicate(timeout=60)
    assert complaints == ""
    answers = (line.partition(" ") for line in printed.splitlines())
    return {action: answer for action, _, answer in answers}


@POSIX
def test_another_users_store(open_folder: Path) -> None:
    """Every method says in our words what is in the way, and nothing changes."""
    folder = open_folder / "blobs"
    blob = DiskBlobs(folder).put([b"private"])
    if os.geteuid() != 0:
        folder.chmod(0)
    try:
        answers = as_nobody(folder)
    finally:
        folder.chmod(0o700)
    assert answers.keys() == {"check", "put", "open", "size", "touch", "delete", "sweep"}
    for action, answer in answers.items():
        kind = "OutputNotWritable cannot write" if action in WRITES else "InputNotReadable cannot"
        assert answer.startswith(kind), action
        assert str(folder) in answer
        assert answer.endswith(": permission denied")
    assert DiskBlobs(folder).verify(blob.key)
    assert parts(folder) == []


WRITES = {"check", "put", "touch", "delete"}


@POSIX
def test_a_store_that_may_only_be_read(open_folder: Path) -> None:
    """As from a backup: blobs come out, nothing goes in, nothing goes away."""
    folder = open_folder / "blobs"
    blob = DiskBlobs(folder).put([b"public"])
    os.utime(DiskBlobs(folder)._place(blob.key), (0, 0))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        answers = as_nobody(folder)
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert answers.pop("size") == "6"
    assert answers.pop("open").startswith("<_io.BufferedReader")
    assert all(answer.startswith("OutputNotWritable") for answer in answers.values())
    assert Blob(blob.key, 6) == DiskBlobs(folder).put([b"public"])
