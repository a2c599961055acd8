"""The one picture of a child: read, decoded, and sent, in a process that is already confined."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import OutOfMemory, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from upres.image.decode import Decoder
from upres.image.limits import Limits
from upres.image.vips import libvips
from upres.sandbox import wire

if TYPE_CHECKING:
    from upres.image.picture import Header, Metadata, Rows

NAME = "picture"
"""Children are not told the names of files; errors without it are only reasons."""
PREFIXES = {
    UnreadablePicture: f"cannot read {NAME}: ",
    UnsupportedPicture: f"{NAME} is not supported: ",
    PictureTooLarge: f"{NAME} is too large: ",
}
"""What stands before the reason in the text of each error."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a child is given to work on."""

    input: int
    """Descriptor of the file."""
    output: int
    """Descriptor of the pipe."""
    request: dict[str, Any]
    posture: dict[str, bool]


def preload() -> None:
    """Import whatever decoding needs, so that children find it and open nothing; decode nothing."""
    from PIL import BmpImagePlugin, GimpGradientFile, GimpPaletteFile, PaletteFile  # noqa: F401

    libvips()


def work(job: Job) -> None:
    """Do what the request's `task` says: tell the posture, or the header, or decode."""
    try:
        if job.request["task"] == "posture":
            wire.send_json(job.output, wire.HEADER, job.posture)
        else:
            _decode(job)
    except (MemoryError, OutOfMemory):
        wire.send_json(job.output, wire.FAILURE, {"code": OutOfMemory.code, "reason": ""})
    except (UnreadablePicture, UnsupportedPicture, PictureTooLarge) as error:
        reason = str(error).removeprefix(PREFIXES[type(error)])[: wire.REASON_CHARACTERS]
        wire.send_json(job.output, wire.FAILURE, {"code": error.code, "reason": reason})
    except Exception as error:  # noqa: BLE001
        reason = f"the decoder gave up ({type(error).__name__})"
        wire.send_json(job.output, wire.FAILURE, {"code": UnreadablePicture.code, "reason": reason})


def _decode(job: Job) -> None:
    limits = Limits(**job.request["picture_limits"])
    decoder = Decoder(_whole(job.input, job.request["bytes"]), name=NAME)
    limits.check_input(decoder.header, name=NAME)
    early = list(decoder.warnings)
    metadata = decoder.metadata if job.request["fields"] else decoder.metadata.stripped()
    _send_header(job.output, decoder.header, metadata, early)
    if job.request["task"] == "header":
        return
    for bands in decoder.frames():
        for rows in bands:
            _send_rows(job.output, rows)
    late = [text for text in decoder.warnings if text not in early]
    wire.send_json(job.output, wire.END, {"warnings": _cut(late)})


def _whole(file: int, size: int) -> bytes:
    """Return a file's bytes, fewer than `size` if it has become shorter."""
    parts: list[bytes] = []
    at = 0
    while at < size and (part := os.pread(file, size - at, at)):
        parts.append(part)
        at += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _send_header(output: int, header: Header, metadata: Metadata, warnings: list[str]) -> None:
    profile = metadata.icc or b""
    if len(profile) > wire.PROFILE_BYTES:
        raise PictureTooLarge(
            NAME,
            what="its colour profile has",
            value=len(profile),
            limit=wire.PROFILE_BYTES,
            unit="bytes",
        )
    values: dict[str, str | bytes] = {name: value for name, (_, value) in metadata.fields.items()}
    parts = [value.encode() if isinstance(value, str) else value for value in values.values()]
    if len(parts) > wire.FIELDS or sum(map(len, parts)) > wire.FIELD_BYTES:
        warnings = [*warnings, "its EXIF, XMP and IPTC are too much: left out"]
        values, parts = {}, []
    kinds = ["text" if isinstance(value, str) else "bytes" for value in values.values()]
    layout, animation = header.layout, header.animation
    content = {
        "format": header.format,
        "width": layout.width,
        "height": layout.height,
        "gray": layout.gray,
        "alpha": layout.alpha,
        "bits": layout.bits,
        "frames": header.frames,
        "delays_ms": None if animation is None else list(animation.delays_ms),
        "loop": None if animation is None else animation.loop,
        "pixels_per_mm": metadata.pixels_per_mm,
        "profile_bytes": len(profile),
        "fields": [
            [name, kind, len(part)] for name, kind, part in zip(values, kinds, parts, strict=True)
        ],
        "warnings": _cut(warnings),
    }
    wire.send_json(output, wire.HEADER, content)
    if profile or parts:
        wire.send(output, wire.ATTACHMENTS, b"".join([profile, *parts]))


def _send_rows(output: int, rows: Rows) -> None:
    step = max(1, wire.BAND_BYTES // rows[0].nbytes)
    for top in range(0, len(rows), step):
        wire.send(output, wire.BAND, np.ascontiguousarray(rows[top : top + step]).data)


def _cut(warnings: list[str]) -> list[str]:
    return [text[: wire.REASON_CHARACTERS] for text in warnings[: wire.WARNINGS]]
