"""Copies a service's data while it runs: `python backup.py /var/lib/upres /backup/upres`.

The job table by SQLite's own online backup, in one piece however busy it is; pictures and results
as files that never change once they are there, so that a second run copies only what is new.
Pictures are copied before the table and once more after it: whatever the table names is there,
except for what the service itself has removed meanwhile. For a PostgreSQL table use pg_dump.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path


def copy_blobs(source: Path, target: Path) -> int:
    """Copy the pictures that are not there yet, each whole or not at all; return how many."""
    copied = 0
    for path in sorted((source / "blobs" / "objects").glob("*/*/*")):
        place = target / path.relative_to(source)
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        try:
            shutil.copyfile(path, part)
        except FileNotFoundError:  # the service has just removed it
            continue
        part.chmod(0o600)
        part.replace(place)
        copied += 1
    return copied


def copy_table(source: Path, target: Path) -> None:
    """Copy the job table as it is at one moment."""
    part = target / "jobs.sqlite.part"
    part.unlink(missing_ok=True)
    with (
        sqlite3.connect(f"{(source / 'jobs.sqlite').as_uri()}?mode=ro", uri=True) as live,
        sqlite3.connect(part) as copy,
    ):
        live.backup(copy)
    copy.close()
    live.close()
    part.replace(target / "jobs.sqlite")


def main(source: Path, target: Path) -> str:
    """Back a data folder up; return what to tell."""
    os.umask(0o077)
    target.mkdir(parents=True, exist_ok=True)
    before = copy_blobs(source, target)
    copy_table(source, target)
    return f"{before + copy_blobs(source, target)} new pictures and the job table in {target}"


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - the two folders
        sys.exit("usage: backup.py DATA_FOLDER BACKUP_FOLDER")
    try:
        sys.stdout.write(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()) + "\n")
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"backup.py: {error}")
