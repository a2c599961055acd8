from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import ClipRecipe, numbers_and_times, write_clip

from upres.cli.video import seconds
from upres.errors import InvalidOption

Run = Callable[..., int]


def test_a_clip_becomes_twice_as_large(run: Run, tmp_path: Path) -> None:
    """By default, with every frame."""
    clip = write_clip(tmp_path / "clip.mp4")
    assert run("video", clip, tmp_path / "out.mp4", "--model", "bicubic") == 0
    found = numbers_and_times(tmp_path / "out.mp4")
    assert [number for number, _ in found] == list(range(30))


def test_json_tells_what_was_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object on standard output, and nothing else."""
    clip = write_clip(tmp_path / "clip.mp4")
    output = tmp_path / "out.mkv"
    assert run("video", clip, output, "--model", "bicubic", "--height", 96, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["height"], told["frames"]) == (144, 96, 30)
    assert told["model"] == "bicubic"
    assert told["bytes"] == output.stat().st_size
    assert told["warnings"] == []


def test_a_dry_run_writes_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says size, frames, encoding and disk."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(sound="aac"))
    assert run("video", clip, tmp_path / "out.mp4", "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["width"], plan["height"], plan["frames"]) == (192, 128, 30)
    assert plan["streams_carried"] == 1
    assert plan["disk_bytes"] > 0
    assert plan["encoding"].startswith("h264 mp4 yuv420p")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["missing.mp4", "out.mp4"], 4, "no such file"),
        (["clip.mp4", "out.avi"], 2, "one of .mp4"),
        (["clip.mp4", "clip.mp4"], 4, "it is the input"),
        (["clip.mp4", "out.mp4", "--crf", "99"], 2, "from 0 to 51"),
        (["clip.mp4", "out.mp4", "--preset", "warp"], 2, "one of ultrafast"),
        (["clip.mp4", "out.mp4", "--codec", "ffv1"], 3, ".mp4 takes h264"),
        (["clip.mp4", "out.mp4", "--start", "2", "--end", "1"], 2, "more than --start"),
        (["clip.mp4", "out.mp4", "--start", "50", "--model", "bicubic"], 3, "no frames"),
        (["clip.mp4", "out.mp4", "--resume", "--overwrite"], 2, "one of the two"),
        (["clip.mp4", "nowhere/out.mp4"], 4, "folder does not exist"),
        (["clip.mp4", "there.mp4"], 4, "it exists"),
        (["text.mp4", "out.mp4"], 3, "cannot read text.mp4"),
        (["clip.mp4", "out.mp4", "--raw", "4x4", "rgb24"], 2, "- and -"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    """With the exit code of whose fault it is, and no result."""
    monkeypatch.chdir(tmp_path)
    write_clip(Path("clip.mp4"))
    Path("there.mp4").write_bytes(b"mine")
    Path("text.mp4").write_text("not a clip " * 100, "utf-8")
    assert run("video", *words) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]
    assert not Path("out.mp4").exists()
    assert Path("there.mp4").read_bytes() == b"mine"


def test_raw_frames_through_pipes() -> None:
    """Frames in, frames out, the same as the library makes of each."""
    import upres

    frames = np.random.default_rng(1).integers(0, 256, (3, 36, 64, 3), np.uint8)
    done = _piped(frames.tobytes(), "64x36", "rgb24", "--model", "bicubic")
    assert done.returncode == 0
    large = np.frombuffer(done.stdout, np.uint8).reshape(3, 72, 128, 3)
    for frame, result in zip(frames, large, strict=True):
        assert np.array_equal(result, upres.enlarge(frame, scale=2, model="bicubic"))


def test_a_raw_stream_that_ends_inside_a_frame() -> None:
    """The whole frames are there; the end is an error that says where."""
    done = _piped(bytes(64 * 36 * 3 * 2 + 100), "64x36", "rgb24", "--model", "bicubic")
    assert done.returncode == 3
    assert b"ends inside frame 2, after 100 of its 6912 bytes" in done.stderr


@pytest.mark.parametrize("name", ["rgba", "gray", "rgb48le", "rgba64le", "gray16le"])
def test_other_raw_formats_keep_their_shape(name: str) -> None:
    """Planes and bytes a sample."""
    size = {"rgba": 4, "gray": 1, "rgb48le": 6, "rgba64le": 8, "gray16le": 2}[name]
    data = np.random.default_rng(2).integers(0, 256, 16 * 8 * size, np.uint8).tobytes()
    done = _piped(data, "16x8", name, "--model", "bicubic")
    assert done.returncode == 0
    assert len(done.stdout) == 4 * len(data)


def _piped(data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "upres", "video", "--raw", *words[:2], "-", "-", *words[2:]]
    return subprocess.run(command, input=data, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("90", 90), ("1.5", 1.5), ("1:30", 90), ("0:01:30.25", 90.25), ("2:00:00", 7200)],
)
def test_times(text: str, value: float) -> None:
    """Seconds, M:SS, H:MM:SS."""
    assert seconds(text, "--start") == value


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:", "1h", "nan", "1:2:3:4"])
def test_no_times(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidOption, match="H:MM:SS"):
        seconds(text, "--start")
