"""Opening video files: FFmpeg's errors in upres's words, and nothing but files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from upres.errors import (
    DiskFull,
    InputNotReadable,
    OutputNotWritable,
    UnreadableVideo,
    UnsupportedVideo,
    UpresError,
)
from upres.image.files import lacks_room

_PROTOCOLS = {"protocol_whitelist": "file"}
"""A playlist inside a file must not lead anywhere else."""
_PLAYLISTS = {"hls", "dash", "concat", "concatf", "sdp", "rtsp", "imf", "webm_dash_manifest"}
"""Formats that are lists of other files."""


@contextmanager
def opened(file: Path | BinaryIO, *, name: str | None = None) -> Iterator[InputContainer]:
    """Open a video file, or what reads one; raises InputNotReadable and UnreadableVideo."""
    quiet()
    target: Any = file
    if isinstance(file, Path):
        name = name or file.name
        _check_readable(file)
        # the colon of a protocol in a file's name is not one when the path is absolute
        target = f"file:{file.absolute()}"
    else:
        file.seek(0)
    name = name or "clip"
    try:
        container = av.open(target, "r", options=dict(_PROTOCOLS))
    except av.error.InvalidDataError as error:
        reason = "it is no video file, or its index is missing"
        raise UnreadableVideo(name, reason) from error
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise UnreadableVideo(name, _words(error)) from error
    with container:
        if _PLAYLISTS & set(container.format.name.split(",")):
            raise UnsupportedVideo(name, "it is a list of other files")
        yield container


def quiet() -> None:
    """Keep FFmpeg from writing to standard error."""
    av.logging.set_level(None)
    logging.getLogger("libav").setLevel(logging.CRITICAL)


def _check_readable(path: Path) -> None:
    """Raise InputNotReadable for what is no file, or may not be read."""
    if not path.is_file():
        raise InputNotReadable(path, "it is a folder" if path.is_dir() else "no such file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputNotReadable(path, _words(error)) from error


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).lower()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in upres's words why a file could not be written."""
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        if isinstance(error, UpresError):
            raise
        # FFmpeg's errors of a full disk are no OSError
        if lacks_room(OSError(error.errno, "")):
            raise DiskFull(path) from error
        raise OutputNotWritable(path, _words(error)) from error


def picture_stream(container: InputContainer, *, name: str) -> VideoStream:
    """Return the stream that is enlarged: the first video that is no cover art."""
    for stream in container.streams.video:
        if not is_cover(stream):
            return stream
    raise UnreadableVideo(name, "it has no video stream")


def is_cover(stream: av.stream.Stream) -> bool:
    """Tell whether a stream is a picture attached to the file."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
