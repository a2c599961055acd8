"""What people see while they wait: progress on a terminal, silence in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upres.models.spec import ModelSpec

Report = Callable[[int, int], None]


@contextmanager
def progress_bar(label: str, *, bytes_units: bool = False) -> Iterator[Report | None]:
    """Show a bar with the time left on standard error; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    amount = DownloadColumn() if bytes_units else TaskProgressColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def pull_shown(spec: ModelSpec) -> Iterator[Report | None]:
    """Say on standard error that a model is being downloaded, with a bar on a terminal."""
    megabytes = spec.file.bytes / 1e6
    sys.stderr.write(f"upres: pulling {spec.name} x{spec.scale} ({megabytes:.1f} MB), once\n")
    with progress_bar(spec.id, bytes_units=True) as report:
        yield report
