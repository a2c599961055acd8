"""Where the files of forms lie while they are read: nameless, on the disk that pictures go to.

So they keep to the room that is to stay free there, and are gone with the request or the process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

from flask import Request

from upres.errors import DiskFull
from upres.storage.parts import failures_told
from upres.web.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

_IN_MEMORY_BYTES = 500_000
_FOLDER = "forms"


class FormRequest(Request):
    """A request whose form's files are kept as this module says."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._form_files: list[FormFile] = []

    def close(self) -> None:
        """Remove the form's files, also those of a form that was not read to its end."""
        super().close()
        for file in self._form_files:
            file.close()

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        settings = serving().service.settings
        folder = settings.data_folder / _FOLDER
        with failures_told(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        room = partial(_check_room, folder, settings.free_floor_bytes)
        self._form_files.append(FormFile(folder, room))
        return cast("IO[bytes]", self._form_files[-1])


class FormFile(tempfile.SpooledTemporaryFile[bytes]):
    """A file in memory while it is small, then a nameless one in a folder."""

    def __init__(self, folder: Path, room: Callable[[int], None]) -> None:
        super().__init__(max_size=_IN_MEMORY_BYTES, dir=str(folder))
        self._place, self._room = folder, room

    def write(self, data: Any) -> int:
        """Write, or raise DiskFull or OutputNotWritable."""
        with failures_told(self._place):
            self._room(len(data))
            return super().write(data)

    def seek(self, *where: int) -> int:
        """Go somewhere, which writes what waits to be written; raises as `write`."""
        with failures_told(self._place):
            return super().seek(*where)


def _check_room(folder: Path, floor_bytes: int, more_bytes: int) -> None:
    if shutil.disk_usage(folder).free - more_bytes < floor_bytes:
        raise DiskFull(folder)
