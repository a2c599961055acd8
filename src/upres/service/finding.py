"""One line of `upres doctor`; it needs no library of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    text: str
