from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import (
    ClipRecipe,
    number_of,
    numbered,
    numbers_and_times,
    packets,
    shown_frames,
    write_clip,
)

from upres.errors import UnsupportedVideo
from upres.upscale.size import SizeRequest
from upres.video.clip import Stretch

Enlarge = Callable[..., tuple[Path, object]]
RESULTS = [
    "h264.mp4",
    "hevc.mp4",
    "hevc.mkv",
    "av1.mp4",
    "av1.webm",
    "vp9.webm",
    "ffv1.mkv",
    "h264.mov",
]


@pytest.mark.parametrize("name", RESULTS)
def test_every_frame_arrives_once_in_order_at_its_time(
    enlarge: Enlarge, tmp_path: Path, name: str
) -> None:
    """With B-frames in the source, and several segments in the result."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=40))
    output, _ = enlarge(clip, name, codec=name.partition(".")[0], segment_s=0.5)
    expected = [(number, Fraction(number, 25)) for number in range(40)]
    assert numbers_and_times(output) == expected
    assert shown_frames(output)[0][1].shape == (128, 192, 3)


def test_a_lossless_result_is_what_the_library_makes_of_each_frame(
    enlarge: Enlarge, tmp_path: Path
) -> None:
    """Pixel for pixel: nothing of the way through the pipeline shows."""
    import upres

    recipe = ClipRecipe(frames=5, codec="ffv1", pixel_format="bgr0", options={})
    clip = write_clip(tmp_path / "clip.mkv", recipe)
    output, _ = enlarge(clip, codec="ffv1")
    for number, (_, picture) in enumerate(shown_frames(output)):
        assert np.array_equal(picture, upres.enlarge(numbered(number), scale=2, model="bicubic"))


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_variable_frame_rate_keeps_every_time(
    enlarge: Enlarge, tmp_path: Path, container: str
) -> None:
    """Frames that come at odd moments stay at them, to the millisecond that Matroska has."""
    ticks = np.cumsum([0, 40, 40, 7, 133, 20, 400, 33, 33, 34, 1, 90]).tolist()
    recipe = ClipRecipe(frames=len(ticks), ticks=ticks, time_base=Fraction(1, 1000))
    clip = write_clip(tmp_path / f"clip.{container}", recipe)
    output, _ = enlarge(clip, f"out.{container}", segment_s=0.3)
    expected = [(number, Fraction(tick, 1000)) for number, tick in enumerate(ticks)]
    assert numbers_and_times(output) == expected


def test_a_rate_that_is_no_whole_number_does_not_drift(enlarge: Enlarge, tmp_path: Path) -> None:
    """30000/1001 frames a second, exactly."""
    rate = Fraction(30000, 1001)
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=60, rate=rate))
    output, _ = enlarge(clip, "out.mp4", segment_s=0.4)
    assert numbers_and_times(output) == [(number, number / rate) for number in range(60)]


@pytest.mark.parametrize(
    ("source", "output", "codec"),
    [
        ("mp4", "mp4", "aac"),
        ("mkv", "mkv", "flac"),
        ("mkv", "webm", "libopus"),
        ("mp4", "mkv", "aac"),
    ],
)
def test_sound_is_carried_byte_for_byte_at_its_time(
    enlarge: Enlarge, tmp_path: Path, source: str, output: str, codec: str
) -> None:
    """Not encoded anew, not moved; what MP4 keeps in an edit list included."""
    clip = write_clip(tmp_path / f"clip.{source}", ClipRecipe(sound=codec))
    made, _ = enlarge(clip, f"out.{output}", segment_s=0.5)
    before, after = packets(clip, "audio"), packets(made, "audio")
    assert [data for _, data in before] == [data for _, data in after]
    moved = {after[n][0] - before[n][0] for n in range(len(before))}
    video = packets(made, "video")
    shift = min(time for time, _ in video) - min(time for time, _ in packets(clip, "video"))
    assert max(abs(float(one - shift)) for one in moved) < 0.0015


def test_a_late_beginning_of_the_sound_stays_late(enlarge: Enlarge, tmp_path: Path) -> None:
    """Streams that do not begin together keep their distance."""
    recipe = ClipRecipe(sound="aac", sound_start_s=Fraction(3, 10))
    clip = write_clip(tmp_path / "clip.mp4", recipe)
    made, _ = enlarge(clip, "out.mp4")
    assert packets(made, "audio")[0][0] == packets(clip, "audio")[0][0]
    assert float(packets(clip, "audio")[0][0]) == pytest.approx(0.3 - 1024 / 48000, abs=0.002)


def test_metadata_languages_and_chapters_travel(enlarge: Enlarge, tmp_path: Path) -> None:
    """And the old container's own notes do not."""
    recipe = ClipRecipe(sound="aac", chapters=True, metadata={"title": "A day", "artist": "me"})
    clip = write_clip(tmp_path / "clip.mp4", recipe)
    for name in ("out.mkv", "out.mp4"):
        made, _ = enlarge(clip, name)
        with av.open(str(made)) as container:
            tags = {key.lower(): text for key, text in container.metadata.items()}
            assert tags["title"] == "A day"
            assert container.streams.audio[0].language == "deu"
            titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
            ends = [float(part["end"] * (part["time_base"] or 0)) for part in container.chapters()]
        assert titles == ["one", "two"]
        assert ends == pytest.approx([0.4, 1.2])


def test_a_turned_clip_comes_out_upright(enlarge: Enlarge, tmp_path: Path) -> None:
    """The pixels are turned; no player need know."""
    recipe = ClipRecipe(turned=90, pixel_aspect=Fraction(4, 3))
    clip = write_clip(tmp_path / "clip.mp4", recipe)
    made, _ = enlarge(clip, "out.mp4")
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        assert container.streams.video[0].sample_aspect_ratio == Fraction(3, 4)
        assert frame.rotation == 0
        assert (frame.width, frame.height) == (128, 192)
    pictures = [np.rot90(picture, -1) for _, picture in shown_frames(made)]
    assert [number_of(picture) for picture in pictures] == list(range(30))


@pytest.mark.parametrize("name", ["out.mp4", "out.webm"])
def test_pixels_that_are_not_square_are_shown_as_wide(
    enlarge: Enlarge, tmp_path: Path, name: str
) -> None:
    """Said in the stream where the codec can, made square where it cannot."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(pixel_aspect=Fraction(3, 2)))
    made, _ = enlarge(clip, name)
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        shown = stream.width * (stream.sample_aspect_ratio or 1) / stream.height
    assert shown == Fraction(96 * 3, 64 * 2)


@pytest.mark.parametrize(("name", "size"), [("h264.mp4", (106, 150)), ("ffv1.mkv", (105, 149))])
def test_odd_sides(enlarge: Enlarge, tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    """A codec that wants even sides gets a pixel more."""
    recipe = ClipRecipe(width=105, height=149, codec="ffv1", pixel_format="bgr0", options={})
    clip = write_clip(tmp_path / "clip.mkv", recipe)
    made, _ = enlarge(clip, name, codec=name.partition(".")[0], size=SizeRequest(factor=1))
    found = shown_frames(made)
    assert found[0][1].shape == (size[1], size[0], 3)
    assert [number_of(picture, width=105) for _, picture in found] == list(range(30))


def test_a_stretch_of_a_clip(enlarge: Enlarge, tmp_path: Path) -> None:
    """From the first frame at or after the start to the last one before the end, sound too."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=75, sound="aac"))
    made, _ = enlarge(clip, "out.mp4", stretch=Stretch(start_s=1.0, end_s=2.0))
    expected = [(number, Fraction(number - 25, 25)) for number in range(25, 50)]
    assert numbers_and_times(made) == expected
    times = [float(time) for time, _ in packets(made, "audio")]
    assert times[0] == pytest.approx(0, abs=0.022)
    assert times[-1] == pytest.approx(1, abs=0.022)


def test_what_a_container_cannot_hold_is_refused_before_anything_is_done(
    enlarge: Enlarge, tmp_path: Path
) -> None:
    """Sound is not left out in silence."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(sound="aac"))
    with pytest.raises(UnsupportedVideo, match=r"\.webm cannot hold audio stream 1 \(aac\); \.mkv"):
        enlarge(clip, "out.webm")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]
