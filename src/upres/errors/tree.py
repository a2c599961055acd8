"""The root and the branches of the error tree."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar


class Blame(Enum):
    """Whose fault an error is; callers map it to exit codes and HTTP statuses."""

    CALLER = "caller"
    SETUP = "setup"
    CAPACITY = "capacity"
    BUG = "bug"


class UpresError(Exception):
    """Root of every error that upres raises on purpose; its text is one line for people."""

    code: ClassVar[str] = "error"
    blame: ClassVar[Blame] = Blame.BUG

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes by the finished text: leaves build theirs from other words."""
        return _rebuilt, (type(self), self.args), vars(self) or None


def _rebuilt(kind: type[UpresError], args: tuple[Any, ...]) -> UpresError:
    base = OSError if issubclass(kind, OSError) else Exception
    error = base.__new__(kind, *args)
    base.__init__(error, *args)
    return error


class CallerError(UpresError):
    """The picture or the request is at fault: the same call fails again."""

    blame = Blame.CALLER


class SetupError(UpresError):
    """The machine or the installation is at fault: mend it, then call again."""

    blame = Blame.SETUP


class CapacityError(UpresError):
    """A right request that found too little room: try later or make room."""

    blame = Blame.CAPACITY
