"""Connections of clients that are slow, silent, or gone: none of them holds a thread for long.

A request's head is gathered without a thread, and within a time. From then on the socket keeps
account of what it waits for: a client that moves fewer bytes than a slow telephone line, in either
direction, falls into debt and is given up. An application's own time to think counts for nothing.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

LEAST_BYTES_PER_S = 16_384
"""A client that is slower, for longer than its patience, is given up."""
PATIENCE_S = 30.0
_SILENT_S = 1.0
"""Who sends nothing for so long after its last answer has heard it, or never will."""
_PIECE_BYTES = 2**18
_HEAD_BYTES = 2**16
"""A longer head is left to the parser, which has limits of its own and refuses it."""
_END_OF_HEAD = b"\r\n\r\n"
_HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)


class TooSlow(TimeoutError):
    """A client that is given up; the server takes it for one whose connection was reset."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class PatientSocket(socket.socket):
    """A connection whose waits, in both directions, are paid for with bytes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._debts_s = {"in": 0.0, "out": 0.0}

    @classmethod
    def of(cls, plain: socket.socket) -> Self:
        """Return the connection as one of this kind; `plain` is no longer to be used."""
        return plain if isinstance(plain, cls) else cls(fileno=plain.detach())

    def begin(self) -> None:
        """Forget what an earlier request owes."""
        self._debts_s = {"in": 0.0, "out": 0.0}

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive, or raise TooSlow."""
        with self._paid("in") as moved:
            data = super().recv(size, flags)
            moved.append(len(data))
        return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send a part, or raise TooSlow."""
        with self._paid("out") as moved:
            moved.append(super().send(data, flags))
        return moved[0]

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send everything, or raise TooSlow."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE_BYTES):
            piece = view[start : start + _PIECE_BYTES]
            with self._paid("out") as moved:
                super().sendall(piece, flags)
                moved.append(len(piece))

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file from an offset, or raise TooSlow."""
        file.seek(offset)
        sent = 0
        while count is None or sent < count:
            most = _PIECE_BYTES if count is None else min(_PIECE_BYTES, count - sent)
            piece = file.read(most)
            if not piece:
                break
            self.sendall(piece)
            sent += len(piece)
        return sent

    @contextmanager
    def _paid(self, way: str) -> Iterator[list[int]]:
        """Wait in the block for as long as there is patience left, and count the bytes it adds."""
        before = self.gettimeout()
        left_s = PATIENCE_S - self._debts_s[way]
        if left_s <= 0:
            raise TooSlow
        own = before is None or before > left_s
        if own:
            self.settimeout(left_s)
        began = time.monotonic()
        moved: list[int] = []
        try:
            yield moved
        except TimeoutError as error:
            self._debts_s[way] += time.monotonic() - began
            if own:
                raise TooSlow from error
            raise
        finally:
            if own:
                with suppress(OSError):
                    self.settimeout(before)
        spent_s = time.monotonic() - began
        owed_s = self._debts_s[way] + spent_s - sum(moved) / LEAST_BYTES_PER_S
        self._debts_s[way] = max(0.0, owed_s)


def gathered(sock: socket.socket, unreader: Any) -> bool | None:
    """Read what has come of a head, without waiting, into gunicorn's buffer for it.

    True: it is whole, or too long. False: the client has gone. None: there is more to come.
    """
    head = bytearray(unreader.take_buffered())
    sock.setblocking(False)
    gone = False
    try:
        while _END_OF_HEAD not in head and len(head) <= _HEAD_BYTES and not gone:
            part = sock.recv(_HEAD_BYTES)
            head += part
            gone = not part
    except BlockingIOError:
        pass
    except OSError:
        gone = True
    finally:
        unreader.unread(bytes(head))
    if gone:
        return False
    return True if _END_OF_HEAD in head or len(head) > _HEAD_BYTES else None


def await_bytes(sock: socket.socket, *, most_s: float) -> None:
    """Return when there is something to receive, or nothing will be, or that time is over."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(1000 * most_s)


def linger(sock: socket.socket, *, most_bytes: int, most_s: float) -> None:
    """End a connection so that its last answer arrives, even where the client is still sending.

    What it sends is thrown away, so much and for so long; a socket that is closed with something
    unread takes back what the client has not read yet.
    """
    until = time.monotonic() + most_s
    taken = 0
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while taken < most_bytes and (left_s := until - time.monotonic()) > 0:
            sock.settimeout(min(left_s, _SILENT_S))
            part = socket.socket.recv(sock, _PIECE_BYTES)
            if not part:
                break
            taken += len(part)
    with suppress(OSError):  # so that whoever closes it has nothing to wait for
        sock.shutdown(socket.SHUT_RDWR)


def presence(environ: dict[str, Any]) -> Callable[[], bool]:
    """Return what tells whether a request's client has gone; never, where that cannot be seen.

    A client that closes only its sending side counts as gone, as it does for reverse proxies.
    """
    sock = environ.get("gunicorn.socket")
    return (lambda: False) if sock is None else (lambda: _gone(sock))


def _gone(sock: socket.socket) -> bool:
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN | _HUNG_UP)
    found = [what for _, what in poll.poll(0)]
    if any(what & _HUNG_UP for what in found):
        return True
    if not found:
        return False
    try:  # where hanging up is no event of its own
        return not socket.socket.recv(sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
