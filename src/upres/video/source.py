"""Where a clip comes from: what has to be asked of it, and the answer of a file read right here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from upres.video.beside import BesideCopy, streams_beside
from upres.video.clip import frames_of, look_at
from upres.video.opening import opened, picture_stream

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container import OutputContainer
    from av.packet import Packet

    from upres.image.limits import Limits
    from upres.video.beside import Beside
    from upres.video.clip import Clip
    from upres.video.frames import Damage, Frame, OnDamage

_OF_THE_PICTURE = ("language", "title", "handler_name")

Span = tuple["Fraction | None", "Fraction | None"]
"""Time stamps from and to which something is wanted; None: from the beginning, to the end."""


class Copying(Protocol):
    """What goes into a result beside the pictures, while it is written."""

    @property
    def of_the_picture(self) -> dict[str, str]:
        """Metadata of the pictures' stream."""

    def packets(self) -> Iterator[tuple[Fraction, Packet[Any]]]:
        """Yield packets, each with its time in the result, ready to be written."""


class Source(Protocol):
    """A clip that can be looked at, and read again and again."""

    name: str
    """For errors."""

    @property
    def bytes(self) -> int:
        """Length of the file."""

    def sha256(self) -> str:
        """Return the hash of the file."""

    def look(self, limits: Limits) -> Clip:
        """Find out what it is; raises as `upres.video.clip.look_at`."""

    def frames(
        self, clip: Clip, *, on_damage: OnDamage, damage: Damage, from_ticks: int | None = None
    ) -> Iterator[Frame]:
        """Yield frames; as `upres.video.clip.frames_of`."""

    def beside(self, *, container: str, output: Path) -> Beside:
        """Choose what goes along; as `upres.video.beside.streams_beside`."""

    def copying(
        self, target: OutputContainer, beside: Beside, *, span: Span, damage: Damage
    ) -> AbstractContextManager[Copying]:
        """Add streams for what was chosen to a result, and give what fills them."""


class FileSource:
    """A file that is trusted enough to be decoded in this process."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name

    @property
    def bytes(self) -> int:
        """Length of the file."""
        return self.path.stat().st_size

    def sha256(self) -> str:
        """Return the hash of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def look(self, limits: Limits) -> Clip:
        """Look at the file."""
        return look_at(self.path, limits=limits)

    def frames(
        self, clip: Clip, *, on_damage: OnDamage, damage: Damage, from_ticks: int | None = None
    ) -> Iterator[Frame]:
        """Decode the file."""
        return frames_of(clip, self.path, on_damage=on_damage, damage=damage, from_ticks=from_ticks)

    def beside(self, *, container: str, output: Path) -> Beside:
        """Choose among the file's streams."""
        return streams_beside(self.path, container=container, output=output)

    @contextmanager
    def copying(
        self, target: OutputContainer, beside: Beside, *, span: Span, damage: Damage
    ) -> Iterator[Copying]:
        """Copy streams as they are."""
        with opened(self.path) as source:
            metadata = picture_stream(source, name=self.name).metadata
            yield BesideCopy(
                source,
                target,
                beside.carried,
                span=span,
                damage=damage,
                of_the_picture={key: metadata[key] for key in _OF_THE_PICTURE if key in metadata},
            )
