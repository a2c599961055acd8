"""A counted number of places, for what holds a thread: progress streams and waiting requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Place:
    """One place that was taken; it is given back once, however often that is asked for."""

    def __init__(self, slots: Slots, owner: str) -> None:
        self._slots, self._owner = slots, owner
        self._held = True

    def give_back(self) -> None:
        """Let another have it."""
        with self._slots.lock:
            if self._held:
                self._held = False
                self._slots.used -= 1
                self._slots.owners -= Counter({self._owner: 1})


class Slots:
    """So many places, of which one owner gets some; nobody waits for one."""

    def __init__(self, number: int, *, each: int | None = None) -> None:
        """Take the number of places, and how many of them one owner may have; None: all."""
        self.number = number
        self.each = number if each is None else each
        self.used = 0
        """Places that are taken now."""
        self.owners: Counter[str] = Counter()
        self.lock = threading.Lock()

    def take(self, owner: str = "") -> Place | None:
        """Take a place until `Place.give_back`; None: there is none, or none more for this owner.

        For what lives longer than a block, such as a streamed response (`call_on_close`).
        """
        with self.lock:
            if self.used >= self.number or self.owners[owner] >= self.each:
                return None
            self.used += 1
            self.owners[owner] += 1
        return Place(self, owner)

    @contextmanager
    def taken(self, owner: str = "") -> Iterator[bool]:
        """Hold a place in the block; False: there was none."""
        place = self.take(owner)
        try:
            yield place is not None
        finally:
            if place is not None:
                place.give_back()
