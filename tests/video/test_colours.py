from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import ClipRecipe, Picture, numbered, shown_frames, write_clip
from numpy.typing import NDArray

from upres.errors import UnsupportedVideo
from upres.image.limits import Limits
from upres.video.clip import frames_of, look_at
from upres.video.frames import Damage

Enlarge = Callable[..., tuple[Path, object]]

WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Of R and B in luma, by the matrix's number in H.273."""
PATCHES = np.array(
    [[200, 30, 30], [30, 180, 40], [20, 40, 220], [235, 235, 235], [16, 16, 16], [250, 220, 20]],
    np.uint8,
)


def planes_of(rgb: NDArray[np.uint8], matrix: int, *, full: bool) -> NDArray[np.uint8]:
    """Return Y, Cb, Cr by the formulas of H.273."""
    k_r, k_b = WEIGHTS[matrix]
    r, g, b = (rgb[..., plane] / 255 for plane in range(3))
    y = k_r * r + (1 - k_r - k_b) * g + k_b * b
    c_b, c_r = (b - y) / 2 / (1 - k_b), (r - y) / 2 / (1 - k_r)
    if full:
        levels = [y * 255, c_b * 255 + 128, c_r * 255 + 128]
    else:
        levels = [16 + 219 * y, 128 + 224 * c_b, 128 + 224 * c_r]
    return np.stack([np.clip(np.round(level), 0, 255) for level in levels]).astype(np.uint8)


def patches(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Return a picture of six plain colours beside each other."""
    return np.repeat(np.repeat(PATCHES[np.newaxis], width // 6, axis=1), height, axis=0)


def write_patches(path: Path, *, matrix: int, full: bool, tagged: bool = True) -> Path:
    """Write a clip of plain colours whose samples are computed here, not by FFmpeg."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        context = stream.codec_context
        if tagged:
            context.colorspace, context.color_range = matrix, 2 if full else 1
            context.color_primaries, context.color_trc = {1: (1, 1), 6: (6, 6), 9: (9, 16)}[matrix]
        frame = av.VideoFrame(96, 64, "yuv444p")
        for plane, values in zip(
            frame.planes, planes_of(patches(), matrix, full=full), strict=True
        ):
            lines = np.zeros((64, plane.line_size), np.uint8)
            lines[:, :96] = values
            plane.update(lines.tobytes())
        for number in range(4):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def samples_of(path: Path) -> NDArray[np.uint8]:
    """Return a clip's first frame as upres sees it."""
    clip = look_at(path, limits=Limits())
    frame = next(iter(frames_of(clip, path, on_damage="stop", damage=Damage())))
    return np.asarray(frame.samples)


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
def test_matrix_and_range_are_used_on_the_way_in(
    tmp_path: Path, matrix: int, *, full: bool
) -> None:
    """The colours drawn are the colours seen."""
    seen = samples_of(write_patches(tmp_path / "clip.mkv", matrix=matrix, full=full))
    assert np.abs(seen.astype(int) - patches()).max() <= 2


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mkv", "vp9.webm", "av1.mp4"])
def test_and_on_the_way_out_where_they_are_said_again(
    enlarge: Enlarge, tmp_path: Path, name: str, matrix: int, *, full: bool
) -> None:
    """Tags as in the source, samples that mean the same by them."""
    clip = write_patches(tmp_path / "clip.mkv", matrix=matrix, full=full)
    made, _ = enlarge(clip, name, codec=name.partition(".")[0], crf=4)
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        tags = (frame.colorspace, frame.color_primaries, frame.color_trc)
        y = np.frombuffer(frame.planes[0], np.uint8).reshape(128, -1)[:, :192]
        frame_range = frame.color_range
    assert tags == {1: (1, 1, 1), 6: (6, 6, 6), 9: (9, 9, 16)}[matrix]
    assert frame_range == (2 if full else 1)
    expected = planes_of(patches(192, 128), matrix, full=full)[0]
    centres = slice(16, None, 32)
    assert np.abs(y[64, centres].astype(int) - expected[64, centres]).max() <= 3


@pytest.mark.parametrize(("height", "matrix"), [(64, 6), (640, 1)])
def test_a_clip_that_says_nothing_is_taken_as_players_take_it(
    enlarge: Enlarge, tmp_path: Path, height: int, matrix: int
) -> None:
    """And the result says it: enlarged, it would be taken otherwise."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=3, height=height))
    made, _ = enlarge(clip, "out.mp4")
    with av.open(str(made)) as container:
        assert container.streams.video[0].codec_context.colorspace == matrix


def gradient(_: int) -> NDArray[np.uint16]:
    """Draw a ramp with more than 256 levels."""
    ramp = np.linspace(0, 65535, 400).astype(np.uint16)
    return np.repeat(np.tile(ramp, (16, 1))[..., np.newaxis], 3, axis=-1)


def deep_clip(path: Path) -> Path:
    """Write a 10-bit clip."""
    recipe = ClipRecipe(
        frames=4, width=400, height=16, codec="ffv1", pixel_format="gbrp10le", options={},
        draw=gradient,
    )  # fmt: skip
    return write_clip(path, recipe)


def test_ten_bits_in_are_ten_bits_out(enlarge: Enlarge, tmp_path: Path) -> None:
    """As the library enlarges 16-bit samples, rounded to ten."""
    import upres

    clip = deep_clip(tmp_path / "clip.mkv")
    made, _ = enlarge(clip, "out.mkv", codec="ffv1")
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "gbrp10le"
        found = frame.to_ndarray(format="rgb48le")
    assert len(np.unique(found)) > 300
    source = samples_of(clip)
    assert source.dtype == np.uint16
    expected = upres.enlarge(source, scale=2, model="bicubic")
    assert np.abs(found.astype(int) - expected).max() <= 65535 / 1023


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [("out.mp4", None, "yuv420p10le"), ("out.mp4", "h264", "yuv420p10le"),
     ("out.webm", None, "yuv420p10le")],
)  # fmt: skip
def test_ten_bits_in_codecs_with_loss(
    enlarge: Enlarge, tmp_path: Path, name: str, codec: str | None, pixel_format: str
) -> None:
    """HEVC by default, because players know it."""
    made, _ = enlarge(deep_clip(tmp_path / "clip.mkv"), name, codec=codec)
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == pixel_format
        luma = np.frombuffer(frame.planes[0], np.uint16)
    assert len(np.unique(luma)) > 300


def test_ten_bits_are_not_made_eight_in_silence(enlarge: Enlarge, tmp_path: Path) -> None:
    """The VP9 encoder here has eight."""
    with pytest.raises(UnsupportedVideo, match=r"vp9 in \.webm holds none"):
        enlarge(deep_clip(tmp_path / "clip.mkv"), "out.webm", codec="vp9")


def see_through(number: int) -> NDArray[np.uint8]:
    """Draw a numbered frame that is opaque at the left and clear at the right."""
    alpha = np.repeat(np.linspace(255, 0, 96)[np.newaxis], 64, axis=0).astype(np.uint8)
    return np.dstack([numbered(number), alpha])


def alpha_clip(path: Path) -> Path:
    """Write a clip with transparency."""
    recipe = ClipRecipe(frames=6, codec="ffv1", pixel_format="bgra", options={}, draw=see_through)
    return write_clip(path, recipe)


def test_transparency_without_loss(enlarge: Enlarge, tmp_path: Path) -> None:
    """As the library enlarges each frame."""
    import upres

    made, _ = enlarge(alpha_clip(tmp_path / "clip.mkv"), "out.mkv", codec="ffv1")
    with av.open(str(made)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            expected = upres.enlarge(see_through(number), scale=2, model="bicubic")
            assert np.array_equal(frame.to_ndarray(format="rgba"), expected)


def test_transparency_in_webm_and_back(enlarge: Enlarge, tmp_path: Path) -> None:
    """Written by VP9 beside the picture, and read again by upres."""
    made, _ = enlarge(alpha_clip(tmp_path / "clip.mkv"), "out.webm", crf=4)
    again, _ = enlarge(made, "again.mkv", codec="ffv1")
    first, second = samples_of(made)[..., 3], samples_of(again)[..., 3]
    assert np.abs(first[64].astype(int) - np.linspace(255, 0, 192)).max() < 6
    assert np.abs(second[128].astype(int) - np.linspace(255, 0, 384)).max() < 8


def test_transparency_is_not_dropped_in_silence(enlarge: Enlarge, tmp_path: Path) -> None:
    """MP4 has none here."""
    with pytest.raises(UnsupportedVideo, match=r"transparency.*--codec vp9 with \.webm or ffv1"):
        enlarge(alpha_clip(tmp_path / "clip.mkv"), "out.mp4")


def moving_fields(number: int) -> NDArray[np.uint8]:
    """Draw two moments in the odd and even lines of a frame, a bar that moves."""
    picture = numbered(number)
    for field in (0, 1):
        left = 10 + (2 * number + field) * 4 % 60
        picture[8 + field :: 2] = 40
        picture[8 + field :: 2, left : left + 12] = 220
    return picture


def test_interlaced_clips_are_deinterlaced_and_it_is_said(enlarge: Enlarge, tmp_path: Path) -> None:
    """Every frame still there; no comb at moving edges."""
    recipe = ClipRecipe(draw=moving_fields, options={"crf": "4", "x264-params": "tff=1", "g": "12"})
    clip = write_clip(tmp_path / "clip.mp4", recipe)
    made, outcome = enlarge(clip, "out.mkv", codec="ffv1", segment_s=0.4)
    assert any("interlaced" in words for words in outcome.warnings)  # type: ignore[attr-defined]
    found = shown_frames(made)
    assert [time for time, _ in found] == [Fraction(number * 40, 1000) for number in range(30)]
    plain: list[Picture] = [moving_fields(number) for number in range(30)]
    assert _comb([picture[::2, ::2] for _, picture in found][5:25]) < 0.4 * _comb(plain[5:25])


def _comb(pictures: Sequence[Picture]) -> float:
    """Measure how much lines differ from both of their neighbours in the same direction."""
    total = 0.0
    for picture in pictures:
        lines = picture[16:48].mean(axis=-1)
        above, below = lines[1:-1] - lines[:-2], lines[1:-1] - lines[2:]
        total += float(np.sqrt(np.clip(above * below, 0, None)).mean())
    return total
