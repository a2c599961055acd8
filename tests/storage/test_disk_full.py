"""A disk of 64 MB that fills, and one that may only be read: clear errors, nothing half-written."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from upres.errors import DiskFull, OutputNotWritable
from upres.image.encode import encode
from upres.image.formats import FORMATS
from upres.image.picture import Picture
from upres.storage.disk import DiskBlobs

if TYPE_CHECKING:
    from upres.image.picture import Format

MB = 2**20
DISK_MB = 64


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk; skip where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def fill(folder: Path) -> Path:
    """Leave not one byte of room."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (MB, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass
    return filler


def put_until_full(blobs: DiskBlobs, *, size: int) -> list[str]:
    """Put blobs of that size until one is refused for want of room; return the others' keys."""
    stored: list[str] = []
    with pytest.raises(DiskFull, match=r"no space left for .*blobs"):
        stored.extend(blobs.put([noise(seed, size)]).key for seed in range(DISK_MB))
    return stored


def is_whole(blobs: DiskBlobs) -> bool:
    """Tell whether all that is stored is whole and nothing else is left."""
    keys = [blob.key for blob in blobs.oldest_first()]
    files = [path for path in blobs.folder.rglob("*") if path.is_file()]
    return all(blobs.verify(key) for key in keys) and len(files) == len(keys) + 1  # and the lock


def test_a_disk_that_fills_and_recovers(small_disk: Path) -> None:
    """What does not fit is refused; what is stored is read, evicted, and there is room again."""
    blobs = DiskBlobs(small_disk / "blobs")
    stored = put_until_full(blobs, size=5 * MB)
    assert len(stored) == 12
    assert is_whole(blobs)
    filler = fill(small_disk)
    for attempt in (blobs.check, lambda: blobs.put([b"small"])):
        with pytest.raises(DiskFull):
            attempt()
    assert is_whole(blobs)
    assert all(blobs.touch(key) for key in stored)
    assert blobs.put([noise(3, 0)]).bytes == 0  # which needs no room
    later = DiskBlobs(small_disk / "blobs", clock=lambda: time.time() + 7200)
    assert later.sweep(keep=stored[4:], max_bytes=0).blobs == 5
    blobs.check()
    assert blobs.put([noise(99, 15 * MB)]).bytes == 15 * MB
    assert is_whole(blobs)
    filler.unlink()


def test_a_new_store_on_a_full_disk(small_disk: Path) -> None:
    """Its folders may be made, its first blob not."""
    fill(small_disk)
    blobs = DiskBlobs(small_disk / "blobs")
    for attempt in (blobs.check, lambda: blobs.put([b"small"])):
        with pytest.raises(DiskFull):
            attempt()
    assert list(blobs.oldest_first()) == []


@pytest.mark.parametrize("format_", FORMATS)
def test_a_picture_that_does_not_fit(small_disk: Path, format_: Format) -> None:
    """Whatever the encoder, the error is the disk's, and nothing is left of the picture."""
    blobs = DiskBlobs(small_disk / "blobs")
    blobs.put([b"before"])
    fill(small_disk)
    samples = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    with pytest.raises(DiskFull), blobs.writer() as file:
        encode(Picture(pixels=samples), file, format=format_)
    assert is_whole(blobs)


def test_the_floor_is_left_free(small_disk: Path) -> None:
    """For the database beside the blobs."""
    blobs = DiskBlobs(small_disk / "blobs", free_floor_bytes=30 * MB)
    assert put_until_full(blobs, size=3 * MB)
    free = shutil.disk_usage(small_disk).free
    assert 30 * MB <= free < 34 * MB
    assert is_whole(blobs)


def test_a_disk_that_turns_read_only(small_disk: Path) -> None:
    """As Linux does with a disk that fails: what was stored is still given out."""
    blobs = DiskBlobs(small_disk / "blobs")
    key = blobs.put([b"before"]).key
    later = DiskBlobs(small_disk / "blobs", clock=lambda: time.time() + 7200)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        for attempt in (
            blobs.check,
            lambda: blobs.put([b"new"]),
            lambda: blobs.delete(key),
            lambda: later.touch(key),
            lambda: later.sweep(keep=(), max_bytes=0),
        ):
            with pytest.raises(OutputNotWritable, match="read-only file system"):
                attempt()
        with blobs.open(key) as file:
            assert file.read() == b"before"
        assert blobs.sweep(keep={key}).blobs == 0
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert is_whole(blobs)
    assert list((small_disk / "blobs" / "parts").iterdir()) == []
    assert blobs.delete(key)
