"""Hostile uploads: every one gets a picture or one clear refusal, and the service stays well."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from proofs.fuzz import mutants
from proofs.record import SHARED
from proofs.serving.running import RunningService, descendants, resident_mb

_MUTANTS = 1500
_CLIENTS = 4
_RSS_LIMIT_MB = 2000
"""For any process of the service at any moment, while decoders may take 3 GiB of address space."""
_ANSWER_LIMIT_S = 120
_MARK = b"UpresSecretMark"
"""In every piece of metadata of our own files: no result may have it."""
Image.MAX_IMAGE_PIXELS = None
"""What comes back is ours."""
_LOWEST_ERROR, _HIGHEST_ERROR = 400, 499


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(
    *, side: tuple[int, int] = (8, 8), before: bytes = b"", pixels: bytes | None = None
) -> bytes:
    header = struct.pack(">IIBBBBB", *side, 8, 2, 0, 0, 0)
    rows = (
        b"".join(b"\0" + bytes(3 * side[0]) for _ in range(side[1])) if pixels is None else pixels
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + before
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _saved(kind: str, **options: Any) -> bytes:
    samples = np.random.default_rng(3).integers(0, 256, (24, 24, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, kind, **options)
    return buffer.getvalue()


def _marked() -> Iterator[tuple[str, bytes]]:
    """Yield pictures that carry our mark wherever a file has room for words."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = exif[0x8298] = exif[0xA431] = _MARK.decode()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = _MARK.decode()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + _MARK + b"</x:xmpmeta>"
    for kind in ("jpeg", "webp", "tiff", "avif", "png"):
        options: dict[str, Any] = {"exif": exif}
        if kind in ("jpeg", "webp"):
            options["xmp"] = xmp
        yield f"marked.{kind}", _saved(kind, **options)
    yield "comment.jpeg", _saved("jpeg", comment=_MARK)
    text = _chunk(b"tEXt", b"Comment\0" + _MARK) + _chunk(b"iTXt", b"a\0\0\0\0\0" + _MARK)
    yield "text.png", _png(before=text)
    yield "polyglot-after.png", _png() + b"<html><script>" + _MARK + b"</script>"
    yield "polyglot-zip.jpg", _saved("jpeg") + b"PK\x03\x04" + _MARK * 1000


def _bombs() -> Iterator[tuple[str, bytes]]:
    """Yield small files that claim, or unfold to, very much."""
    yield "bomb-claims.png", _png(side=(60000, 60000), pixels=b"")
    yield "bomb-true.png", _png(side=(7000, 7000), pixels=bytes(7000 * (1 + 3 * 7000)))
    yield "bomb-more-than-claimed.png", _png(pixels=bytes(200_000_000))
    yield "wide.png", _png(side=(2_000_000_000, 1), pixels=b"")
    yield "zero.png", _png(side=(0, 8), pixels=b"")
    yield "texts.png", _png(before=_chunk(b"tEXt", b"k\0v") * 100_000)
    unfolding = zlib.compress(bytes(100_000_000))
    yield "ztxt.png", _png(before=_chunk(b"zTXt", b"k\0\0" + unfolding))
    yield "icc.png", _png(before=_chunk(b"iCCP", b"k\0\0" + unfolding))
    yield (
        "many-frames.gif",
        _saved(
            "gif",
            save_all=True,
            append_images=[Image.new("RGB", (8, 8), (k % 256, k // 256, 0)) for k in range(2000)],
        ),
    )


def _foreign() -> Iterator[tuple[str, bytes]]:
    """Yield what is no picture of ours, under pictures' names."""
    yield "empty.png", b""
    yield "one.png", b"\x89"
    yield "text.jpg", b"hello"
    yield "page.png", b"<html><script>alert(1)</script></html>"
    yield "vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    yield "entity.svg", b"<!DOCTYPE s [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg>&a;</svg>"
    yield "script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit"
    yield "paper.pdf", b"%PDF-1.7\n%%EOF"
    yield "program", b"\x7fELF" + bytes(200)
    yield "archive.zip", b"PK\x03\x04" + bytes(200)
    yield "pickle.png", b"\x80\x04cposix\nsystem\n(S'id'\ntR."
    yield "photoshop.png", b"8BPS\0\x01" + bytes(40)
    yield "../../etc/passwd", _png()
    yield "a\u202egnp.exe", _png()
    yield "nul\0.png", _png()


def _truncations() -> Iterator[tuple[str, bytes]]:
    for kind in ("png", "jpeg", "webp", "gif", "tiff", "avif", "bmp"):
        whole = _saved(kind)
        for part in range(1, 32):
            yield f"cut-{part}.{kind}", whole[: len(whole) * part // 32]


def uploads(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield every file with its name."""
    for path in sorted((SHARED / "awkward").rglob("*")):
        if path.is_file() and path.suffix != ".tsv":
            yield str(path.relative_to(SHARED)), path.read_bytes()
    yield from _marked()
    yield from _bombs()
    yield from _foreign()
    yield from _truncations()
    for number, mutant in enumerate(mutants(seed, _MUTANTS)):
        yield f"mutant-{number}", mutant.data


class _Watch(threading.Thread):
    """Looks at the memory of every process of a service."""

    def __init__(self, service: RunningService) -> None:
        super().__init__(daemon=True)
        self._service = service
        self.over = threading.Event()
        self.peak_mb: dict[str, float] = {}

    def run(self) -> None:
        while not self.over.wait(0.05):
            if self._service.process is None:
                continue
            for pid in list(descendants(self._service.process.pid)):
                kind = _kind(pid)
                self.peak_mb[kind] = max(self.peak_mb.get(kind, 0.0), resident_mb(pid))


def _kind(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return "gone"
    for word in (b"worker", b"web"):
        if b"upres\0" + word in words:
            return word.decode()
    return "sandbox" if b"template" in words else "other"


def measure(seed: int) -> dict[str, Any]:
    """Send every file and look at every answer."""
    files = list(uploads(seed))
    with (
        tempfile.TemporaryDirectory() as name,
        RunningService(Path(name), workers=2) as service,
    ):
        before = set(_pids(service))
        watch = _Watch(service)
        watch.start()
        http = httpx.Client(base_url=service.url, timeout=_ANSWER_LIMIT_S)
        with ThreadPoolExecutor(_CLIENTS) as pool:
            rows = list(pool.map(lambda file: _sent(http, *file), files))
        well = http.get("/readyz").status_code
        sound = _sent(http, "sound.png", _png())
        watch.over.set()
        watch.join()
        restarted = sorted(before - set(_pids(service)))
    statuses = Counter(str(row["status"]) for row in rows)
    codes = Counter(str(row.get("code")) for row in rows if row.get("code"))
    wrong = [row for row in rows if row["wrong"]]
    return {
        "files": len(rows),
        "statuses": dict(statuses),
        "codes": dict(codes),
        "wrong": wrong[:20],
        "wrong_answers": len(wrong),
        "leaks": [row["name"] for row in rows if "leak" in row["wrong"]],
        "slowest_s": max(row["seconds"] for row in rows),
        "peak_mb": {kind: round(mb) for kind, mb in watch.peak_mb.items()},
        "peak_limit_mb": _RSS_LIMIT_MB,
        "ready_afterwards": well,
        "processes_lost": restarted,
        "passed": not wrong
        and well == httpx.codes.OK
        and sound["status"] == httpx.codes.OK
        and not restarted
        and max(watch.peak_mb.values()) <= _RSS_LIMIT_MB,
    }


def _pids(service: RunningService) -> Iterator[int]:
    for word in ("web", "worker"):
        yield from service.processes(word)


def _sent(http: httpx.Client, name: str, data: bytes) -> dict[str, Any]:
    started = time.perf_counter()
    row: dict[str, Any] = {"name": name.encode("unicode_escape").decode(), "wrong": []}
    try:
        answer = http.post(
            "/api/v1/enlarge",
            params={"model": "bicubic", "scale": "2", "name": name.replace("\0", "")},
            content=data,
            headers={"Content-Type": "image/png", "Prefer": f"wait={_ANSWER_LIMIT_S}"},
        )
    except httpx.HTTPError as error:
        return row | {"status": type(error).__name__, "seconds": 0.0, "wrong": ["no answer"]}
    row |= {"status": answer.status_code, "seconds": round(time.perf_counter() - started, 2)}
    kind = answer.headers.get("content-type", "")
    if answer.status_code == httpx.codes.OK:
        row["wrong"] += _wrong_picture(answer.content)
    elif not _LOWEST_ERROR <= answer.status_code <= _HIGHEST_ERROR:
        row["wrong"].append(f"status {answer.status_code}: {answer.text[:200]}")
    elif not kind.startswith("application/problem+json"):
        row["wrong"].append(f"an error as {kind}")
    else:
        row["code"] = json.loads(answer.content)["code"]
    return row


def _wrong_picture(data: bytes) -> list[str]:
    wrong = ["leak"] if _MARK in data else []
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except (OSError, ValueError, SyntaxError) as error:
        return [*wrong, f"no picture: {error}"]
    exif = picture.getexif()
    if exif.get_ifd(0x8825) or set(exif) - _HARMLESS or "xmp" in picture.info:
        wrong.append("leak")
    return wrong


_HARMLESS = {256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 317, 322, 323, 324}
_HARMLESS |= {325, 338, 339, 274, 254, 266, 34675, 320, 305, 297, 531, 34665}
"""TIFF's own tags, which say how pixels are stored."""
