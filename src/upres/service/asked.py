"""What somebody asks of the service, before anything of it was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from upres.jobs.job import Priority

if TYPE_CHECKING:
    from upres.jobs.job import JobOptions


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asks to be done with an uploaded picture."""

    name: str
    """The picture's, for display and errors."""
    options: JobOptions
    owner: str
    """The client."""
    priority: Priority = Priority.INTERACTIVE
    idempotency_key: str | None = None
    request_id: str = ""
