from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import ClipRecipe, numbers_and_times, packets, shown_frames, write_clip

from upres.errors import Cancelled, OutputNotWritable, UnreadableVideo
from upres.video.making import Progress
from upres.video.transcode import Outcome

Enlarge = Callable[..., tuple[Path, Outcome]]


class After:
    """Cancels when so many frames are written."""

    def __init__(self, frames: int) -> None:
        self._frames, self._done = frames, 0

    def progress(self, now: Progress) -> None:
        """Take note."""
        self._done = now.frames

    def cancel(self) -> bool:
        """Tell whether it is time."""
        return self._done >= self._frames


def interrupted(enlarge: Enlarge, clip: Path, name: str, *, after: int, **options: object) -> None:
    """Run until so many frames are written."""
    stop = After(after)
    with pytest.raises(Cancelled):
        enlarge(clip, name, progress=stop.progress, cancel=stop.cancel, **options)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1"])
def test_going_on_gives_the_very_same_packets(enlarge: Enlarge, tmp_path: Path, codec: str) -> None:
    """Interrupted in a later segment, continued, against a run in one go."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=150, sound="aac"))
    options = {"codec": codec, "segment_s": 0.6}
    whole, outcome = enlarge(clip, "whole.mkv", **options)
    assert outcome.resumed == 0
    interrupted(enlarge, clip, "out.mkv", after=50, **options)
    assert not (tmp_path / "out.mkv").exists()
    made, outcome = enlarge(clip, "out.mkv", resume=True, **options)
    assert 0 < outcome.resumed < outcome.frames == 150
    assert packets(made, "video") == packets(whole, "video")
    assert packets(made, "audio") == packets(whole, "audio")
    assert not (tmp_path / "out.mkv.upres").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"crf": "10", "g": "250"}, "one key frame for all"),
        ({"crf": "10", "g": "12", "x264-params": "open-gop=1:bframes=3"}, "open groups"),
        (
            {"crf": "10", "x264-params": "intra-refresh=1:keyint=20"},
            "no key frames after the first",
        ),
    ],
    ids=["one-gop", "open-gop", "intra-refresh"],
)
def test_going_on_in_streams_that_are_hard_to_enter(
    enlarge: Enlarge, tmp_path: Path, options: dict[str, str], why: str
) -> None:
    """Where entering at a key frame decodes otherwise, the clip is decoded from its beginning."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=150, options=options))
    whole, _ = enlarge(clip, "whole.mkv", codec="ffv1", segment_s=0.5)
    interrupted(enlarge, clip, "out.mkv", after=70, codec="ffv1", segment_s=0.5)
    made, outcome = enlarge(clip, "out.mkv", codec="ffv1", segment_s=0.5, resume=True)
    assert outcome.resumed > 0
    assert packets(made, "video") == packets(whole, "video"), why


def test_kill_9_and_go_on(tmp_path: Path) -> None:
    """The command, killed without a word, continues from its last finished segment."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=600, sound="aac"))
    words = ["--model", "bicubic", "--segment", "0.5", "--json"]
    command = [sys.executable, "-m", "upres", "video", str(clip)]
    subprocess.run([*command, str(tmp_path / "whole.mp4"), *words], check=True, capture_output=True)
    output = tmp_path / "out.mp4"
    work = tmp_path / "out.mp4.upres"
    process = subprocess.Popen(
        [*command, str(output), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (work / "000002.json").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    subprocess.run([*command, str(output), *words, "--resume"], check=True, capture_output=True)
    assert output.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not work.exists()


def test_unfinished_work_is_neither_lost_nor_taken_up_unasked(
    enlarge: Enlarge, tmp_path: Path
) -> None:
    """It is named, and stays."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100))
    interrupted(enlarge, clip, "out.mkv", after=60, segment_s=0.5)
    kept = sorted(path.name for path in (tmp_path / "out.mkv.upres").iterdir())
    with pytest.raises(OutputNotWritable, match="--resume continues it, --overwrite begins anew"):
        enlarge(clip, "out.mkv", segment_s=0.5)
    assert sorted(path.name for path in (tmp_path / "out.mkv.upres").iterdir()) == kept


def test_other_options_or_another_input_do_not_mix(enlarge: Enlarge, tmp_path: Path) -> None:
    """A segment made otherwise has no place in the result."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100))
    interrupted(enlarge, clip, "out.mkv", after=60, segment_s=0.5)
    with pytest.raises(OutputNotWritable, match="another input, other options"):
        enlarge(clip, "out.mkv", segment_s=0.5, crf=30, resume=True)
    write_clip(clip, ClipRecipe(frames=101))
    with pytest.raises(OutputNotWritable, match="another input, other options"):
        enlarge(clip, "out.mkv", segment_s=0.5, resume=True)


def test_a_damaged_segment_does_not_count(enlarge: Enlarge, tmp_path: Path) -> None:
    """What a full disk or a crash cut short is made again, with all behind it."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100))
    interrupted(enlarge, clip, "out.mkv", after=80, segment_s=0.5)
    second = tmp_path / "out.mkv.upres" / "000001.mkv"
    second.write_bytes(second.read_bytes()[:-10])
    made, outcome = enlarge(clip, "out.mkv", segment_s=0.5, resume=True)
    assert outcome.resumed == 13
    assert [number for number, _ in numbers_and_times(made)] == list(range(100))


def test_resume_with_nothing_begun_begins(enlarge: Enlarge, tmp_path: Path) -> None:
    """A script may always say --resume."""
    clip = write_clip(tmp_path / "clip.mp4")
    made, outcome = enlarge(clip, "out.mkv", resume=True)
    assert outcome.resumed == 0
    assert len(shown_frames(made)) == 30


def test_a_clip_that_vanished_meanwhile_leaves_the_work(enlarge: Enlarge, tmp_path: Path) -> None:
    """An error of the second run loses nothing of the first."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100))
    interrupted(enlarge, clip, "out.mkv", after=60, segment_s=0.5)
    kept = shutil.copy(clip, tmp_path / "kept.mp4")
    clip.write_bytes(clip.read_bytes()[:200])
    with pytest.raises(UnreadableVideo):
        enlarge(clip, "out.mkv", segment_s=0.5, resume=True)
    shutil.copy(kept, clip)
    _, outcome = enlarge(clip, "out.mkv", segment_s=0.5, resume=True)
    assert outcome.resumed > 0


def test_cancelling_takes_less_than_a_second(enlarge: Enlarge, tmp_path: Path) -> None:
    """From the wish to the end of the call."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=300))
    wished: list[float] = []

    def cancel() -> bool:
        wished.append(time.monotonic())
        return len(wished) > 3

    with pytest.raises(Cancelled):
        enlarge(clip, "out.mkv", cancel=cancel)
    assert time.monotonic() - wished[-1] < 1


def test_a_run_that_finished_no_segment_leaves_nothing(enlarge: Enlarge, tmp_path: Path) -> None:
    """And one that was killed that early is begun anew without being asked."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100))
    with pytest.raises(Cancelled):
        enlarge(clip, "out.mkv", cancel=lambda: True)
    assert not (tmp_path / "out.mkv.upres").exists()
    work = tmp_path / "out.mkv.upres"
    work.mkdir()
    for name in ("plan.json", "part.mkv", "lock"):
        (work / name).write_bytes(b"half")
    _, outcome = enlarge(clip, "out.mkv")
    assert outcome.resumed == 0
    assert not work.exists()


def test_two_runs_do_not_make_one_result(enlarge: Enlarge, tmp_path: Path) -> None:
    """The second is told of the first, and does it no harm."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100))
    told: list[str] = []

    def meanwhile(_: Progress) -> None:
        if not told:
            with pytest.raises(OutputNotWritable, match="another run is making it") as caught:
                enlarge(clip, "out.mkv", resume=True)
            told.append(str(caught.value))

    _, outcome = enlarge(clip, "out.mkv", progress=meanwhile)
    assert told
    assert outcome.frames == 100


def test_what_lies_in_the_work_folder_and_is_not_ours_stays(
    enlarge: Enlarge, tmp_path: Path
) -> None:
    """A folder of that name may be somebody's."""
    clip = write_clip(tmp_path / "clip.mp4")
    work = tmp_path / "out.mkv.upres"
    work.mkdir()
    (work / "letter.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputNotWritable, match="has other files in it"):
        enlarge(clip, "out.mkv")
    assert (work / "letter.txt").read_text("utf-8") == "mine"
    assert not (tmp_path / "out.mkv").exists()
