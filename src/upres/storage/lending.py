"""Letting other processes of the same group, such as a web server's, read a file of a store."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_PASS = 0o010
"""The group may go through a folder, and not see what is in it."""
_READ = 0o040


def lend(path: Path, *, top: Path) -> bool:
    """Let the group of a file read it, and go through its folders up to `top`.

    Nothing is written where that is so already. False: the file is gone, or is not ours to lend.
    """
    folders = [folder for folder in path.parents if folder.is_relative_to(top)]
    with suppress(OSError):
        for place, bits in [*((folder, _PASS) for folder in folders), (path, _READ)]:
            mode = place.stat().st_mode
            if mode & bits != bits:
                place.chmod(mode | bits)
        return True
    return False
