"""Bad inputs through the command, as an unprivileged user: one line, non-zero, nothing written."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofs.record import ROOT

_NOBODY = 65534
_TIME_LIMIT_S = 60
_LAUNCHER = f"""
import difflib, os, sys, tempfile
from upres.cli import main, run
words, stderr = sys.argv[1:], os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
with tempfile.TemporaryDirectory() as warm:
    run(["enlarge", "cat.png", "-o", warm + "/large.png"])
os.dup2(stderr, 2)
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({_NOBODY})
    os.setuid({_NOBODY})
main(words)
"""
"""The command after one good run, which loads every library, and with privileges dropped: where
root keeps an interpreter, others often may not go."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One bad call: how the folder is prepared, and the words after `upres enlarge`."""

    prepare: Callable[[Path], None] = field(default=lambda _: None)
    words: tuple[str, ...]
    before: Callable[[], None] | None = None
    """Runs in the child, before the command."""
    mounted: str | None = None
    """A folder that `prepare` mounted a small file system on."""


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Run every case in a folder of its own and look at what it said and left behind."""
    results = {name: _run(case) for name, case in _cases().items()}
    return {"cases": results, "passed": all(case["passed"] for case in results.values())}


def _run(case: _Case) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "examples/cat.png", folder / "cat.png")
        case.prepare(folder)
        _give_away(folder)
        before = _listing(folder)
        run = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, "enlarge", *case.words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIME_LIMIT_S,
            env={"PATH": os.defpath, "HOME": name, "UPRES_MODEL_DIR": f"{name}/models"},
            preexec_fn=case.before,
        )
        after = _listing(folder)
        for path in folder.iterdir():
            path.chmod(0o700)
        if case.mounted is not None:
            subprocess.run(["umount", str(folder / case.mounted)], check=True)
    lines = run.stderr.strip().splitlines()
    passed = run.returncode not in (0, 1) and len(lines) == 1 and after == before and not run.stdout
    return {
        "words": " ".join(case.words),
        "exit": run.returncode,
        "stderr": lines,
        "left_behind": sorted(set(after) - set(before)),
        "passed": passed,
    }


def _give_away(folder: Path) -> None:
    """Make the unprivileged user the owner, keeping the modes that a case has set."""
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY)


def _listing(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.name not in ("models", "disk")
    }


def _small_files() -> None:
    """Let no file grow past 4 KiB; writing more fails as on a full disk would, with EFBIG."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def _png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size; its pixel data are short."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * min((width * 3 + 1) * height, 10**6))
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _cases() -> dict[str, _Case]:
    def file(name: str, data: bytes, mode: int = 0o644) -> Callable[[Path], None]:
        def prepare(folder: Path) -> None:
            (folder / name).write_bytes(data)
            (folder / name).chmod(mode)

        return prepare

    def truncated(folder: Path) -> None:
        (folder / "cut.png").write_bytes((folder / "cat.png").read_bytes()[:9000])

    def small_disk(folder: Path) -> None:
        (folder / "disk").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder / "disk")]
        subprocess.run(mount, check=True)

    def closed_folder(folder: Path) -> None:
        (folder / "closed").mkdir(mode=0o555)

    return {
        "truncated": _Case(prepare=truncated, words=("cut.png",)),
        "wrong extension": _Case(prepare=file("text.jpg", b"not a picture"), words=("text.jpg",)),
        "zero bytes": _Case(prepare=file("empty.png", b""), words=("empty.png",)),
        "1x1": _Case(prepare=file("dot.png", _png(1, 1)), words=("dot.png",)),
        "65535x1": _Case(prepare=file("line.png", _png(65535, 1)), words=("line.png",)),
        "bomb": _Case(prepare=file("bomb.png", _png(60000, 60000)), words=("bomb.png",)),
        "missing": _Case(words=("nowhere.png",)),
        "unreadable": _Case(prepare=file("secret.png", b"x", 0), words=("secret.png",)),
        "unwritable": _Case(
            prepare=closed_folder, words=("cat.png", "-o", "closed/large.png", "--model", "bicubic")
        ),
        "output folder missing": _Case(
            words=("cat.png", "-o", "no/such/large.png", "--model", "bicubic")
        ),
        "file too large": _Case(
            words=("cat.png", "-o", "large.png", "--model", "bicubic"), before=_small_files
        ),
        "full device": _Case(
            words=("cat.png", "-o", "/dev/full", "--format", "png", "--model", "bicubic")
        ),
        "disk full": _Case(
            prepare=small_disk,
            mounted="disk",
            words=("cat.png", "-o", "disk/large.png", "--model", "bicubic"),
        ),
        "unknown model": _Case(words=("cat.png", "--model", "nonesuch")),
        "unknown engine": _Case(words=("cat.png", "--engine", "abacus")),
        "scale 0": _Case(words=("cat.png", "--scale", "0")),
        "scale nan": _Case(words=("cat.png", "--scale", "nan")),
        "scale -2": _Case(words=("cat.png", "--scale=-2")),
        "scale 17": _Case(words=("cat.png", "--scale", "17")),
        "soften nan": _Case(words=("cat.png", "--soften", "nan")),
        "width 0": _Case(words=("cat.png", "--width", "0")),
    }
