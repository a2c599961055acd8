"""What every store of blobs keeps to."""

from __future__ import annotations

import hashlib
import io
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from upres.errors import BlobMissing, PictureTooLarge
from upres.image.decode import Decoder
from upres.image.encode import encode
from upres.image.formats import FORMATS
from upres.image.picture import Picture
from upres.storage.blobs import FRESH_S, Blob, Swept

if TYPE_CHECKING:
    from storage.contract.conftest import Store

    from upres.image.picture import Format

ABSENT = "0" * 64
DAY_S = 86_400.0
SIZES = (0, 1, 4096, 2**20, 3 * 2**20 + 17)


def noise(seed: int, size: int = 1000) -> bytes:
    """Return bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def key_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read(store: Store, key: str) -> bytes:
    with store.blobs.open(key) as file:
        return file.read()


def broken_off(data: bytes, error: BaseException) -> Iterator[bytes]:
    """Yield half of the data, then fail."""
    yield data[: len(data) // 2]
    raise error


class TestPut:
    """Content comes in whole or not at all."""

    @pytest.mark.parametrize("size", SIZES)
    def test_what_is_put_is_read(self, store: Store, size: int) -> None:
        """Under the hash of its bytes, whatever the chunks."""
        data = noise(size, size)
        chunks = (data[start : start + 70_001] for start in range(0, size, 70_001))
        blob = store.blobs.put(chunks)
        assert blob == Blob(key_of(data), size)
        assert read(store, blob.key) == data
        assert store.blobs.size(blob.key) == size
        assert store.blobs.verify(blob.key)
        assert store.contents() == {blob.key: size}

    def test_the_same_content_is_stored_once(self, store: Store) -> None:
        """Whoever puts it gets the same key."""
        first = store.blobs.put([b"same"])
        assert store.blobs.put([b"sa", b"", b"me"]) == first
        assert store.contents() == {first.key: 4}

    @pytest.mark.parametrize("limit", [0, 1, 999, 2**20, 2**20 + 5])
    def test_a_limit_is_exact(self, store: Store, limit: int) -> None:
        """So many bytes are taken, one more is refused, and then nothing is stored."""
        data = noise(limit, limit)
        assert store.blobs.put([data], limit_bytes=limit).bytes == limit
        before = store.contents()
        with pytest.raises(PictureTooLarge, match=rf"photo is too large.* limit is {limit}"):
            store.blobs.put([data, b"x"], limit_bytes=limit, name="photo")
        assert store.contents() == before

    def test_a_limit_ends_an_endless_upload(self, store: Store) -> None:
        """It is not read to its end first."""

        def endless() -> Iterator[bytes]:
            while True:
                yield bytes(2**16)

        with pytest.raises(PictureTooLarge):
            store.blobs.put(endless(), limit_bytes=3 * 2**20)
        assert store.contents() == {}

    @pytest.mark.parametrize("error", [ConnectionResetError(), ValueError(), KeyboardInterrupt()])
    def test_an_upload_that_breaks_off(self, store: Store, error: BaseException) -> None:
        """Its own error comes through as it is, and nothing is stored."""
        with pytest.raises(type(error)) as caught:
            store.blobs.put(broken_off(noise(1, 3 * 2**20), error))
        assert caught.value is error
        assert store.contents() == {}

    def test_many_at_once(self, store: Store) -> None:
        """Of the same contents, by threads."""
        contents = [noise(seed, 50_000) for seed in range(5)]
        with ThreadPoolExecutor(8) as pool:
            blobs = list(pool.map(lambda data: store.blobs.put([data]), contents * 8))
        assert [blob.key for blob in blobs] == [key_of(data) for data in contents * 8]
        assert store.contents() == {key_of(data): 50_000 for data in contents}
        assert all(store.blobs.verify(blob.key) for blob in blobs)


class TestWriter:
    """A file to write into, which some formats look back in."""

    def test_it_seeks_and_reads(self, store: Store) -> None:
        """What counts is what it holds at the end."""
        with store.blobs.writer() as file:
            file.write(b"....rest")
            file.seek(0)
            file.write(b"head")
            file.seek(2)
            assert file.read(4) == b"adre"
            assert file.seekable()
            assert file.readable()
        assert file.blob == Blob(key_of(b"headrest"), 8)
        assert read(store, file.blob.key) == b"headrest"

    def test_there_is_no_blob_before_the_end(self, store: Store) -> None:
        """Neither for the writer nor for anybody else."""
        with store.blobs.writer() as file:
            file.write(b"half")
            file.flush()
            with pytest.raises(ValueError, match="not stored yet"):
                _ = file.blob
            assert store.contents() == {}

    def test_a_block_that_fails_leaves_nothing(self, store: Store) -> None:
        """The exception is its own."""
        files = []

        def write() -> None:
            with store.blobs.writer() as file:
                files.append(file)
                file.write(noise(1, 3 * 2**20))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write()
        assert store.contents() == {}
        with pytest.raises(ValueError, match="not stored yet"):
            _ = files[0].blob

    @pytest.mark.parametrize("size", [11, 3 * 2**20])
    def test_a_limit(self, store: Store, size: int) -> None:
        """Also when the writer seeks to pass it, or is told only at the end."""

        def write() -> None:
            with store.blobs.writer(limit_bytes=10, name="result") as file:
                file.seek(size - 1)
                file.write(b"x")

        with pytest.raises(PictureTooLarge, match="result is too large"):
            write()
        assert store.contents() == {}

    @pytest.mark.parametrize("format_", FORMATS)
    def test_encoders_write_into_it(self, store: Store, format_: Format) -> None:
        """Every format, the same bytes as into memory."""
        samples = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
        picture, memory = Picture(pixels=samples), io.BytesIO()
        encode(picture, memory, format=format_)
        with store.blobs.writer() as file:
            encode(picture, file, format=format_)
        assert read(store, file.blob.key) == memory.getvalue()
        with store.blobs.open(file.blob.key) as source:
            assert Decoder(source.read()).header.width == 90


class TestReading:
    """What is there, and what is not."""

    def test_a_blob_that_is_not_there(self, store: Store) -> None:
        """One error of our own where bytes are asked for, plain answers elsewhere."""
        for look in (store.blobs.open, store.blobs.verify):
            with pytest.raises(BlobMissing, match=f"blob {ABSENT} is not stored"):
                look(ABSENT)
        with pytest.raises(KeyError):
            store.blobs.open(ABSENT)
        assert store.blobs.size(ABSENT) is None
        assert store.blobs.path(ABSENT) is None
        assert not store.blobs.touch(ABSENT)
        assert not store.blobs.delete(ABSENT)
        assert store.contents() == {}

    @pytest.mark.parametrize(
        "key", ["", "ab", "../" * 21 + "a", ABSENT + "0", ABSENT + "\n", "A" * 64, "/etc/passwd"]
    )
    def test_only_keys_are_looked_for(self, store: Store, key: str) -> None:
        """No word of a request becomes a path."""
        looks: tuple[Callable[[str], object], ...] = (
            store.blobs.open,
            store.blobs.path,
            store.blobs.size,
            store.blobs.touch,
            store.blobs.delete,
            store.blobs.verify,
        )
        for look in looks:
            with pytest.raises(ValueError, match="no key of a blob"):
                look(key)

    def test_a_local_file_is_the_blob(self, store: Store) -> None:
        """Where a store has one."""
        blob = store.blobs.put([b"sent by another server"])
        path = store.blobs.path(blob.key)
        assert path is None or path.read_bytes() == b"sent by another server"

    def test_readers_can_seek(self, store: Store) -> None:
        """For ranges."""
        blob = store.blobs.put([b"0123456789"])
        with store.blobs.open(blob.key) as file:
            file.seek(4)
            assert file.read(3) == b"456"

    def test_a_deleted_blob_stays_readable_to_its_reader(self, store: Store) -> None:
        """A download that has begun comes to its end."""
        data = noise(1, 3 * 2**20)
        blob = store.blobs.put([data])
        with store.blobs.open(blob.key) as file:
            head = file.read(10)
            assert store.blobs.delete(blob.key)
            assert head + file.read() == data
        assert store.blobs.size(blob.key) is None
        assert store.blobs.put([data]) == blob
        assert read(store, blob.key) == data


class TestSweep:
    """Age and size, and what is never removed."""

    def test_oldest_first(self, store: Store) -> None:
        """By the time of use."""
        keys = []
        for seed in (3, 1, 2):
            keys.append(store.blobs.put([noise(seed)]).key)
            store.clock.now += 10
        assert [blob.key for blob in store.blobs.oldest_first()] == keys
        times = [blob.used for blob in store.blobs.oldest_first()]
        assert times == [store.clock.now - 30, store.clock.now - 20, store.clock.now - 10]

    def test_age(self, store: Store) -> None:
        """Longer unused than that is removed; the rest stays."""
        old = store.blobs.put([noise(1)])
        store.clock.now += DAY_S
        young = store.blobs.put([noise(2)])
        store.clock.now += DAY_S
        swept = store.blobs.sweep(keep=(), max_age_s=1.5 * DAY_S)
        assert swept == Swept(blobs=1, bytes=1000, parts=0)
        assert store.contents() == {young.key: 1000}
        assert store.blobs.size(old.key) is None

    def test_size(self, store: Store) -> None:
        """The oldest go until what is left fits."""
        keys = []
        for seed in range(5):
            keys.append(store.blobs.put([noise(seed)]).key)
            store.clock.now += 10
        store.clock.now += DAY_S
        assert store.blobs.sweep(keep=(), max_bytes=2500).blobs == 3
        assert list(store.contents()) == keys[3:]

    def test_without_limits_nothing_goes(self, store: Store) -> None:
        """However old it is."""
        store.blobs.put([b"old"])
        store.clock.now += 1000 * DAY_S
        assert store.blobs.sweep(keep=()) == Swept(blobs=0, bytes=0, parts=0)
        assert len(store.contents()) == 1

    def test_what_is_kept_stays(self, store: Store) -> None:
        """Though it is old and far too large."""
        kept, other = store.blobs.put([noise(1)]), store.blobs.put([noise(2)])
        store.clock.now += 1000 * DAY_S
        store.blobs.sweep(keep={kept.key, ABSENT}, max_age_s=1, max_bytes=0)
        assert store.contents() == {kept.key: 1000}
        assert store.blobs.size(other.key) is None

    def test_what_is_fresh_stays(self, store: Store) -> None:
        """Its job may not be in the table yet."""
        blob = store.blobs.put([noise(1)])
        store.clock.now += FRESH_S - 1
        assert store.blobs.sweep(keep=(), max_age_s=1, max_bytes=0).blobs == 0
        store.clock.now += 2
        assert store.blobs.sweep(keep=(), max_age_s=1, max_bytes=0).blobs == 1
        assert store.blobs.size(blob.key) is None

    @pytest.mark.parametrize("use", ["touch", "put", "writer"])
    def test_what_is_used_again_is_fresh_again(self, store: Store, use: str) -> None:
        """Whichever way it was used."""
        blob = store.blobs.put([noise(1)])
        store.clock.now += DAY_S
        if use == "touch":
            assert store.blobs.touch(blob.key)
        elif use == "put":
            store.blobs.put([noise(1)])
        else:
            with store.blobs.writer() as file:
                file.write(noise(1))
        store.clock.now += FRESH_S / 2
        assert store.blobs.sweep(keep=(), max_age_s=1, max_bytes=0).blobs == 0
        assert read(store, blob.key) == noise(1)

    def test_a_reader_keeps_what_it_reads(self, store: Store) -> None:
        """Open files stay readable."""
        data = noise(1, 3 * 2**20)
        blob = store.blobs.put([data])
        store.clock.now += DAY_S
        with store.blobs.open(blob.key) as file:
            head = file.read(10)
            assert store.blobs.sweep(keep=(), max_age_s=1).blobs == 1
            assert head + file.read() == data

    def test_a_blob_that_is_written_meanwhile(self, store: Store) -> None:
        """A sweep does not take away what a writer is still at."""
        with store.blobs.writer() as file:
            file.write(b"begun")
            file.flush()
            store.clock.now += 10 * DAY_S
            assert store.blobs.sweep(keep=(), max_age_s=1, max_bytes=0).parts == 0
            file.write(b", done")
        assert read(store, file.blob.key) == b"begun, done"

    def test_told_of_is_there(self, store: Store) -> None:
        """Old blobs are put and touched while sweeps run: what was told to be there, is.

        Each round begins with the blob old enough to be evicted.
        """
        data = noise(1)
        key = key_of(data)
        stop = threading.Event()

        def sweep_on() -> None:
            while not stop.is_set():
                store.blobs.sweep(keep=(), max_age_s=FRESH_S, max_bytes=0)

        sweeper = threading.Thread(target=sweep_on)
        sweeper.start()
        gone = 0
        try:
            for turn in range(60):
                if turn % 2 or not store.blobs.touch(key):
                    store.blobs.put([data])
                gone += store.blobs.size(key) is None
                store.clock.now += 2 * FRESH_S
        finally:
            stop.set()
            sweeper.join()
        assert gone == 0


def test_a_probe_leaves_nothing(store: Store) -> None:
    """A store that works passes, and holds no more than before."""
    store.blobs.check()
    assert store.contents() == {}
    blob = store.blobs.put([b"one"])
    store.blobs.check()
    assert store.contents() == {blob.key: 3}
