"""Clips made for tests: each frame carries its number in blocks, the sound clicks twice a second.

The number is drawn as twelve black or white blocks in a row, so it survives any codec and scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 8
BITS = 12
WIDTH, HEIGHT = BLOCK_PX * BITS, 64
SOUND_HZ = 48_000
CLICK_S = Fraction(1, 2)

Picture = NDArray[np.uint8] | NDArray[np.uint16]


def numbered(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Draw a frame (height, width, 3): a drifting pattern, and its number in the top rows."""
    y, x = np.mgrid[:height, :width]
    picture = np.stack([x * 2 + number, y * 3 + 40, (x + y) + number * 2], axis=-1) % 200 + 20
    for bit in range(BITS):
        white = 235 if number >> bit & 1 else 16
        picture[:BLOCK_PX, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = white
    return picture.astype(np.uint8)


def number_of(picture: Picture, *, width: int = WIDTH) -> int:
    """Read a frame's number back, at whatever scale."""
    scale = picture.shape[1] / width
    row = picture[int(BLOCK_PX * scale / 2)].mean(axis=-1) / np.iinfo(picture.dtype).max
    centres = [int((bit + 0.5) * BLOCK_PX * scale) for bit in range(BITS)]
    return sum(1 << bit for bit, centre in enumerate(centres) if row[centre] > 0.5)


@dataclass(frozen=True, kw_only=True)
class ClipRecipe:
    """What a test clip is made of."""

    frames: int = 30
    rate: Fraction = Fraction(25)
    width: int = WIDTH
    height: int = HEIGHT
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "10", "g": "12"})
    ticks: Sequence[int] | None = None
    """Time of every frame in `time_base`, 1 / rate by default; rising."""
    time_base: Fraction | None = None
    sound: str | None = None
    """A codec for the sound."""
    sound_start_s: Fraction = Fraction(0)
    chapters: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    pixel_aspect: Fraction | None = None
    turned: int | None = None
    """Degrees against the clock that a player turns the picture by."""
    tags: tuple[int, int, int, int] | None = None
    """Matrix, primaries, transfer as in H.273, and range: 1 limited, 2 full."""
    draw: Callable[[int], Picture] | None = None
    """What a frame looks like; `numbered` by default. (H, W, 3 or 4), 8 or 16 bit."""


def write_clip(path: Path, recipe: ClipRecipe | None = None) -> Path:
    """Make a clip."""
    recipe = recipe or ClipRecipe()
    with av.open(str(path), "w") as container:
        container.metadata.update(recipe.metadata)
        stream = _video(container, recipe)
        sound = None
        if recipe.sound:
            sound = container.add_stream(recipe.sound, rate=SOUND_HZ)
            sound.metadata["language"] = "deu"
        if recipe.chapters:
            container.set_chapters(_chapters())
        for number in range(recipe.frames):
            container.mux(stream.encode(_frame(stream, recipe, number)))
        container.mux(stream.encode(None))
        if sound is not None:
            _write_sound(container, sound, recipe)
    return path


def _video(container: Any, recipe: ClipRecipe) -> Any:
    stream = container.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
    stream.width, stream.height = recipe.width, recipe.height
    stream.pix_fmt = recipe.pixel_format
    stream.codec_context.time_base = recipe.time_base or 1 / recipe.rate
    if recipe.pixel_aspect:
        stream.codec_context.sample_aspect_ratio = recipe.pixel_aspect
    if recipe.turned is not None:
        stream.set_display_rotation(recipe.turned)
    if recipe.tags:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = (
            recipe.tags
        )
    return stream


def _frame(stream: Any, recipe: ClipRecipe, number: int) -> av.VideoFrame:
    if recipe.draw is not None:
        picture = recipe.draw(number)
    else:
        picture = numbered(number, width=recipe.width, height=recipe.height)
    wide, alpha = picture.dtype == np.uint16, picture.shape[2] == 4
    name = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le"}[wide, alpha]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), name)
    matrix = recipe.tags[0] if recipe.tags else 6
    frame = frame.reformat(
        format=recipe.pixel_format,
        dst_colorspace={1: 1, 9: 9}.get(matrix, 5),
        src_color_range=2,
        dst_color_range=recipe.tags[3] if recipe.tags else 1,
    )
    frame.pts = number if recipe.ticks is None else recipe.ticks[number]
    frame.time_base = stream.codec_context.time_base
    return frame


def _write_sound(container: Any, stream: Any, recipe: ClipRecipe) -> None:
    total, size = int(recipe.frames / recipe.rate * SOUND_HZ), 1024
    for start in range(0, total, size):
        samples = sound_of(start, min(size, total - start))[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = SOUND_HZ, Fraction(1, SOUND_HZ)
        frame.pts = start + int(recipe.sound_start_s * SOUND_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def sound_of(start: int, count: int) -> NDArray[np.float32]:
    """Return some samples of a quiet tone with a loud click every `CLICK_S`."""
    place = np.arange(start, start + count)
    samples = 0.05 * np.sin(2 * np.pi * 440 * place / SOUND_HZ)
    samples[place % int(CLICK_S * SOUND_HZ) == 0] = 0.9
    return samples.astype(np.float32)


def _chapters() -> list[Any]:
    base = Fraction(1, 1000)
    return [
        {"id": 1, "start": 0, "end": 400, "time_base": base, "metadata": {"title": "one"}},
        {"id": 2, "start": 400, "end": 1200, "time_base": base, "metadata": {"title": "two"}},
    ]


def shown_frames(path: Path) -> list[tuple[Fraction, Picture]]:
    """Decode a clip: when each frame is shown, in seconds, and its samples."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            found.append((frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")))
    return found


def numbers_and_times(path: Path, *, width: int = WIDTH) -> list[tuple[int, Fraction]]:
    """Read every frame's number and time, in the order of showing."""
    return [(number_of(picture, width=width), time) for time, picture in shown_frames(path)]


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Return the packets of a file's first stream of a kind: time in seconds, and bytes."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]
