"""Stages that work at the same time, each in a thread of its own, with short queues between them.

The caller's thread only waits, so that an interrupt or a wish to cancel is heard at once, whatever
native code is doing. An error of any stage stops all of them and is raised here.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from upres.upscale.steps import check_cancelled

T = TypeVar("T")
U = TypeVar("U")

_HELD = 2
"""What a queue holds: enough to even out, few enough for large frames."""
_GLANCE_S = 0.05
"""How often waiting ends to see whether one should stop."""
PATIENCE_S = 0.6
"""How long stages that were told to stop are waited for; one deep in native code is left."""
_END = object()


class Stopped(Exception):
    """Raised inside stages when the work is to stop."""


class _Pipe(Generic[T]):
    """A short queue that gives way when the work is to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(_HELD)
        self._stop = stop

    def put(self, item: Any) -> None:
        while True:
            if self._stop.is_set():
                raise Stopped
            try:
                self._queue.put(item, timeout=_GLANCE_S)
            except queue.Full:
                continue
            return

    def __iter__(self) -> Iterator[T]:
        while True:
            if self._stop.is_set():
                raise Stopped
            try:
                item = self._queue.get(timeout=_GLANCE_S)
            except queue.Empty:
                continue
            if item is _END:
                return
            yield item


class Stages:
    """Threads of one piece of work."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def source(self, items: Iterable[T]) -> Iterable[T]:
        """Draw from an iterable in a thread of its own."""
        pipe = _Pipe[T](self.stop)

        def work() -> None:
            for item in items:
                pipe.put(item)
            pipe.put(_END)

        self._start(work, "read")
        return pipe

    def sink(self, items: Iterable[T], consume: Callable[[Iterator[T]], None]) -> None:
        """Consume an iterable in a thread of its own."""
        self._start(lambda: consume(iter(items)), "write")

    def _start(self, work: Callable[[], None], name: str) -> None:
        def guarded() -> None:
            try:
                work()
            except Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                self._errors.append(error)
                self.stop.set()

        thread = threading.Thread(target=guarded, name=f"upres-video-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self, *, cancel: Callable[[], bool] | None, glance: Callable[[], None]) -> None:
        """Wait until all stages are through; raises the first error of one, or Cancelled.

        `glance` is called again and again meanwhile.
        """
        try:
            for thread in self._threads:
                while thread.is_alive() and not self._errors:
                    thread.join(_GLANCE_S)
                    glance()
                    check_cancelled(cancel)
        except BaseException:
            self._halt()
            raise
        if self._errors:
            self._halt()
            raise self._errors[0]

    def _halt(self) -> None:
        self.stop.set()
        until = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
