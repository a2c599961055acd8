"""A worker whose network kills, hangs, or takes all memory where a picture's size says so.

Everything else is the worker as it is: `python -m proofs.serving.saboteur`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from upres import enlargement
from upres.service.log import set_up
from upres.service.parts import Service
from upres.service.settings import ServiceSettings
from upres.service.worker import work

KILL_PX, HANG_PX, MEMORY_PX = 33, 34, 35
"""Widths of pictures that do so."""
_BLOCK_BYTES = 64 * 2**20


def _take_memory() -> None:
    taken = []
    while True:
        taken.append(bytearray(os.urandom(1024) * (_BLOCK_BYTES // 1024)))


def _spoil() -> None:
    """Let the step before the network look at how wide the picture is."""
    real = enlargement.Enlargement.write

    def write(self: enlargement.Enlargement, *words: Any, **options: Any) -> None:
        width = self.header.width
        if width == KILL_PX:
            os.kill(os.getpid(), signal.SIGKILL)
        if width == HANG_PX:
            time.sleep(3600)
        if width == MEMORY_PX:
            _take_memory()
        real(self, *words, **options)

    enlargement.Enlargement.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    settings = ServiceSettings.from_environment()
    set_up(format="json")
    _spoil()
    sys.exit(work(Service.open(settings)))
