"""The few calls of the kernel that decoding needs; every other one is refused.

A decoder that is already loaded computes, takes memory, starts threads, reads its file and writes
its pipe. It opens nothing, connects to nothing, starts no process, and gets no memory in which it
could run code of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass

from upres.sandbox.kernel import PR_SET_NO_NEW_PRIVS, control

CALLS: dict[str, tuple[int, int]] = {
    "read": (0, 63),
    "pread64": (17, 67),
    "write": (1, 64),
    "writev": (20, 66),
    "close": (3, 57),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "ppoll": (271, 73),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "brk": (12, 214),
    "madvise": (28, 233),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
"""Numbers on x86-64 and on 64-bit ARM of what is allowed whatever is passed."""
CHECKED_CALLS: dict[str, tuple[int, int]] = {
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "clone": (56, 220),
    "tgkill": (234, 131),
    "clone3": (435, 435),
}
"""What is allowed with some arguments only."""

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Place in the tables above, and the kernel's name, of an architecture."""
_PROT_EXEC = 4
_CLONE_THREAD = 0x10000
_ANY_BIT = 0xFFFFFFFF
_X32 = 0x40000000
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_NOT_LESS = 0x15, 0x35
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


@dataclass(frozen=True)
class _Check:
    """A call that is allowed when an argument, of its bits only those of `mask`, has a value."""

    call: str
    argument: int
    mask: int
    value: int


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def program(machine: str, pid: int) -> bytes:
    """Return the filter for an architecture, as BPF; raises KeyError for one that is not known."""
    place, name = _MACHINES[machine]
    refuse = _instruction(_RETURN, _REFUSE | errno.EPERM)
    allow = _instruction(_RETURN, _ALLOW)
    parts = [
        _instruction(_LOAD, _MACHINE_AT),
        _instruction(_IF_EQUAL, name, 1, 0),
        refuse,
        _instruction(_LOAD, _NUMBER_AT),
        # the numbers of another way to call, on x86-64 only
        _instruction(_IF_NOT_LESS, _X32, 0, 1),
        refuse,
    ]
    for numbers in CALLS.values():
        parts += [_instruction(_IF_EQUAL, numbers[place], 0, 1), allow]
    # its arguments cannot be looked at: the C library takes clone instead
    parts += [
        _instruction(_IF_EQUAL, CHECKED_CALLS["clone3"][place], 0, 1),
        _instruction(_RETURN, _REFUSE | errno.ENOSYS),
    ]
    for check in (
        _Check("mmap", 2, _PROT_EXEC, 0),
        _Check("mprotect", 2, _PROT_EXEC, 0),
        _Check("clone", 0, _CLONE_THREAD, _CLONE_THREAD),
        _Check("tgkill", 0, _ANY_BIT, pid),
    ):
        parts += [
            _instruction(_IF_EQUAL, CHECKED_CALLS[check.call][place], 0, 5),
            _instruction(_LOAD, _ARGUMENTS_AT + 8 * check.argument),
            _instruction(_AND, check.mask),
            _instruction(_IF_EQUAL, check.value, 0, 1),
            allow,
            refuse,
        ]
    return b"".join([*parts, refuse])


def close_kernel() -> bool:
    """Refuse this process all but those calls, for ever; tell whether it holds.

    False on other architectures, and where the kernel has no filters.
    """
    machine = platform.machine()
    if machine not in _MACHINES or sys.byteorder != "little":
        return False
    code = program(machine, os.getpid())
    size = len(code) // 8
    held = ctypes.create_string_buffer(code, len(code))
    described = ctypes.create_string_buffer(struct.pack("@HP", size, ctypes.addressof(held)))
    return control(PR_SET_NO_NEW_PRIVS, 1) and control(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(described)
    )
