"""Calls that Python has no name for: prctl, capset, unshare, Landlock, malloc_trim, mallopt."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_CAPABILITY_VERSION = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
"""System call numbers, the same on every architecture."""
_LANDLOCK_VERSION = 1
_LANDLOCK_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""Kinds of access to files that each version of Landlock knows, lowest bits first."""
_LANDLOCK_TCP_SINCE, _LANDLOCK_SCOPES_SINCE = 4, 6
_TWO_KINDS = 0b11
"""Of TCP: to bind and to connect. Of scopes: abstract sockets and signals."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BLOCK_BYTES = 8 * 2**20


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def control(option: int, value: int, second: int = 0) -> bool:
    """Call prctl; tell whether the kernel agreed."""
    numbers = [ctypes.c_ulong(number) for number in (value, second, 0, 0)]
    return bool(_libc().prctl(option, *numbers) == 0)


def trim_memory() -> None:
    """Give memory that was freed back to the system, where the C library can (glibc)."""
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_memory_whole() -> None:
    """Have the C library (glibc) cut its memory into few pieces, so that it can be given back.

    By itself it makes an area for every thread and takes larger and larger blocks out of areas,
    where what stays of one picture keeps the room of the next apart: over a thousand pictures of
    mixed sizes a worker grew by 1.7 MB in a hundred. Blocks from 8 MB on have mappings of their
    own here; from 1 MB on, small networks took a quarter longer.
    """
    options = getattr(_libc(), "mallopt", None)
    if options is not None:
        options(_M_ARENA_MAX, 2)
        options(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        options(_M_TRIM_THRESHOLD, _LARGE_BLOCK_BYTES)


def leave_network() -> bool:
    """Go into a network of one's own, in which there is nothing; tell whether that was possible.

    Only for a process with one thread. Children are born there.
    """
    own = _CLONE_NEWNET | _CLONE_NEWIPC
    libc = _libc()
    return any(libc.unshare(flags) == 0 for flags in (own, own | _CLONE_NEWUSER))


def drop_capabilities() -> bool:
    """Give up every capability; tell whether none is left."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    return bool(_libc().capset(header, none) == 0)


def close_file_system() -> bool:
    """Let this process open, make, remove nothing from now on (Landlock); tell whether it holds.

    Needs no_new_privileges.
    """
    call = _libc().syscall
    version = call(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return False
    kinds = max(bits for since, bits in _LANDLOCK_FILES.items() if since <= version)
    handled = [(1 << kinds) - 1]
    if version >= _LANDLOCK_TCP_SINCE:
        handled.append(_TWO_KINDS)
    if version >= _LANDLOCK_SCOPES_SINCE:
        handled.append(_TWO_KINDS)
    rules = (ctypes.c_uint64 * len(handled))(*handled)
    empty = call(_LANDLOCK_CREATE, rules, ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if empty < 0:
        return False
    try:
        return bool(call(_LANDLOCK_RESTRICT, empty, 0) == 0)
    finally:
        os.close(empty)
