"""What a child gives up, one thing after the other, before it sees a byte of a picture."""

from __future__ import annotations

import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

from upres.sandbox import kernel
from upres.sandbox.limits import SandboxLimits
from upres.sandbox.seccomp import close_kernel

INPUT, OUTPUT = 3, 4
"""The two descriptors that a child keeps beside the three standard ones, which lead nowhere."""
_DESCRIPTORS = 5
_FIRST_TO_DIE = b"1000"
_USUAL_SPACE_BYTES = 512 * 2**20


def confine(limits: SandboxLimits, *, parent: int, own_network: bool) -> dict[str, bool]:
    """Limit this process for ever; return what holds, by the names of POSTURE.

    `parent` is the process with which this one dies. Exits when that is gone already.
    """
    os.umask(0o777)
    space = _address_space_bytes() + limits.memory_bytes
    held = {
        "own_network": own_network,
        "killed_first_without_memory": _die_first(),
        "memory_limit": _limit(resource.RLIMIT_AS, space),
        "cpu_limit": _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),
        "no_files_written": _limit(resource.RLIMIT_FSIZE, 0),
        "no_core_dump": _limit(resource.RLIMIT_CORE, 0)
        and kernel.control(kernel.PR_SET_DUMPABLE, 0),
    }
    was_root = os.geteuid() == 0
    held["not_root"] = _become(limits.run_as)
    # of a person's own user the kernel would count every thread of every program
    changed = was_root and held["not_root"]
    held["process_limit"] = changed and _limit(resource.RLIMIT_NPROC, limits.processes)
    held["no_capabilities"] = kernel.drop_capabilities()
    # a change of the user takes this back, so it comes after
    held["dies_with_service"] = kernel.control(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    held["no_new_privileges"] = kernel.control(kernel.PR_SET_NO_NEW_PRIVS, 1)
    held["landlock"] = kernel.close_file_system()
    held["no_new_descriptors"] = _limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    held["seccomp"] = close_kernel()
    return held


def _limit(kind: int, value: int, hard: int | None = None) -> bool:
    """Set a limit, not above the one that is there; tell whether it holds."""
    most = resource.getrlimit(kind)[1]
    soft, hard = (
        number if most == resource.RLIM_INFINITY else min(number, most)
        for number in (value, value if hard is None else hard)
    )
    try:
        resource.setrlimit(kind, (soft, hard))
    except (OSError, ValueError):
        return False
    return resource.getrlimit(kind) == (soft, hard)


def _become(user: int | None) -> bool:
    """Become another user where this one is root; tell whether this one is not root now."""
    if user is not None and os.geteuid() == 0:
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
    return 0 not in os.getresuid()


def _die_first() -> bool:
    """Let the kernel take this process before others when memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_bytes(_FIRST_TO_DIE)
    except OSError:
        return False
    return True


def _address_space_bytes() -> int:
    """Return what this process has already: its own code and libraries, mostly."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    except OSError:
        return _USUAL_SPACE_BYTES
    return pages * resource.getpagesize()
