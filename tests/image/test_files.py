"""Outputs appear whole or not at all, and every failure says which file and why."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from upres.errors import DiskFull, InputNotReadable, OutputNotWritable, UpresError
from upres.image.decode import Decoder
from upres.image.encode import encode
from upres.image.files import complete_output, read_input
from upres.image.formats import FORMATS
from upres.image.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.image.picture import Format

POSIX = pytest.mark.skipif(os.name != "posix", reason="rights and pipes of POSIX systems")
NOBODY = 65534

UNPRIVILEGED = """
import os, pathlib, sys
from upres.errors import UpresError
from upres.image.files import complete_output, read_input
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
path = pathlib.Path(sys.argv[2])
try:
    if sys.argv[1] == "read":
        read_input(path, limit_bytes=10**6)
    else:
        with complete_output(path) as file:
            file.write(b"new")
except UpresError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user can reach: pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="upres-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def unprivileged(action: str, path: Path) -> str:
    """Read or write a file as a user without rights; return the error that came of it."""
    program = UNPRIVILEGED.format(nobody=NOBODY)
    child = subprocess.run(
        [sys.executable, "-c", program, action, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return child.stdout.strip()


class TestReadInput:
    """Whole files in, or one error."""

    def test_reads_all_bytes(self, tmp_path: Path) -> None:
        """Whatever they are."""
        path = tmp_path / "picture"
        path.write_bytes(bytes(range(256)))
        assert read_input(path, limit_bytes=10**6) == bytes(range(256))

    def test_a_dash_is_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For pipes."""

        class Standard:
            buffer = io.BytesIO(b"piped")

        monkeypatch.setattr(sys, "stdin", Standard)
        assert read_input(Path("-"), limit_bytes=10**6) == b"piped"

    def test_a_missing_file(self, tmp_path: Path) -> None:
        """The path is in the text."""
        with pytest.raises(InputNotReadable, match=r"cannot open .*gone\.png: no such file"):
            read_input(tmp_path / "gone.png", limit_bytes=10**6)

    def test_a_folder(self, tmp_path: Path) -> None:
        """It has no bytes."""
        with pytest.raises(InputNotReadable, match="cannot open "):
            read_input(tmp_path, limit_bytes=10**6)

    @POSIX
    def test_a_file_without_the_right_to_read_it(self, open_folder: Path) -> None:
        """Another user's private file."""
        path = open_folder / "private.png"
        path.write_bytes(b"secret")
        path.chmod(0)
        answer = unprivileged("read", path)
        assert answer == f"InputNotReadable cannot open {path}: permission denied"


def break_off(target: Path, error: type[BaseException]) -> None:
    """Write half a file, then fail."""
    with complete_output(target) as file:
        file.write(b"half")
        file.flush()
        raise error


class TestCompleteOutput:
    """A target is as it was until the new file is whole."""

    def test_writes_a_new_file(self, tmp_path: Path) -> None:
        """Nothing else is left in the folder."""
        target = tmp_path / "out.png"
        with complete_output(target) as file:
            file.write(b"whole")
            assert not target.exists()
        assert target.read_bytes() == b"whole"
        assert list(tmp_path.iterdir()) == [target]

    def test_replaces_an_old_file_at_once(self, tmp_path: Path) -> None:
        """Readers see the old bytes or the new, whoever has it open keeps the old."""
        target = tmp_path / "out.png"
        target.write_bytes(b"old")
        with target.open("rb") as reader:
            with complete_output(target) as file:
                file.write(b"new")
                file.flush()
                assert target.read_bytes() == b"old"
            assert target.read_bytes() == b"new"
            assert reader.read() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_name_without_a_folder_is_in_this_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As for every other program."""
        monkeypatch.chdir(tmp_path)
        with complete_output(Path("out.png")) as file:
            file.write(b"whole")
        assert (tmp_path / "out.png").read_bytes() == b"whole"

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("old", [None, b"old"])
    def test_leaves_nothing_after_an_exception(
        self, tmp_path: Path, error: type[BaseException], old: bytes | None
    ) -> None:
        """Ctrl-C too; the exception comes through as it is."""
        target = tmp_path / "out.png"
        if old is not None:
            target.write_bytes(old)
        with pytest.raises(error):
            break_off(target, error)
        assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if old is None else [old])

    def test_our_own_errors_come_through(self, tmp_path: Path) -> None:
        """One that is an OSError as well is not taken for a failure of the output."""
        inner = InputNotReadable("in.png", "gone")
        with pytest.raises(InputNotReadable) as caught, complete_output(tmp_path / "out.png"):
            raise inner
        assert caught.value is inner
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    def test_a_full_disk_has_an_error_of_its_own(self, tmp_path: Path, code: int) -> None:
        """One line, no errno in front; nothing is left behind."""
        target = tmp_path / "out.png"
        with pytest.raises(DiskFull) as caught, complete_output(target):
            raise OSError(code, os.strerror(code))
        assert str(caught.value) == f"no space left for {target}"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("kind", FORMATS)
    def test_a_disk_that_fills_while_a_picture_is_written(
        self, tmp_path: Path, kind: Format
    ) -> None:
        """The encoder stops, and the file goes."""
        target = tmp_path / "out.png"
        samples = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)

        class Filling(io.BytesIO):
            def write(self, data: Any, /) -> int:
                if self.tell() + len(data) > 10_000:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return super().write(data)

        with pytest.raises(DiskFull), complete_output(target):
            encode(Picture(pixels=samples), Filling(), format=kind)
        assert list(tmp_path.iterdir()) == []

    def test_a_device_that_fails(self, tmp_path: Path) -> None:
        """Any other failure of the system is the output's, in the system's words."""
        with (
            pytest.raises(OutputNotWritable, match=r"cannot write .*out\.png: input/output error"),
            complete_output(tmp_path / "out.png"),
        ):
            raise OSError(errno.EIO, "Input/output error")

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        """It is not made: a typing error should not make folders."""
        target = tmp_path / "gone" / "out.png"
        with (
            pytest.raises(OutputNotWritable, match=r"cannot write .*out\.png: no such file"),
            complete_output(target),
        ):
            pytest.fail("the block ran")
        assert list(tmp_path.iterdir()) == []

    def test_a_target_that_is_a_folder(self, tmp_path: Path) -> None:
        """It is said before anything is computed."""
        with (
            pytest.raises(OutputNotWritable, match="it is a folder"),
            complete_output(tmp_path),
        ):
            pytest.fail("the block ran")

    def test_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """The system's own words."""
        (tmp_path / "file").write_bytes(b"")
        with (
            pytest.raises(OutputNotWritable, match="cannot write "),
            complete_output(tmp_path / "file" / "out.png"),
        ):
            pytest.fail("the block ran")

    @POSIX
    @pytest.mark.parametrize("old", [None, b"old"])
    def test_a_folder_without_the_right_to_write(
        self, open_folder: Path, old: bytes | None
    ) -> None:
        """Another user's folder: nothing changes in it."""
        target = open_folder / "out.png"
        if old is not None:
            target.write_bytes(old)
        open_folder.chmod(0o555)
        answer = unprivileged("write", target)
        assert answer == f"OutputNotWritable cannot write {target}: permission denied"
        left = [path.read_bytes() for path in open_folder.iterdir()]
        assert left == ([] if old is None else [old])

    @POSIX
    @pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
    def test_the_file_has_the_usual_rights(self, tmp_path: Path, mask: int) -> None:
        """Those that `open` would have given it."""
        before = os.umask(mask)
        try:
            with complete_output(tmp_path / "out.png") as file:
                file.write(b"whole")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o666 & ~mask

    @POSIX
    def test_the_longest_name_that_a_file_may_have(self, tmp_path: Path) -> None:
        """The temporary file's own name needs no more room than the target's."""
        target = tmp_path / ("长" * 83 + "x.png")
        assert len(os.fsencode(target.name)) == 254
        with complete_output(target) as file:
            file.write(b"whole")
        assert target.read_bytes() == b"whole"

    @POSIX
    def test_pipes_and_devices_are_not_replaced_by_a_file(self, tmp_path: Path) -> None:
        """Root's `-o /dev/null` must leave /dev/null what it is; it is written to or refused."""
        target = tmp_path / "pipe"
        os.mkfifo(target)
        reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with complete_output(target) as file:
                file.write(b"through")
        except UpresError:
            pass
        else:
            assert os.read(reader, 100) == b"through"
        finally:
            os.close(reader)
        assert stat.S_ISFIFO(target.stat().st_mode)


def test_a_picture_survives_the_way_through_a_file(tmp_path: Path) -> None:
    """Encoder, output, input, decoder."""
    samples = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), np.uint16)
    target = tmp_path / "out.png"
    with complete_output(target) as file:
        encode(Picture(pixels=samples), file, format="png")
    picture = Decoder(read_input(target, limit_bytes=10**6)).picture()
    np.testing.assert_array_equal(picture.pixels, samples)


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program started without one finds it."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputNotReadable, match="standard input: it is closed"):
        read_input(Path("-"), limit_bytes=10)
