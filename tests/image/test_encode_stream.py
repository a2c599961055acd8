"""Encoding goes on beside its caller, in little memory; no failure leaves a thread or a file."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import upres.image.encode
from upres.errors import EncodingFailed, OutOfMemory, UnreadablePicture
from upres.image.encode import Encoder, encode
from upres.image.formats import FORMATS
from upres.image.picture import Layout, Metadata, Picture
from upres.image.vips import libvips

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upres.image.picture import Format, Rows

LAYOUT = Layout(width=300, height=2000, gray=False, alpha=False, bits=8)
"""More than fits into the queue, so that the encoder and its caller wait for each other."""


def noise(rows: int) -> Rows:
    """Return rows of the layout."""
    return np.random.default_rng(rows).integers(0, 256, (rows, LAYOUT.width, 3), np.uint8)


def encoder_threads() -> list[threading.Thread]:
    """Return the encoders' threads that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "upres-encoder"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Hold every test to it."""
    yield
    assert not encoder_threads()


def encoder(target: Any, kind: Format) -> Encoder:
    """Return an encoder for the layout."""
    return Encoder(target, format=kind, layout=LAYOUT, metadata=Metadata())


def write(
    target: Any, kind: Format, bands: Iterable[Rows], then: BaseException | None = None
) -> None:
    """Write bands of the layout, then fail in the block if asked to."""
    with encoder(target, kind) as file:
        for rows in bands:
            file.write(rows)
        if then is not None:
            raise then


def loads(data: bytes) -> bool:
    """Tell whether any reader takes it for a whole picture."""
    try:
        libvips().Image.new_from_buffer(data, "", fail_on="error").avg()
    except libvips().Error:
        return False
    return True


class Forward(io.BytesIO):
    """A file that can only be written, like a pipe."""

    def seekable(self) -> bool:
        """Tell that there is no way back."""
        return False

    def seek(self, *_: Any) -> int:
        """Refuse."""
        raise io.UnsupportedOperation("seek")

    def read(self, *_: Any) -> bytes:
        """Refuse."""
        raise io.UnsupportedOperation("read")


class TestTargets:
    """What a target does with the bytes is the target's business."""

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("room", [0, 300])
    @pytest.mark.parametrize("base", [io.BytesIO, Forward])
    def test_one_that_fails_is_heard(self, kind: Format, room: int, base: type[io.BytesIO]) -> None:
        """Its own error comes through, so that callers can tell a full disk from the rest."""
        failure = OSError(errno.ENOSPC, "no room")

        class Full(base):  # type: ignore[misc, valid-type]
            def write(self, data: Any, /) -> int:
                if self.tell() + len(data) > room:
                    raise failure
                return int(super().write(data))

        with pytest.raises(OSError, match="no room") as caught:
            encode(Picture(pixels=noise(200)), Full(), format=kind)
        assert caught.value is failure

    @pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
    def test_a_failure_is_heard_soon(self, kind: Format) -> None:
        """Not when all rows are computed, where the format is written as they come."""

        class Full(io.BytesIO):
            def write(self, data: Any, /) -> int:
                raise OSError(errno.EPIPE, f"gone before {len(data)} bytes")

        written = 0

        def bands() -> Iterator[Rows]:
            nonlocal written
            for _ in range(20):
                yield noise(100)
                written += 100
                time.sleep(0.02)

        with pytest.raises(OSError, match="gone before"):
            write(Full(), kind, bands())
        assert written < 2000

    @pytest.mark.parametrize("kind", FORMATS)
    def test_one_that_takes_little_at_a_time_gets_it_all(self, kind: Format) -> None:
        """As a pipe without a buffer may."""

        class Narrow(Forward):
            def write(self, data: Any, /) -> int:
                return super().write(bytes(data[:1000]))

        target, whole = Narrow(), io.BytesIO()
        encode(Picture(pixels=noise(64)), target, format=kind)
        encode(Picture(pixels=noise(64)), whole, format=kind)
        assert target.getvalue() == whole.getvalue()

    def test_one_that_takes_nothing_is_no_silent_loss(self) -> None:
        """None is what a file gives that would have to wait."""

        class Busy(io.BytesIO):
            def write(self, _: Any, /) -> Any:
                return None

        with pytest.raises(BlockingIOError):
            encode(Picture(pixels=noise(64)), Busy(), format="png")

    @pytest.mark.parametrize("kind", FORMATS)
    def test_bytes_before_the_picture_stay(self, kind: Format) -> None:
        """The file begins where the target was, and leaves it at its end."""
        target, whole = io.BytesIO(), io.BytesIO()
        target.write(b"before")
        encode(Picture(pixels=noise(64)), target, format=kind)
        encode(Picture(pixels=noise(64)), whole, format=kind)
        assert target.getvalue() == b"before" + whole.getvalue()
        assert target.tell() == len(target.getvalue())

    @pytest.mark.parametrize("kind", FORMATS)
    def test_a_target_is_written_by_its_caller(self, kind: Format) -> None:
        """Only a TIFF's that can be moved about in is written beside, by the encoder's thread."""
        writers = set()

        class Noting(Forward):
            def write(self, data: Any, /) -> int:
                writers.add(threading.current_thread())
                return super().write(data)

        encode(Picture(pixels=noise(64)), Noting(), format=kind)
        assert writers == {threading.current_thread()}


class TestAbandoning:
    """An exception in the block ends the thread, and what was written is no whole picture."""

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("rows", [0, 1, 1900, 2000])
    @pytest.mark.parametrize("error", [UnreadablePicture, KeyboardInterrupt])
    def test_by_an_exception(self, kind: Format, rows: int, error: type[BaseException]) -> None:
        """It comes through as it is, and soon; with all rows written, too."""
        target = io.BytesIO()
        failure = error("in.png", "it is damaged")
        before = time.monotonic()
        with pytest.raises(error) as caught:
            write(target, kind, [noise(rows)], failure)
        assert caught.value is failure
        assert time.monotonic() - before < 10
        assert not encoder_threads()
        length = len(target.getvalue())
        assert not loads(target.getvalue())
        time.sleep(0.05)
        assert len(target.getvalue()) == length

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("rows", [0, 1, 1999])
    def test_with_rows_missing(self, kind: Format, rows: int) -> None:
        """A mistake of the program is told as one, and there is no file of it."""
        target = io.BytesIO()
        with pytest.raises(ValueError, match=f"{2000 - rows} rows were not written"):
            write(target, kind, [noise(rows)])
        assert not loads(target.getvalue())

    def test_with_rows_too_many(self) -> None:
        """Before they reach the encoder."""
        target = io.BytesIO()
        with pytest.raises(ValueError, match="2 rows, where 1 were left"):
            write(target, "png", [noise(1999), noise(2)])
        assert not loads(target.getvalue())

    @pytest.mark.parametrize(
        "rows",
        [
            np.zeros((1, 299, 3), np.uint8),
            np.zeros((1, 300, 4), np.uint8),
            np.zeros((1, 300, 3), np.uint16),
            np.zeros((1, 900), np.uint8),
        ],
    )
    def test_with_rows_of_another_layout(self, rows: Rows) -> None:
        """The same."""
        with pytest.raises(TypeError, match="expected Layout"), encoder(io.BytesIO(), "png") as it:
            it.write(rows)

    @pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")
    @pytest.mark.parametrize("kind", ["png", "tiff"])
    def test_by_ctrl_c_while_the_target_is_stuck(self, kind: Format) -> None:
        """A pipe that nobody reads holds everything up, but not Ctrl-C."""
        program = (
            "import os, signal, sys, threading\n"
            "import numpy as np\n"
            "from upres.image.encode import encode\n"
            "from upres.image.picture import Picture\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "pixels = np.random.default_rng(1).integers(0, 256, (2000, 300, 3), np.uint8)\n"
            "reader, writer = os.pipe()\n"
            "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
            "try:\n"
            "    with os.fdopen(writer, 'wb', buffering=0) as pipe:\n"
            f"        encode(Picture(pixels=pixels), pipe, format={kind!r})\n"
            "except KeyboardInterrupt:\n"
            "    sys.exit(7)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
        assert done.returncode == 7

    def test_is_not_waited_for_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Some encoders cannot be stopped: they run out alone, and nothing of it is written."""
        begun, go = threading.Event(), threading.Event()

        def stubborn(*_: Any, **__: Any) -> Any:
            begun.set()
            go.wait()
            raise RuntimeError

        monkeypatch.setattr(upres.image.encode, "prepared", stubborn)
        monkeypatch.setattr(upres.image.encode, "_PATIENCE_S", 0.1)

        def bands() -> Iterator[Rows]:
            yield noise(100)
            assert begun.wait(5)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write(io.BytesIO(), "avif", bands())
        (left,) = encoder_threads()
        assert left.daemon
        go.set()
        left.join(5)


class TestEncoderFailures:
    """What libvips cannot do is told in upres's words."""

    @staticmethod
    def failing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        """Let libvips fail with a message."""

        def prepared(*_: Any, **__: Any) -> Any:
            raise libvips().Error("unable to call save", text)

        monkeypatch.setattr(upres.image.encode, "prepared", prepared)

    def test_its_message_is_passed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the format."""
        self.failing(monkeypatch, "heifsave: no such encoder")
        with pytest.raises(EncodingFailed, match=r"the AVIF result: heifsave: no such encoder"):
            encode(Picture(pixels=noise(100)), io.BytesIO(), format="avif")

    def test_too_little_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is an error of its own."""
        self.failing(monkeypatch, "vips_tracked: out of memory --- size == 12MB")
        with pytest.raises(OutOfMemory, match="too little memory for the AVIF result"):
            encode(Picture(pixels=noise(100)), io.BytesIO(), format="avif")

    def test_it_is_heard_while_rows_are_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody waits in a queue that has no end."""
        self.failing(monkeypatch, "no")
        with pytest.raises(EncodingFailed), encoder(io.BytesIO(), "png") as file:
            file.write(noise(2000))


class TestOverlap:
    """Encoder and caller work at the same time, and neither runs far ahead."""

    def test_rows_are_encoded_while_the_next_are_computed(self) -> None:
        """Most of a file is there before the last rows are."""
        target = io.BytesIO()
        with encoder(target, "png") as file:
            for _ in range(20):
                time.sleep(0.05)
                file.write(noise(100))
            early = len(target.getvalue())
        assert early > len(target.getvalue()) / 2

    def test_rows_may_be_used_again(self) -> None:
        """By a caller that computes into the same array."""
        target, expected = io.BytesIO(), noise(2000)
        buffer = np.empty((100, LAYOUT.width, 3), np.uint8)
        with encoder(target, "png") as file:
            for top in range(0, 2000, 100):
                buffer[:] = expected[top : top + 100]
                file.write(buffer)
        seen = libvips().Image.pngload_buffer(target.getvalue()).numpy()
        np.testing.assert_array_equal(seen, expected)

    def test_two_at_once(self) -> None:
        """Each has its own thread and queue."""
        targets = io.BytesIO(), io.BytesIO()
        with encoder(targets[0], "png") as first, encoder(targets[1], "tiff") as second:
            for top in range(0, 2000, 100):
                first.write(noise(100 + top)[:100])
                second.write(noise(100 + top)[:100])
        images = [libvips().Image.new_from_buffer(file.getvalue(), "").numpy() for file in targets]
        np.testing.assert_array_equal(*images)


MEMORY = """
import resource, sys, tempfile
import numpy as np
from upres.image.encode import Encoder, encode
from upres.image.picture import Layout, Metadata, Picture
def peak():
    unit = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
kind, side = sys.argv[1], int(sys.argv[2])
band = np.random.default_rng(0).integers(0, 256, (50, side, 3), np.uint8)
ramp = np.linspace(0, 255, side).astype(np.uint8)[np.newaxis, :, np.newaxis]
rows = [np.minimum(band // shade, 40) + ramp // 2 for shade in (2, 4, 8)]
with tempfile.TemporaryFile() as file:
    encode(Picture(pixels=band[:, :50]), file, format=kind)
    before = peak()
    layout = Layout(width=side, height=side, gray=False, alpha=False, bits=8)
    with Encoder(file, format=kind, layout=layout, metadata=Metadata()) as encoder:
        for top in range(0, side, 50):
            encoder.write(rows[top // 50 % 3])
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measured with resource")
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
def test_memory_does_not_grow_with_the_picture(kind: Format) -> None:
    """25 megapixels, 75 MB of samples, take less than 60 MB beside the caller's own."""
    child = subprocess.run(
        [sys.executable, "-c", MEMORY, kind, "5000"], check=True, capture_output=True, text=True
    )
    assert int(child.stdout) < 60_000
