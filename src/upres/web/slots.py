"""A counted number of places, for what holds a thread: progress streams and waiting requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Place:
    """One place that was taken; it is given back once, however often that is asked for."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._held = True

    def give_back(self) -> None:
        """Let another have it."""
        with self._slots.lock:
            if self._held:
                self._held = False
                self._slots.used -= 1


class Slots:
    """So many places; nobody waits for one."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.used = 0
        """Places that are taken now."""
        self.lock = threading.Lock()

    def take(self) -> Place | None:
        """Take a place until `Place.give_back`; None: there is none.

        For what lives longer than a block, such as a streamed response (`call_on_close`).
        """
        with self.lock:
            if self.used >= self.number:
                return None
            self.used += 1
        return Place(self)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Hold a place in the block; False: there was none."""
        place = self.take()
        try:
            yield place is not None
        finally:
            if place is not None:
                place.give_back()
