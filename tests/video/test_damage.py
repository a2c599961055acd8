from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import ClipRecipe, numbers_and_times, packets, sound_of, write_clip

from upres.errors import (
    Cancelled,
    DiskFull,
    PictureTooLarge,
    UnreadableVideo,
    UnsupportedVideo,
    UpresError,
)
from upres.image.limits import Limits
from upres.upscale.size import SizeRequest
from upres.video.clip import look_at
from upres.video.making import Progress
from upres.video.transcode import Outcome, Transcode, VideoOptions

Enlarge = Callable[..., tuple[Path, Outcome]]


def holed(path: Path, *, from_packet: int, packets_lost: int) -> None:
    """Overwrite some packets of a clip with noise, where they lie in the file."""
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(video=0) if packet.size]
        places = [(packet.pos, packet.size) for packet in found]
    data = bytearray(path.read_bytes())
    for position, size in places[from_packet : from_packet + packets_lost]:
        data[position : position + size] = np.random.default_rng(4).bytes(size)
    path.write_bytes(data)


def test_damaged_packets_are_skipped_counted_and_the_rest_keeps_its_times(
    enlarge: Enlarge, tmp_path: Path
) -> None:
    """Sound stays in step with what is left."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=75, sound="aac"))
    holed(clip, from_packet=30, packets_lost=4)
    made, outcome = enlarge(clip, "out.mp4")
    assert any("damaged" in words for words in outcome.warnings)
    right = {n for n, time in numbers_and_times(made) if time == Fraction(n, 25)}
    assert right >= {*range(24), *range(48, 75)}
    assert packets(made, "audio") == packets(clip, "audio")


def test_damage_before_a_run_was_stopped_is_told_by_the_one_that_goes_on(
    enlarge: Enlarge, tmp_path: Path
) -> None:
    """As if there had been one run; damage behind it is counted once, too."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=150))
    holed(clip, from_packet=14, packets_lost=3)
    holed(clip, from_packet=110, packets_lost=2)
    _, whole = enlarge(clip, "whole.mkv", segment_s=0.6)
    written = 0

    def progress(now: Progress) -> None:
        nonlocal written
        written = now.frames

    with pytest.raises(Cancelled):
        enlarge(clip, "out.mkv", segment_s=0.6, progress=progress, cancel=lambda: written >= 60)
    _, outcome = enlarge(clip, "out.mkv", segment_s=0.6, resume=True)
    assert outcome.resumed > 20
    assert whole.warnings
    assert outcome.warnings == whole.warnings


def test_or_they_stop_the_work(enlarge: Enlarge, tmp_path: Path) -> None:
    """When asked to, with the place."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=75))
    holed(clip, from_packet=30, packets_lost=4)
    with pytest.raises(UnreadableVideo, match=r"clip\.mp4: it is damaged at 1\.\d\d s"):
        enlarge(clip, "out.mp4", on_damage="stop")
    assert not (tmp_path / "out.mp4").exists()


def test_a_whole_clip_passes_when_damage_is_to_stop(enlarge: Enlarge, tmp_path: Path) -> None:
    """Strictness alone is no fault."""
    _, outcome = enlarge(write_clip(tmp_path / "clip.mp4"), "out.mp4", on_damage="stop")
    assert outcome.warnings == ()


def index_first(path: Path, target: Path) -> Path:
    """Rewrite an MP4 with its index in front."""
    with (
        av.open(str(path)) as source,
        av.open(str(target), "w", options={"movflags": "+faststart"}) as copy,
    ):
        stream = copy.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return target


def test_a_file_cut_short_is_told_of(enlarge: Enlarge, tmp_path: Path) -> None:
    """What is there is enlarged; or, when asked to, nothing is."""
    whole = write_clip(tmp_path / "whole.mp4", ClipRecipe(frames=150))
    clip = index_first(whole, tmp_path / "clip.mp4")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    made, outcome = enlarge(clip, "out.mp4")
    assert any("of the 6.0 s it should have" in words for words in outcome.warnings)
    found = numbers_and_times(made)
    assert 30 < len(found) < 120
    assert all(time == Fraction(number, 25) for number, time in found[:-2])
    with pytest.raises(UnreadableVideo):
        enlarge(clip, "stopped.mp4", on_damage="stop")


def test_a_file_without_its_index(enlarge: Enlarge, tmp_path: Path) -> None:
    """An MP4 whose end, with the index, is lost."""
    clip = write_clip(tmp_path / "clip.mp4")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(UnreadableVideo, match="no video file, or its index is missing"):
        enlarge(clip)


def test_sound_alone_is_no_video(enlarge: Enlarge, tmp_path: Path) -> None:
    """Nor is a cover."""
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(
            sound_of(0, 1024)[np.newaxis], format="fltp", layout="mono"
        )
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableVideo, match="it has no video stream"):
        enlarge(path)


@pytest.mark.parametrize("jump_s", [3 * 86400, 10**8])
def test_times_that_jump_absurdly(enlarge: Enlarge, tmp_path: Path, jump_s: int) -> None:
    """One clear error; no file of years of one frame."""
    ticks = [*range(0, 1200, 40), jump_s * 1000]
    recipe = ClipRecipe(frames=len(ticks), ticks=ticks, time_base=Fraction(1, 1000))
    clip = write_clip(tmp_path / "clip.mkv", recipe)
    with pytest.raises(UnreadableVideo, match=r"time stamps jump from 1\.160 s to"):
        enlarge(clip, segment_s=0.4)


def test_a_bare_stream_without_times(enlarge: Enlarge, tmp_path: Path) -> None:
    """Frames follow each other at the rate it names."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(options={"bf": "0", "crf": "10"}))
    bare = tmp_path / "bare.h264"
    with av.open(str(clip)) as source, av.open(str(bare), "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    made, _ = enlarge(bare, "out.mp4")
    found = numbers_and_times(made)
    assert [number for number, _ in found] == list(range(30))
    steps = {float(later[1] - sooner[1]) for sooner, later in pairwise(found)}
    assert steps == {0.04}


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile /etc/hostname\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    ],
)
def test_lists_of_other_files_are_not_followed(enlarge: Enlarge, tmp_path: Path, text: str) -> None:
    """A file that is sent must not read others."""
    path = tmp_path / "list.mp4"
    path.write_text(text, "utf-8")
    with pytest.raises((UnreadableVideo, UnsupportedVideo)):
        enlarge(path)


def test_a_file_whose_name_looks_like_an_address(enlarge: Enlarge, tmp_path: Path) -> None:
    """It is a file."""
    clip = write_clip(tmp_path / "clip.mp4")
    odd = clip.rename(tmp_path / "http:example.mp4")
    _, outcome = enlarge(odd)
    assert outcome.frames == 30


@pytest.mark.parametrize("seed", range(12))
def test_bytes_changed_at_random_give_a_result_or_one_error(
    enlarge: Enlarge, tmp_path: Path, seed: int
) -> None:
    """Whatever is hit: index, packets, names."""
    clip = write_clip(tmp_path / "clip.mkv", ClipRecipe(sound="aac", chapters=True))
    rng = np.random.default_rng(seed)
    data = bytearray(clip.read_bytes())
    for place in rng.integers(0, len(data), 20):
        data[place] = rng.integers(256)
    clip.write_bytes(data)
    try:
        made, outcome = enlarge(clip, "out.mkv")
    except UpresError as error:
        lines = str(error).splitlines()
    else:
        lines = ["done"]
        assert len(numbers_and_times(made)) == outcome.frames
    assert len(lines) == 1


def test_limits_are_checked_before_pixels(tmp_path: Path) -> None:
    """Of each picture in, and each picture out."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=3))
    with pytest.raises(PictureTooLarge, match="each picture has 6144 pixels, the limit is 6000"):
        look_at(clip, limits=Limits(input_pixels=6000))
    with pytest.raises(PictureTooLarge, match="result of 192x128"):
        Transcode(
            clip,
            tmp_path / "out.mp4",
            size=SizeRequest(factor=2),
            options=VideoOptions(),
            limits=Limits(output_pixels=20000),
        )


def test_a_disk_that_is_too_small_is_noticed_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the result may take, and the segments beside it."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=250))
    work = Transcode(
        clip,
        tmp_path / "out.mp4",
        size=SizeRequest(factor=4),
        options=VideoOptions(),
        limits=Limits(),
    )
    wanted = work.room_bytes()
    assert wanted is not None
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=wanted + 60 * 2**20))
    with pytest.raises(DiskFull, match="bytes are needed while it is made"):
        work.check_room()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=wanted + 70 * 2**20))
    work.check_room()


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "av1.mp4", "vp9.webm", "ffv1.mkv"])
def test_the_room_that_is_said_is_enough(enlarge: Enlarge, tmp_path: Path, name: str) -> None:
    """For a lively clip at the usual quality."""
    recipe = ClipRecipe(frames=50, width=192, height=128)
    clip = write_clip(tmp_path / "clip.mp4", recipe)
    codec = name.partition(".")[0]
    work = Transcode(
        clip,
        tmp_path / name,
        size=SizeRequest(factor=2),
        options=VideoOptions(codec=codec),  # type: ignore[arg-type]
        limits=Limits(),
    )
    made, outcome = enlarge(clip, name, codec=codec)
    assert 2 * outcome.bytes < (work.room_bytes() or 0)
    assert made.stat().st_size == outcome.bytes
