"""A web server on this machine that serves, garbles and withholds model files, and small specs."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from upres.models.spec import Channels, ModelFile, ModelSpec, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answer = Callable[["Request"], None]

PIECE_BYTES = 2**14


class Request(BaseHTTPRequestHandler):
    """One request; an answer writes to it."""

    server: ModelServer

    def do_GET(self) -> None:
        """Answer by the path's function."""
        path = self.path.partition("?")[0]
        self.server.note(path, self.headers.get("Authorization"))
        self.server.routes.get(path, status(404))(self)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def head(self, code: int, fields: Mapping[str, str] | None = None) -> None:
        """Send a status and header fields."""
        self.send_response(code)
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def send_pieces(self, data: bytes) -> None:
        """Send bytes in pieces, counting those that the system took."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            self.wfile.write(piece)
            self.server.sent_bytes += len(piece)


class ModelServer(ThreadingHTTPServer):
    """Routes to answers, on a free port of the loopback address, while the `with` block lasts."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, routes: Mapping[str, Answer] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.routes: dict[str, Answer] = dict(routes or {})
        self.paths: list[str] = []
        self.logins: list[str | None] = []
        self.sent_bytes = 0
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Take no notice of clients that hang up: many tests make them."""

    def note(self, path: str, login: str | None) -> None:
        """Remember a request."""
        with self._lock:
            self.paths.append(path)
            self.logins.append(login)

    @property
    def url(self) -> str:
        """Base address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}"


def body(data: bytes, *, content_type: str = "application/octet-stream") -> Answer:
    """Answer with these bytes."""

    def answer(request: Request) -> None:
        request.head(200, {"Content-Type": content_type, "Content-Length": str(len(data))})
        request.send_pieces(data)

    return answer


def unannounced(data: bytes) -> Answer:
    """Answer with these bytes, their number unsaid: the connection's end is theirs."""

    def answer(request: Request) -> None:
        request.head(200)
        request.send_pieces(data)

    return answer


def broken_off(data: bytes, *, after_bytes: int) -> Answer:
    """Announce all bytes and hang up in the middle."""

    def answer(request: Request) -> None:
        request.head(200, {"Content-Length": str(len(data))})
        request.send_pieces(data[:after_bytes])

    return answer


def stalled(data: bytes, *, after_bytes: int) -> Answer:
    """Send some bytes, then nothing, with the connection open until the server closes."""

    def answer(request: Request) -> None:
        request.head(200, {"Content-Length": str(len(data))})
        request.send_pieces(data[:after_bytes])
        request.server.over.wait()

    return answer


def trickled(data: bytes, *, pause_s: float) -> Answer:
    """Send one byte at a time."""

    def answer(request: Request) -> None:
        request.head(200, {"Content-Length": str(len(data))})
        for byte in data:
            request.wfile.write(bytes([byte]))
            if request.server.over.wait(pause_s):
                break

    return answer


def mute(request: Request) -> None:
    """Take the request and never answer."""
    request.server.over.wait()


def status(code: int) -> Answer:
    """Answer with a status and nothing else."""
    return lambda request: request.head(code, {"Content-Length": "0"})


def redirect(location: str) -> Answer:
    """Send the client elsewhere."""
    return lambda request: request.head(302, {"Location": location, "Content-Length": "0"})


def sdist(members: Mapping[str, bytes]) -> bytes:
    """Pack files into a gzipped tar, quickly rather than tightly."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return packed.getvalue()


def html_page(*links: tuple[str, str]) -> Answer:
    """Answer as a package index in its HTML form (PEP 503)."""
    anchors = "".join(f'<a href="{href}">{name}</a>' for name, href in links)
    page = f"<!DOCTYPE html><html><body>{anchors}</body></html>"
    return body(page.encode(), content_type="text/html; charset=utf-8")


def json_page(project: str, *links: tuple[str, str]) -> Answer:
    """Answer as a package index in its JSON form (PEP 691)."""
    files = [{"filename": name, "url": href, "hashes": {}} for name, href in links]
    page = {"meta": {"api-version": "1.0"}, "name": project, "files": files}
    kind = "application/vnd.pypi.simple.v1+json"
    return body(json.dumps(page).encode(), content_type=kind)


def model_file(data: bytes, *sources: Source, name: str = "tiny_x3.onnx") -> ModelFile:
    """Pin these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return ModelFile(name=name, bytes=len(data), sha256=digest, sources=sources)


def model_spec(file: ModelFile, *, converted: str | None = None) -> ModelSpec:
    """Describe a model around a file; its network is of no interest to a store."""
    return ModelSpec(
        name="tiny",
        scale=3,
        channels=Channels.RGB,
        value_max=1.0,
        halo_px=8,
        working_bytes_per_px=1000,
        licence="Apache-2.0",
        origin="made by a test",
        file=file,
        converted=converted,
    )
