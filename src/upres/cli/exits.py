"""Exit codes, by whose fault an error is."""

from __future__ import annotations

from upres.errors import Blame, Cancelled, UpresError

EXIT_BUG = 1
EXIT_USAGE = 2
"""Unknown options, and option values that make no sense."""
EXIT_CALLER = 3
"""The picture, or what was asked of it."""
EXIT_SETUP = 4
"""This machine: files, folders, models, engines."""
EXIT_CAPACITY = 5
"""No room."""
EXIT_INTERRUPTED = 130

_BY_BLAME = {
    Blame.BUG: EXIT_BUG,
    Blame.CALLER: EXIT_CALLER,
    Blame.SETUP: EXIT_SETUP,
    Blame.CAPACITY: EXIT_CAPACITY,
}


def exit_code(error: UpresError) -> int:
    """Return the exit code for an error."""
    if isinstance(error, Cancelled):
        return EXIT_INTERRUPTED
    return EXIT_USAGE if error.code == "invalid-option" else _BY_BLAME[error.blame]
