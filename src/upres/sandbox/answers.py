"""What children say, held to what it may be: the service's side believes nothing else.

Nothing is unpickled. A number is in its range or the answer is Garbage, a list has its length, a
text is cut and cleaned, an error is one of four.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from upres.errors import (
    OutOfMemory,
    PictureTooLarge,
    UnreadablePicture,
    UnsupportedPicture,
    UpresError,
)
from upres.image.metadata import profile_fits, sound_profile
from upres.image.picture import Animation, Header, InputFormat, Layout, Metadata
from upres.image.vips import libvips
from upres.sandbox import wire
from upres.sandbox.limits import POSTURE

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 2**31 - 1
_DEPTHS = (8, 16)
_PIXELS_PER_MM = (1e-6, 1e6)
_FIELD = re.compile(r"exif-ifd[0-9]-[A-Za-z0-9_.-]{1,100}|exif-data|xmp-data|iptc-data")
TOO_LARGE = re.compile(r"(.{1,200}?) (\d{1,20}) ([\w ]{1,40}), the limit is (\d{1,20})", re.ASCII)


class Garbage(Exception):
    """An answer that no honest child gives; the text says what is wrong, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What the header's frame says."""

    header: Header
    pixels_per_mm: tuple[float, float] | None
    profile_bytes: int
    fields: tuple[tuple[str, str, int], ...]
    """Name, "text" or "bytes", length."""
    warnings: list[str]

    @property
    def attachment_bytes(self) -> int:
        """The length of the frame that must follow; 0 for none."""
        return self.profile_bytes + sum(length for _, _, length in self.fields)


def announced(body: bytes, *, fields: bool) -> Announcement:
    """Read the header's frame; raises Garbage. `fields` tells whether any were asked for."""
    content = Content.of(body)
    layout = Layout(
        width=content.number("width", 1, _MOST),
        height=content.number("height", 1, _MOST),
        gray=content.truth("gray"),
        alpha=content.truth("alpha"),
        bits=cast("Any", content.one_of("bits", _DEPTHS)),
    )
    frames = content.number("frames", 1, _MOST)
    announcement = Announcement(
        header=Header(
            format=cast("InputFormat", content.one_of("format", get_args(InputFormat))),
            layout=layout,
            frames=frames,
            animation=_animation(content, frames),
        ),
        pixels_per_mm=_density(content.get("pixels_per_mm")),
        profile_bytes=content.number("profile_bytes", 0, wire.PROFILE_BYTES),
        fields=_fields(content.get("fields"), most=wire.FIELDS if fields else 0),
        warnings=_texts(content.get("warnings")),
    )
    content.check_all_read()
    return announcement


def metadata(announcement: Announcement, attachments: bytes) -> Metadata:
    """Return what travels with the picture, of the frame of attachments; raises Garbage."""
    profile = attachments[: announcement.profile_bytes]
    if profile:
        gray = announcement.header.layout.gray
        if sound_profile(profile) != profile or not profile_fits(profile, gray=gray):
            raise Garbage("a profile that is none")
    fields: dict[str, tuple[Any, str | bytes]] = {}
    at = announcement.profile_bytes
    for name, kind, length in announcement.fields:
        value = attachments[at : at + length]
        at += length
        # libvips' numbers of its types are other ones in each process
        types = libvips().GValue
        if kind == "text":
            fields[name] = (types.refstr_type, _field_text(value))
        else:
            fields[name] = (types.blob_type, value)
    return Metadata(icc=profile or None, pixels_per_mm=announcement.pixels_per_mm, fields=fields)


def ending(body: bytes) -> list[str]:
    """Return the warnings of the last frame; raises Garbage."""
    content = Content.of(body)
    warnings = _texts(content.get("warnings"))
    content.check_all_read()
    return warnings


def failure(body: bytes, *, name: str, memory_bytes: int) -> UpresError:
    """Return the error that a child met with the picture `name`; raises Garbage."""
    content = Content.of(body)
    code, reason = content.get("code"), _text(content.get("reason"))
    content.check_all_read()
    match code:
        case UnreadablePicture.code:
            return UnreadablePicture(name, reason)
        case UnsupportedPicture.code:
            return UnsupportedPicture(name, reason)
        case OutOfMemory.code:
            return takes_too_much(name, memory_bytes // 2**20, "MiB of memory")
        case PictureTooLarge.code if found := TOO_LARGE.fullmatch(reason):
            what, value, unit, limit = found.groups()
            return PictureTooLarge(name, what=what, value=int(value), limit=int(limit), unit=unit)
    raise Garbage("an error that it cannot have met")


def posture(body: bytes) -> dict[str, bool]:
    """Return what holds for a child; raises Garbage."""
    content = Content.of(body)
    held = {name: content.truth(name) for name in POSTURE}
    content.check_all_read()
    return held


def takes_too_much(name: str, limit: int, unit: str) -> PictureTooLarge:
    """Return the error of a picture whose decoding passes what a child may use."""
    return PictureTooLarge(
        name, what="to decode it takes more than", value=limit, limit=limit, unit=unit
    )


class Content:
    """The members of a JSON object, each of which must be read, and no other be there."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    @classmethod
    def of(cls, body: bytes | bytearray) -> Content:
        """Read JSON; raises Garbage, as every method does."""
        return cls(_json(body))

    def get(self, name: str) -> Any:
        """Return a member, whatever it is."""
        if name not in self._members:
            raise Garbage(f"no {name}")
        return self._members.pop(name)

    def number(self, name: str, least: int, most: int) -> int:
        """Return a whole number in that range."""
        return _number(self.get(name), name, least, most)

    def numbers(self, name: str, count: int, least: int, most: int) -> list[int]:
        """Return so many whole numbers in that range."""
        values = self.get(name)
        if not isinstance(values, list) or len(values) != count:
            raise Garbage(f"odd {name}")
        return [_number(value, name, least, most) for value in values]

    def text(self, name: str) -> str:
        """Return a text that can be shown."""
        return _text(self.get(name))

    def truth(self, name: str) -> bool:
        """Return true or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise Garbage(f"an odd {name}")
        return value

    def one_of(self, name: str, values: Sequence[object]) -> object:
        """Return one of those values."""
        value = self.get(name)
        # True is 1, and 8.0 is 8
        if not any(type(value) is type(known) and value == known for known in values):
            raise Garbage(f"an odd {name}")
        return value

    def check_all_read(self) -> None:
        """Raise Garbage where there is more."""
        if self._members:
            raise Garbage("more than was asked for")


def _json(body: bytes | bytearray) -> dict[str, Any]:
    try:
        content = json.loads(body.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise Garbage("no JSON") from error
    if not isinstance(content, dict):
        raise Garbage("no JSON object")
    return content


def _number(value: object, name: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Garbage(f"an odd {name}")
    return value


def _animation(content: Content, frames: int) -> Animation | None:
    delays, loop = content.get("delays_ms"), content.get("loop")
    if delays is None and loop is None:
        return None
    if not isinstance(delays, list) or len(delays) != frames:
        raise Garbage("odd delays")
    return Animation(
        delays_ms=tuple(_number(delay, "delay", 0, _MOST) for delay in delays),
        loop=_number(loop, "loop", 0, _MOST),
    )


def _density(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    least, most = _PIXELS_PER_MM
    match value:
        case [float() as across, float() as down]:
            # of what is no density an honest file says nothing
            if math.isfinite(across) and math.isfinite(down):
                return min(max(across, least), most), min(max(down, least), most)
    raise Garbage("an odd density")


def _fields(value: object, *, most: int) -> tuple[tuple[str, str, int], ...]:
    if not isinstance(value, list) or len(value) > most:
        raise Garbage("odd fields")
    fields = []
    for item in value:
        match item:
            case [str() as name, "text" | "bytes" as kind, int() as length]:
                if _FIELD.fullmatch(name):
                    fields.append((name, kind, _number(length, "length", 0, wire.FIELD_BYTES)))
                    continue
        raise Garbage("an odd field")
    if sum(length for _, _, length in fields) > wire.FIELD_BYTES:
        raise Garbage("too large fields")
    return tuple(fields)


def _field_text(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except ValueError as error:
        raise Garbage("a field of no text") from error
    if "\x00" in text:
        raise Garbage("a field of no text")
    return text


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > wire.WARNINGS:
        raise Garbage("odd warnings")
    return [_text(item) for item in value]


def _text(value: object) -> str:
    """Return a text that can be shown: on one line, nothing in it that steers a terminal."""
    if not isinstance(value, str) or len(value) > wire.REASON_CHARACTERS:
        raise Garbage("an odd text")
    return "".join(letter if letter.isprintable() else "?" for letter in value)
