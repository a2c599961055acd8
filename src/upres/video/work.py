"""The folder where finished segments of a result wait: what a run that was killed left, is kept.

OUT.upres/plan.json       the key of input and options
OUT.upres/000000.mkv      a finished segment: video alone, beginning with a key frame
OUT.upres/000000.json     its record, written after it: only with one does a segment count
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from upres.errors import OutputNotWritable
from upres.video.opening import writing

_PLAN = "plan.json"
_COUNTS = 3
_LEFT = re.compile(r"(plan\.json|\d{6}\.(json|mkv)|part\.mkv)(\.part)?")
"""What runs leave."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A finished segment."""

    number: int
    ticks: tuple[int, ...]
    """When each of its frames is shown, in the clip's time base."""
    order: tuple[int, ...]
    """Of its packets, which frame of the segment each is."""
    bytes: int
    last_crc: int
    """Checksum of the last source frame: whoever goes on must find the same."""
    damage: tuple[int, int, int]
    """What was wrong with the clip until its end, as `upres.video.frames.Damage` counts."""

    @property
    def delay(self) -> int:
        """How many frames decoding runs ahead of showing."""
        return max(place - frame for place, frame in enumerate(self.order))


class WorkFolder:
    """The segments of one result."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f"{output.name}.upres")

    @property
    def begun(self) -> bool:
        """Whether an earlier run left one."""
        return self.folder.is_dir()

    @contextmanager
    def held(self, key: str, *, resume: bool) -> Iterator[None]:
        """Keep the folder for one run while the block runs.

        `key` is that of input and options; a run goes on with work of the same alone. A block that
        fails leaves the folder only where a segment is finished. Raises OutputNotWritable where
        there is other, or unasked-for, work.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.folder.iterdir()} - {"lock"}
        if not all(map(_LEFT.fullmatch, names)):
            raise OutputNotWritable(self.output, f"{self.folder.name} has other files in it")
        try:
            with self._locked():
                self._prepare(key, resume=resume)
                yield
        except BaseException:
            self._dropped_if_empty()
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self.folder / "lock", blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise OutputNotWritable(self.output, "another run is making it") from error
        try:
            yield
        finally:
            lock.release()

    def _prepare(self, key: str, *, resume: bool) -> None:
        if self.finished():
            if resume:
                self._check_same(key)
                return
            raise OutputNotWritable(
                self.output,
                f"{self.folder.name} has an unfinished run; --resume continues it, "
                "--overwrite begins anew",
            )
        with writing(self.folder):
            self._write(_PLAN, {"key": key})

    def _check_same(self, key: str) -> None:
        try:
            plan = json.loads((self.folder / _PLAN).read_text("utf-8"))
            same = plan["key"] == key
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputNotWritable(
                self.output, f"{self.folder.name} cannot be read; --overwrite begins anew"
            ) from error
        if not same:
            raise OutputNotWritable(
                self.output,
                f"{self.folder.name} is of another input, other options or other versions; "
                "--overwrite begins anew",
            )

    def finished(self) -> list[Segment]:
        """Return the segments that count, from the first on without a gap."""
        found: list[Segment] = []
        while True:
            segment = self._record(len(found))
            if segment is None:
                return found
            found.append(segment)

    def _record(self, number: int) -> Segment | None:
        try:
            fields = json.loads(self._path(number, "json").read_text("utf-8"))
            lists = {name: tuple(fields[name]) for name in ("ticks", "order", "damage")}
            segment = Segment(**fields | lists)
            whole = self.segment_path(number).stat().st_size == segment.bytes
        except (OSError, ValueError, KeyError, TypeError):
            return None
        sound = (
            len(segment.ticks) > 0
            and sorted(segment.order) == list(range(len(segment.ticks)))
            and len(segment.damage) == _COUNTS
        )
        return segment if whole and sound and segment.number == number else None

    def segment_path(self, number: int) -> Path:
        """Return where a segment lies."""
        return self._path(number, "mkv")

    def part_path(self) -> Path:
        """Return where the segment that is being made lies."""
        return self.folder / "part.mkv"

    def finish(
        self,
        number: int,
        *,
        ticks: tuple[int, ...],
        order: tuple[int, ...],
        last_crc: int,
        damage: tuple[int, int, int],
    ) -> Segment:
        """Make the part a segment that counts, on the disk for good."""
        with writing(self.folder):
            part = self.part_path()
            _synced(part)
            segment = Segment(
                number=number,
                ticks=ticks,
                order=order,
                bytes=part.stat().st_size,
                last_crc=last_crc,
                damage=damage,
            )
            part.replace(self.segment_path(number))
            self._write(f"{number:06}.json", asdict(segment))
        return segment

    def remove(self) -> None:
        """Delete the folder and what a run left in it; raises OutputNotWritable while one runs."""
        if self.begun:
            with self._locked():
                self._emptied()
            with writing(self.folder):
                (self.folder / "lock").unlink(missing_ok=True)
                self.folder.rmdir()

    def _dropped_if_empty(self) -> None:
        """Delete the folder where nothing in it is worth going on with."""
        with suppress(OSError, OutputNotWritable):
            if self.begun and not self.finished():
                self.remove()

    def _emptied(self) -> None:
        """Delete what runs leave, and nothing else that may lie there; the lock stays."""
        with writing(self.folder):
            for path in list(self.folder.iterdir()):
                if _LEFT.fullmatch(path.name):
                    path.unlink()

    def _path(self, number: int, extension: str) -> Path:
        return self.folder / f"{number:06}.{extension}"

    def _write(self, name: str, fields: Mapping[str, Any]) -> None:
        temporary = self.folder / f"{name}.part"
        temporary.write_text(json.dumps(fields), "utf-8")
        _synced(temporary)
        temporary.replace(self.folder / name)
        _synced(self.folder)


def _synced(path: Path) -> None:
    """Bring a file or a folder's entries onto the disk; some systems open no folder."""
    with suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
