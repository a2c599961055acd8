"""What a child of clips does in a test: it tells what holds, and tries to open and to connect."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import upres.video.child  # noqa: F401 - all that a child of clips has loaded
from upres.sandbox import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from upres.sandbox.child import Job


def tell(job: Job) -> None:
    """Say it."""
    content = {
        "posture": job.posture,
        "opened": _works(lambda: os.open("/etc/hostname", os.O_RDONLY)),
        "connected": _works(socket.socket),
    }
    wire.send_json(job.output, wire.HEADER, content)


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
