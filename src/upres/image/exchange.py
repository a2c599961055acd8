"""What passes between the caller's thread and libvips': rows there, the bytes of a file back."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, BinaryIO

from upres.image.targets import write_all

_PIECES_IN = 4
_BYTES_OUT = 2**23
"""More than the rows that wait: the encoder goes on while the caller computes its next rows."""


class Exchange:
    """Two short queues, the caller at one end and libvips at the other.

    The file is touched in the caller's thread alone, so that its exceptions and Ctrl-C arrive where
    they belong. Whichever end stops, the other does not wait for it.
    """

    def __init__(self, target: BinaryIO) -> None:
        """Begin with nothing under way; `target` gets the bytes."""
        self._target = target
        self._pieces: deque[memoryview] = deque()
        self._blocks: list[bytes] = []
        self._bytes_out = 0
        self._changed = threading.Condition()
        self._complete = False
        self._stopped = False

    def send(self, piece: bytes) -> bool:
        """Send a piece when there is room, and write what came back; False when nobody reads.

        For the caller. Raises what the file raises.
        """
        sent = False
        while not (sent or self._stopped):
            with self._changed:
                self._changed.wait_for(lambda: self._roomy or self._blocks or self._stopped)
                sent = self._roomy and not self._stopped
                if sent:
                    self._pieces.append(memoryview(piece))
                blocks = self._taken()
            self._write_out(blocks)
        return sent

    def finish(self) -> None:
        """Say that all pieces are sent, and write what comes back until libvips stops.

        For the caller. Raises what the file raises.
        """
        with self._changed:
            self._complete = True
            self._changed.notify_all()
        stopped = False
        while not stopped:
            with self._changed:
                self._changed.wait_for(lambda: self._blocks or self._stopped)
                stopped = self._stopped
                blocks = self._taken()
            self._write_out(blocks)

    def stop(self) -> None:
        """Stop, for either end: pieces on their way are dropped, blocks are there to be written."""
        with self._changed:
            self._stopped = True
            self._pieces.clear()
            self._changed.notify_all()

    def read(self, length: int) -> memoryview | None:
        """Give up to `length` bytes of the pieces; None at their end, whether in time or not.

        For libvips.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._complete or self._stopped)
            if not self._pieces:
                return None
            piece = self._pieces.popleft()
            if len(piece) > length:
                self._pieces.appendleft(piece[length:])
            else:
                self._changed.notify_all()
            return piece[:length]

    def write(self, block: Any) -> int:
        """Take bytes of the file when there is room, and return how many; -1 after the stop.

        For libvips.
        """
        # a copy, because libvips takes its memory back
        own = bytes(block)
        with self._changed:
            self._changed.wait_for(lambda: self._bytes_out < _BYTES_OUT or self._stopped)
            if self._stopped:
                return -1
            self._blocks.append(own)
            self._bytes_out += len(own)
            self._changed.notify_all()
        return len(own)

    @property
    def _roomy(self) -> bool:
        return len(self._pieces) < _PIECES_IN

    def _taken(self) -> list[bytes]:
        blocks, self._blocks, self._bytes_out = self._blocks, [], 0
        self._changed.notify_all()
        return blocks

    def _write_out(self, blocks: list[bytes]) -> None:
        for block in blocks:
            write_all(self._target, block)
