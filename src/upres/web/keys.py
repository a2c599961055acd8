"""API keys: a TOML file of names, scopes and hashes; a key itself is shown once and never kept.

    [[key]]
    name = "shop"
    id = "3f9a0c2b7d10"
    sha256 = "…"              # of the secret's text
    scopes = ["enlarge"]

A key is `upres_ID_SECRET`. The secret is 256 random bits, so a plain hash keeps it. A running
server notices when the file changes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upres.errors import InvalidOption, KeysUnusable

SCOPES = ("enlarge", "models")
"""`enlarge`: send pictures; `models`: have models downloaded."""
_PREFIX = "upres"
_ID_BYTES = 6
_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEX = re.compile(r"[0-9a-f]+")
_PRIVATE = 0o600


@dataclass(frozen=True)
class Key:
    """What is kept of an API key."""

    name: str
    id: str
    sha256: str
    """Of the secret, 64 hex digits."""
    scopes: tuple[str, ...]


class Keyring:
    """The keys of a file, read anew when it changes; safe to share between threads."""

    def __init__(self, path: Path | None) -> None:
        """Take a file, which need not be there yet; None: there are no keys."""
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Return every key, in the file's order. Raises KeysUnusable."""
        return list(self._current().values())

    def find(self, text: str) -> Key | None:
        """Return the key that a text is; None: it is none, or one that was removed.

        Raises KeysUnusable.
        """
        prefix, _, rest = text.partition("_")
        id_, _, secret = rest.partition("_")
        key = self._current().get(id_)
        expected = key.sha256 if key is not None else _hash("")
        same = hmac.compare_digest(_hash(secret), expected)
        return key if same and prefix == _PREFIX else None

    def _current(self) -> dict[str, Key]:
        if self._path is None:
            return {}
        with self._lock:
            seen = _signature(self._path)
            if seen != self._seen:
                self._keys = {} if seen is None else {key.id: key for key in read(self._path)}
                self._seen = seen
            return self._keys


def add(path: Path, name: str, *, scopes: Iterable[str] = ("enlarge",)) -> str:
    """Make a key, keep its hash in the file, return it: it can be had this once.

    Raises InvalidOption for a name that is taken or odd and for unknown scopes, KeysUnusable.
    """
    if not _NAME.fullmatch(name):
        raise InvalidOption("name", name, "up to 64 letters, digits, dots, dashes, underscores")
    chosen = tuple(dict.fromkeys(scopes))
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if unknown or not chosen:
        raise InvalidOption("scope", ", ".join(unknown), f"one or more of {', '.join(SCOPES)}")
    keys = _read_if_there(path)
    if any(key.name == name for key in keys):
        raise InvalidOption("name", name, "a name that no other key has")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    key = Key(name=name, id=secrets.token_hex(_ID_BYTES), sha256=_hash(secret), scopes=chosen)
    _write(path, [*keys, key])
    return f"{_PREFIX}_{key.id}_{secret}"


def remove(path: Path, name: str) -> None:
    """Forget a key: requests with it are refused from now on.

    Raises InvalidOption where there is no key of that name, KeysUnusable.
    """
    keys = _read_if_there(path)
    kept = [key for key in keys if key.name != name]
    if len(kept) == len(keys):
        known = ", ".join(key.name for key in keys) or "there are none"
        raise InvalidOption("name", name, f"the name of a key: {known}")
    _write(path, kept)


def read(path: Path) -> list[Key]:
    """Return the keys of a file. Raises KeysUnusable."""
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise KeysUnusable(path, (error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise KeysUnusable(path, str(error).splitlines()[0]) from error
    entries = found.pop("key", [])
    if found or not isinstance(entries, list):
        raise KeysUnusable(path, "it holds something else than [[key]] tables")
    keys = [_key(path, entry) for entry in entries]
    for what in ("name", "id"):
        if len({getattr(key, what) for key in keys}) != len(keys):
            raise KeysUnusable(path, f"two keys have the same {what}")
    return keys


def _key(path: Path, entry: Any) -> Key:
    texts = ("name", "id", "sha256")
    if not isinstance(entry, dict) or entry.keys() != {*texts, "scopes"}:
        raise KeysUnusable(path, "a key has name, id, sha256 and scopes")
    scopes = entry["scopes"]
    right = (
        all(isinstance(entry[text], str) for text in texts)
        and _NAME.fullmatch(entry["name"])
        and _HEX.fullmatch(entry["id"])
        and _HEX.fullmatch(entry["sha256"])
        and len(entry["sha256"]) == len(_hash(""))
        and isinstance(scopes, list)
        and all(scope in SCOPES for scope in scopes)
    )
    if not right:
        raise KeysUnusable(path, f"the key {str(entry['name'])[:64]!r} is not as it must be")
    return Key(name=entry["name"], id=entry["id"], sha256=entry["sha256"], scopes=tuple(scopes))


def _read_if_there(path: Path) -> list[Key]:
    return [] if _signature(path) is None else read(path)


def _write(path: Path, keys: Iterable[Key]) -> None:
    """Replace the file by a whole new one, as readable as it was; a first one is for its owner."""
    import tomli_w

    entries = [asdict(key) | {"scopes": list(key.scopes)} for key in keys]
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            tomli_w.dump({"key": entries}, file)
            file.flush()
            _keep_rights(path, file.fileno())
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise KeysUnusable(path, (error.strerror or str(error)).lower()) from error


def _keep_rights(path: Path, handle: int) -> None:
    """Give an open file the owner, group and mode of the one that it is to replace."""
    try:
        before = path.stat()
    except FileNotFoundError:
        return
    now = os.fstat(handle)
    if hasattr(os, "fchown") and (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        os.fchown(handle, before.st_uid, before.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, stat.S_IMODE(before.st_mode))


def _signature(path: Path) -> tuple[int, ...] | None:
    """Return what tells one state of a file from another; None: it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeysUnusable(path, (error.strerror or str(error)).lower()) from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
