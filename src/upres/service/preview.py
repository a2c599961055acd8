"""What is finished of a picture while it is worked on: its tiles, reduced, in a file of the job.

Each line of the file is one tile. The worker only appends, whichever attempt it is: the same place
may come twice, with the same picture. So nothing has to be agreed on with those who read meanwhile,
and a worker that is killed leaves at most half a line. The file goes when the job ends, or is
swept; it never passes MOST_BYTES. A preview is a courtesy: where it fails, the job goes on without.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from upres.errors import UpresError
from upres.image.encode import encoded
from upres.image.picture import Metadata, Picture
from upres.image.reduce import factor_for, means
from upres.service.log import logger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Layout
    from upres.upscale.tiles import Span

MOST_BYTES = 4_000_000
"""Of a job's preview."""
_MOST_PX = 1_000_000
"""Of all tiles together, reduced: more than most windows show."""
_EVERY_S = 0.4
"""Tiles are written this often at most: a job that is done sooner writes none."""
_QUALITY = 80
_LARGEST_PROFILE_BYTES = 65_536
"""Each tile carries the profile; pictures with a larger one have no preview."""
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A job's file of tiles, for writing and for reading."""

    path: Path

    @property
    def bytes(self) -> int:
        """Length of the file, 0 where there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def read(self, start: int) -> tuple[list[dict[str, Any]], int]:
        """Return the tiles after so many bytes, and how many bytes that makes.

        A file that is shorter than that is another attempt's: it is read from its beginning.
        """
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(start if start <= size else 0)
                begin = file.tell()
                whole, newline, _ = file.read(MOST_BYTES).rpartition(b"\n")
        except OSError:
            return [], 0
        found = []
        for line in whole.split(b"\n"):
            with suppress(ValueError):  # of a worker that was killed while it wrote
                found.append(json.loads(line))
        return [one for one in found if isinstance(one, dict)], begin + len(whole) + len(newline)

    def forget(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


class Previews:
    """The previews of all jobs, in one folder."""

    def __init__(self, folder: Path, *, free_floor_bytes: int) -> None:
        """Take a folder, made when it is needed, on a disk of which so much is left free."""
        self._folder = folder
        self._free_floor_bytes = free_floor_bytes

    def of(self, job_id: str) -> Preview:
        """Return a job's preview, which may not be there."""
        return Preview(path=self._folder / job_id)

    def has_room(self) -> bool:
        """Make the folder and tell whether its disk has room for one more preview."""
        try:
            self._folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            free_bytes = shutil.disk_usage(self._folder).free
        except OSError:
            return False
        return free_bytes - MOST_BYTES >= self._free_floor_bytes

    def sweep(self, *, wanted: Callable[[str], bool]) -> int:
        """Remove those of jobs that are not `wanted` by their id; return how many."""
        with suppress(OSError):
            unwanted = [path for path in self._folder.iterdir() if not wanted(path.name)]
            for path in unwanted:
                Preview(path=path).forget()
            return len(unwanted)
        return 0


class TileWriter:
    """Takes the tiles of a picture as they are finished, and appends them now and then."""

    def __init__(
        self, preview: Preview, layout: Layout, *, icc: bytes | None, room: Callable[[], bool]
    ) -> None:
        """Take the source's layout and profile; `room` is asked before anything is written."""
        self._preview = preview
        self._layout = layout
        self._metadata = Metadata(icc=icc)
        self._room = room
        self._waiting: list[tuple[Span, Span, NDArray[np.uint8]]] = []
        self._written = time.monotonic()
        self._file: int | None = None
        self._over = len(icc or b"") > _LARGEST_PROFILE_BYTES

    def tile(self, rows: Span, columns: Span, pixels: NDArray[Any]) -> None:
        """Take a finished tile, as `upres.upscale.steps.TileSeen` says."""
        if self._over:
            return
        scale = pixels.shape[0] // rows.length
        factor = factor_for(
            self._layout.width * scale, self._layout.height * scale, most_px=_MOST_PX
        )
        self._waiting.append((rows, columns, _small(pixels, factor, alpha=self._layout.alpha)))
        if time.monotonic() - self._written >= _EVERY_S:
            try:
                self._write()
            except (OSError, UpresError) as error:
                logger("worker").warning("no_preview", error=type(error).__name__)
                self._over = True
            self._written = time.monotonic()

    def close(self) -> None:
        """Let go of the file; what was not written is not wanted any more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._over = True

    def _write(self) -> None:
        file = self._opened()
        lines = b"".join(self._line(*one) for one in self._waiting)
        self._waiting.clear()
        if os.fstat(file).st_size + len(lines) > MOST_BYTES:
            self._over = True
            return
        while lines:
            lines = lines[os.write(file, lines) :]

    def _opened(self) -> int:
        if self._file is None:
            if not self._room():
                raise OSError("the disk has no room for a preview")
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            self._file = os.open(self._preview.path, flags, _PRIVATE_FILE)
            if os.fstat(self._file).st_size:
                os.write(self._file, b"\n")  # ends what a killed worker may have left
        return self._file

    def _line(self, rows: Span, columns: Span, small: NDArray[np.uint8]) -> bytes:
        alpha = self._layout.alpha
        picture = Picture.from_rows(small, alpha=alpha, metadata=self._metadata)
        data = encoded(picture, format="webp" if alpha else "jpeg", quality=_QUALITY)
        tile = {
            "left": columns.start,
            "top": rows.start,
            "width": columns.length,
            "height": rows.length,
            "of_width": self._layout.width,
            "of_height": self._layout.height,
            "media_type": "image/webp" if alpha else "image/jpeg",
            "data": base64.b64encode(data).decode("ascii"),
        }
        return json.dumps(tile, separators=(",", ":")).encode() + b"\n"


def _small(pixels: NDArray[Any], factor: int, *, alpha: bool) -> NDArray[np.uint8]:
    """Return a tile reduced, in 8 bits; planes come multiplied by alpha, and go out plain."""
    small = means(pixels, factor)
    if small.dtype == np.uint8:
        return small
    if alpha:
        small = np.dstack([small[..., :-1] / np.maximum(small[..., -1:], 1 / 512), small[..., -1:]])
    levels: NDArray[np.uint8] = np.rint(small.clip(0, 1) * 255).astype(np.uint8)
    return levels
