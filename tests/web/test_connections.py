"""Connections pay for their waits with bytes, and end so that their last answer arrives."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

from upres.web import connections
from upres.web.connections import PatientSocket, TooSlow, gathered, linger, presence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Pair = tuple[PatientSocket, socket.socket]
SMALL = 4096


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return the server's end and the client's, with buffers that are soon full."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client.connect(listener.getsockname())
        plain, _ = listener.accept()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    with PatientSocket.of(plain) as server, client:
        yield server, client


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.4)


def trickling(client: socket.socket, over: threading.Event) -> threading.Thread:
    """Send a byte now and then."""

    def send() -> None:
        while not over.wait(0.05):
            try:
                client.send(b"x")
            except OSError:
                return

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def read(server: PatientSocket, *, times: int) -> None:
    for _ in range(times):
        server.recv(1000)


@pytest.mark.usefixtures("_impatient")
def test_a_trickle_is_given_up(pair: Pair) -> None:
    """Though no single wait is long."""
    server, client = pair
    over = threading.Event()
    thread = trickling(client, over)
    began = time.monotonic()
    try:
        with pytest.raises(TooSlow):
            read(server, times=1000)
    finally:
        over.set()
        thread.join()
    assert 0.3 < time.monotonic() - began < 5
    assert server.gettimeout() is None


@pytest.mark.usefixtures("_impatient")
def test_silence_is_given_up(pair: Pair) -> None:
    """Also with a longer time limit of the server's own; a shorter one stays what it is."""
    server, _ = pair
    server.settimeout(30)
    with pytest.raises(TooSlow):
        server.recv(1)
    assert server.gettimeout() == 30
    server.begin()
    server.settimeout(0.05)
    with pytest.raises(TimeoutError) as caught:
        server.recv(1)
    assert not isinstance(caught.value, TooSlow)


@pytest.mark.usefixtures("_impatient")
def test_who_was_slow_to_send_is_still_answered(pair: Pair) -> None:
    """And a new request starts without debts."""
    server, client = pair
    with pytest.raises(TooSlow):
        server.recv(1)
    server.sendall(b"too slow")
    assert client.recv(100) == b"too slow"
    with pytest.raises(TooSlow):
        server.recv(1)
    server.begin()
    client.send(b"y")
    assert server.recv(1) == b"y"


@pytest.mark.usefixtures("_impatient")
def test_the_application_may_think(pair: Pair) -> None:
    """Only waiting for the client counts."""
    server, client = pair
    for _ in range(3):
        time.sleep(0.3)
        client.send(b"x")
        assert server.recv(1) == b"x"
        server.sendall(b"y")


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("way", ["sendall", "sendfile"])
def test_who_does_not_read_is_given_up(pair: Pair, way: str, tmp_path: Path) -> None:
    server, client = pair
    much = bytes(2**20)
    (tmp_path / "file").write_bytes(much)
    over = threading.Event()

    def sip() -> None:
        while not over.wait(0.05):
            client.recv(100)

    thread = threading.Thread(target=sip)
    thread.start()
    began = time.monotonic()
    try:
        with (tmp_path / "file").open("rb") as file:
            send: partial[Any] = partial(server.sendfile, file)
            if way == "sendall":
                send = partial(server.sendall, much)
            with pytest.raises(TooSlow):
                send()
    finally:
        over.set()
        thread.join()
    assert time.monotonic() - began < 5


def test_files_are_sent_whole(pair: Pair, tmp_path: Path) -> None:
    """From where it is asked, and no further."""
    server, client = pair
    data = bytes(range(256)) * 3000
    (tmp_path / "file").write_bytes(data)
    got = bytearray()

    def collect() -> None:
        while part := client.recv(2**16):
            got.extend(part)

    thread = threading.Thread(target=collect)
    thread.start()
    with (tmp_path / "file").open("rb") as file:
        assert server.sendfile(file, offset=10, count=600_000) == 600_000
        assert server.sendfile(file, offset=700_000) == len(data) - 700_000
    server.shutdown(socket.SHUT_WR)
    thread.join()
    assert bytes(got) == data[10:600_010] + data[700_000:]


def test_a_head_is_gathered_without_waiting(pair: Pair) -> None:
    """However it is cut up; what follows it stays for the parser."""
    server, client = pair
    unreader = SocketUnreader(server)
    assert gathered(server, unreader) is None
    text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody"
    for place, byte in enumerate(text):
        client.send(bytes([byte]))
        time.sleep(0.005)
        assert gathered(server, unreader) is (True if place >= text.index(b"body") - 1 else None)
    client.close()
    assert unreader.take_buffered() + server.recv(10) == text


def test_a_head_that_does_not_end(pair: Pair) -> None:
    """Is left to the parser, which refuses it; a client that goes away is noticed."""
    server, client = pair
    unreader = SocketUnreader(server)
    client.send(b"GET /")
    client.close()
    time.sleep(0.05)
    assert gathered(server, unreader) is False
    unreader.unread(bytes(2**17))
    assert gathered(server, unreader) is True


def test_the_last_answer_arrives(pair: Pair) -> None:
    """Although the client goes on to send, and reads only then."""
    server, client = pair
    ended = threading.Event()

    def end() -> None:
        server.sendall(b"no")
        linger(server, most_bytes=10**8, most_s=10)
        server.close()
        ended.set()

    thread = threading.Thread(target=end)
    thread.start()
    for _ in range(100):
        client.sendall(bytes(10_000))
    assert client.recv(10) == b"no"
    assert client.recv(10) == b""
    client.close()
    assert ended.wait(5)
    thread.join()


@pytest.mark.parametrize(("most_bytes", "most_s"), [(10**8, 0.2), (10_000, 60), (0, 60)])
def test_nobody_is_waited_for_long(pair: Pair, most_bytes: int, most_s: float) -> None:
    """Neither for bytes nor for seconds, and afterwards not at all."""
    server, client = pair
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                client.send(bytes(1000))
            except OSError:
                return

    thread = threading.Thread(target=send)
    thread.start()
    began = time.monotonic()
    linger(server, most_bytes=most_bytes, most_s=most_s)
    assert time.monotonic() - began < 3
    server.close()
    over.set()
    thread.join()


def test_presence(pair: Pair) -> None:
    """A client is there while it is silent, and also with a request that nobody has read yet."""
    server, client = pair
    gone = presence({"gunicorn.socket": server})
    assert not gone()
    client.send(b"GET")
    time.sleep(0.05)
    assert not gone()
    client.close()
    time.sleep(0.05)
    assert gone()
    server.close()
    assert gone()
    assert not presence({})()
