from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clips import ClipRecipe, packets, write_clip

from upres.errors import UnsupportedVideo
from upres.video.clip import Stretch

Enlarge = Callable[..., tuple[Path, object]]

WORDS = """1
00:00:00,200 --> 00:00:00,600
Good morning

2
00:00:00,800 --> 00:00:01,100
<i>and good night</i>
"""


@pytest.fixture
def rich_clip(tmp_path: Path) -> Path:
    """Make a Matroska file with sound, subtitles and a font beside the pictures."""
    clip = write_clip(tmp_path / "plain.mkv", ClipRecipe(sound="flac", chapters=True))
    text = tmp_path / "words.srt"
    text.write_text(WORDS, "utf-8")
    path = tmp_path / "rich.mkv"
    with av.open(str(clip)) as source, av.open(str(text)) as words, av.open(str(path), "w") as rich:
        streams = {
            stream.index: rich.add_stream_from_template(stream, opaque=True)
            for stream in source.streams
        }
        subtitles = rich.add_stream_from_template(words.streams.subtitles[0], opaque=True)
        subtitles.metadata["language"] = "fra"
        rich.set_chapters(source.chapters())
        rich.add_attachment("letters.ttf", "font/ttf", bytes(range(256)))
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                rich.mux(packet)
        for packet in words.demux():
            if packet.size:
                packet.stream = subtitles
                rich.mux(packet)
    return path


def test_subtitles_and_attachments_are_carried(enlarge: Enlarge, rich_clip: Path) -> None:
    """Word for word, at their times, with their languages."""
    made, _ = enlarge(rich_clip, "out.mkv")
    assert packets(made, "subtitle") == packets(rich_clip, "subtitle")
    assert [data for _, data in packets(made, "audio")] == [
        data for _, data in packets(rich_clip, "audio")
    ]
    with av.open(str(made)) as container:
        assert container.streams.subtitles[0].language == "fra"
        attached = [stream for stream in container.streams if stream.type == "attachment"]
        assert [bytes(one.data) for one in attached] == [bytes(range(256))]
        assert attached[0].mimetype == "font/ttf"


def test_subtitles_that_mp4_cannot_hold_are_refused(enlarge: Enlarge, rich_clip: Path) -> None:
    """By name, with what can hold them."""
    with pytest.raises(UnsupportedVideo, match=r"subtitle stream 2 \(subrip\); \.mkv can"):
        enlarge(rich_clip, "out.mp4")


def test_a_stretch_has_its_own_subtitles_and_chapters(enlarge: Enlarge, rich_clip: Path) -> None:
    """Moved to where they are shown now."""
    made, _ = enlarge(rich_clip, "out.mkv", stretch=Stretch(start_s=0.6, end_s=1.2))
    ((time, data),) = packets(made, "subtitle")
    assert float(time) == pytest.approx(0.2, abs=0.002)
    assert data == b"<i>and good night</i>"
    with av.open(str(made)) as container:
        (chapter,) = container.chapters()
    assert chapter["metadata"]["title"] == "two"
    assert float(chapter["end"] * (chapter["time_base"] or 0)) == pytest.approx(0.6)


def test_a_cover_stays_a_cover(enlarge: Enlarge, tmp_path: Path) -> None:
    """It is not what is enlarged."""
    clip = write_clip(tmp_path / "plain.mp4")
    path = tmp_path / "covered.mp4"
    picture = tmp_path / "cover.png"
    with av.open(str(picture), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 40, 30, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((30, 40, 3), 200, np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with (
        av.open(str(clip)) as source,
        av.open(str(picture)) as cover,
        av.open(str(path), "w") as covered,
    ):
        film = covered.add_stream_from_template(source.streams.video[0], opaque=True)
        front = covered.add_stream_from_template(cover.streams.video[0], opaque=True)
        front.disposition = av.stream.Disposition.attached_pic
        for origin, target in ((source, film), (cover, front)):
            for packet in origin.demux(video=0):
                if packet.size:
                    packet.stream = target
                    covered.mux(packet)
    made, _ = enlarge(path, "out.mp4")
    with av.open(str(made)) as container:
        sizes = [(stream.width, stream.height) for stream in container.streams.video]
        covers = [
            bool(stream.disposition & av.stream.Disposition.attached_pic)
            for stream in container.streams.video
        ]
    assert sizes == [(192, 128), (40, 30)]
    assert covers == [False, True]


def test_hdr_metadata_that_cannot_be_carried_are_named(enlarge: Enlarge, tmp_path: Path) -> None:
    """Primaries and transfer are kept; the rest is said."""
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    recipe = ClipRecipe(
        frames=4,
        codec="libx265",
        pixel_format="yuv420p10le",
        options={"x265-params": f"log-level=error:{light}:max-cll=1000,400:hdr10=1"},
        tags=(9, 9, 16, 1),
    )
    clip = write_clip(tmp_path / "clip.mp4", recipe)
    made, outcome = enlarge(clip, "out.mp4")
    said = outcome.warnings  # type: ignore[attr-defined]
    assert any("mastering display cannot be carried" in words for words in said)
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (9, 9, 16)
        assert frame.format.name == "yuv420p10le"
