"""The remote decoder is the plain one, seen from another process."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from upres.errors import OutOfMemory, PictureTooLarge, UnsupportedPicture, UpresError
from upres.image.decode import Decoder
from upres.image.limits import Limits
from upres.sandbox.decoder import RemoteDecoder, inspect, opened
from upres.sandbox.launcher import Launcher
from upres.sandbox.limits import SandboxLimits

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a small JPEG that states a density."""
    file = tmp_path / "photo.jpg"
    pixels = np.random.default_rng(1).integers(0, 256, (300, 200, 3), np.uint8)
    Image.fromarray(pixels).save(file, dpi=(300, 300), quality=90)
    return file


def everything(decoder: Decoder | RemoteDecoder) -> tuple[Any, ...]:
    """Return all that a decoder tells, the rows of each frame as a hash."""
    frames = []
    for bands in decoder.frames():
        content = hashlib.sha256()
        for rows in bands:
            content.update(rows.tobytes())
        frames.append(content.hexdigest())
    return decoder.header, decoder.metadata, frames, decoder.warnings


def outcome(read: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return what was read, or the error."""
    try:
        return read()
    except UpresError as error:
        return type(error), str(error)


@pytest.mark.parametrize("suite", ["awkward", "real"])
def test_every_file_is_read_as_by_the_plain_decoder(
    shared: Path, honest: Launcher, suite: str
) -> None:
    """Header, metadata with EXIF, XMP and IPTC, each sample, warnings, and errors word by word."""
    files = sorted(path for path in (shared / suite).rglob("*") if path.is_file())
    assert len(files) > 50

    def plain(path: Path) -> tuple[Any, ...]:
        decoder = Decoder(path.read_bytes(), name=path.name)
        LIMITS.check_input(decoder.header, name=path.name)
        return everything(decoder)

    def remote(path: Path) -> tuple[Any, ...]:
        with opened(path, fields=True, through=honest) as decoder:
            return everything(decoder)

    for path in files:
        assert outcome(lambda p=path: remote(p)) == outcome(lambda p=path: plain(p)), path  # type: ignore[misc]


def test_fields_stay_behind_unless_asked_for(shared: Path, honest: Launcher) -> None:
    """Profile and density do not."""
    file = shared / "awkward" / "image-rs" / "exif-xmp-metadata.jpg"
    with opened(file, through=honest) as decoder:
        assert not decoder.metadata.fields
        assert decoder.metadata == Decoder(file.read_bytes()).metadata.stripped()


def test_a_header_comes_without_pixels(photo: Path, honest: Launcher) -> None:
    """The same that the plain decoder reads, and its errors."""
    assert inspect(photo, through=honest) == Decoder(photo.read_bytes()).header
    with pytest.raises(PictureTooLarge, match=r"photo\.jpg is too large: it has 60000 pixels"):
        inspect(photo, picture_limits=Limits(input_pixels=1000), through=honest)
    size = photo.stat().st_size
    with pytest.raises(PictureTooLarge, match=f"it has {size} bytes, the limit is 99"):
        inspect(photo, picture_limits=Limits(input_bytes=99), through=honest)
    photo.write_bytes(b"%PDF-1.4 and so on")
    with pytest.raises(UnsupportedPicture, match="a PDF file"):
        inspect(photo, name="upload", through=honest)


def test_an_open_descriptor_is_read_from_its_start(photo: Path, honest: Launcher) -> None:
    """And stays where it was, with its owner; a file without a name will do."""
    with photo.open("r+b") as file:
        file.seek(17)
        photo.unlink()
        with opened(file.fileno(), through=honest) as decoder:
            assert decoder.picture().pixels.shape == (300, 200, 3)
            assert decoder.metadata.pixels_per_mm == pytest.approx((11.81, 11.81), abs=0.01)
        assert file.tell() == 17


def test_what_a_caller_leaves_of_a_frame_is_passed_over(shared: Path, honest: Launcher) -> None:
    """The next frame begins at its top all the same."""
    file = shared / "awkward" / "image-rs" / "anim.webp"
    plain = [np.concatenate(list(bands)) for bands in Decoder(file.read_bytes()).frames()]
    assert len(plain) > 1
    with opened(file, through=honest) as decoder:
        for number, bands in enumerate(decoder.frames()):
            if number % 2:
                np.testing.assert_array_equal(np.concatenate(list(bands)), plain[number])
        with pytest.raises(RuntimeError, match="once"):
            next(decoder.frames())


def test_a_picture_past_the_memory_says_so(tmp_path: Path, honest: Launcher) -> None:
    """Rotated by half a turn it has to be held whole; the next child has its own memory."""
    file = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (5000, 4000)).save(file, exif=exif)
    with (
        pytest.raises(PictureTooLarge, match="takes more than 32 MiB of memory"),
        opened(file, limits=SandboxLimits(memory_bytes=2**25), through=honest) as decoder,
    ):
        decoder.picture()
    with opened(file, through=honest) as decoder:
        assert decoder.picture().height == 4000


def descriptors(process: int | str = "self") -> int:
    """Return how many descriptors a process has."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def children_of(process: int) -> list[str]:
    """Return the processes that a process has started and not reaped."""
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait for something for some seconds."""
    until = time.monotonic() + 10
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_five_hundred_openings_leave_nothing(photo: Path, tmp_path: Path) -> None:
    """Read, left in the middle, wrong: no descriptor, no process, no thread, on either side."""
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"no picture")
    with Launcher() as launcher:
        launcher.start()
        assert launcher._process is not None
        template = launcher._process.pid
        before = descriptors(), threading.active_count(), descriptors(template)
        for number in range(500):
            if number % 5 == 4:
                with pytest.raises(UnsupportedPicture):
                    inspect(wrong, through=launcher)
                continue
            with opened(photo, through=launcher) as decoder:
                if number % 5:
                    assert sum(len(rows) for rows in decoder.rows()) == 300
        assert eventually(lambda: not children_of(template))
        after = descriptors(), threading.active_count(), descriptors(template)
        assert after == before


def test_threads_share_a_template(photo: Path, honest: Launcher) -> None:
    """Each has its own child."""
    expected = everything(Decoder(photo.read_bytes()))

    def read(_: int) -> bool:
        with opened(photo, fields=True, through=honest) as decoder:
            return everything(decoder) == expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(40)))


def test_a_killed_template_is_replaced(photo: Path) -> None:
    """Its children die with it, which is an error of theirs and of no later picture."""
    with Launcher() as launcher:
        with opened(photo, through=launcher) as decoder:
            assert launcher._process is not None
            os.kill(launcher._process.pid, signal.SIGKILL)
            launcher._process.wait()
            try:
                decoder.picture()
            except UpresError as error:
                assert "photo.jpg" in str(error)  # noqa: PT017
        with opened(photo, through=launcher) as decoder:
            assert decoder.picture().height == 300


def test_a_child_killed_from_outside_is_a_lack_of_memory(tmp_path: Path) -> None:
    """So the kernel ends processes; the picture may be as good as any."""
    file = tmp_path / "photo.png"
    file.write_text("hangs")
    with (
        Launcher("sandbox.children:attack") as launcher,
        opened(file, through=launcher) as decoder,
    ):
        assert launcher._process is not None
        (child,) = children_of(launcher._process.pid)
        os.kill(int(child), signal.SIGKILL)
        with pytest.raises(OutOfMemory):
            list(decoder.rows())


def test_nobody_outlives_a_killed_service(tmp_path: Path) -> None:
    """Neither the template nor a child that hangs."""
    file = tmp_path / "photo.png"
    file.write_text("hangs")
    program = f"""
import sys, time
from pathlib import Path
sys.path[:] = {sys.path!r}
from upres.sandbox.decoder import opened
from upres.sandbox.launcher import Launcher
launcher = Launcher("sandbox.children:attack")
with opened(Path({str(file)!r}), through=launcher):
    print(launcher._process.pid, flush=True)
    time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        template = int(service.stdout.readline())
        (child,) = children_of(template)
        service.kill()
    gone = [Path(f"/proc/{process}") for process in (template, child)]
    assert eventually(lambda: not any(alive(path) for path in gone))


def alive(process: Path) -> bool:
    """Tell whether a process still runs; one that nobody has reaped does not."""
    try:
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_forked_service_has_a_template_of_its_own(photo: Path, honest: Launcher) -> None:
    """Two processes on one socket would take each other's answers."""
    ours, theirs = socket.socketpair()
    forked = os.fork()
    if forked == 0:
        try:
            with opened(photo, through=honest) as decoder:
                theirs.send(b"%d" % decoder.picture().height)
            honest.close()
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        ours.settimeout(20)
        assert ours.recv(10) == b"300"
    os.waitpid(forked, 0)
    assert inspect(photo, through=honest).height == 300
