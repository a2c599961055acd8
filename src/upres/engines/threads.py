"""How many CPUs this process may really use: affinity and container limits, not just the machine.

The engines' own defaults count the machine's cores; in a container with a quota that makes them
start too many threads and wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from math import ceil
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Mount(NamedTuple):
    """One mounted cgroup hierarchy."""

    point: PurePosixPath
    """Where it is mounted."""
    root: PurePosixPath
    """The group that is seen at that place."""
    controllers: frozenset[str]
    """Version 1: the controllers it holds; version 2: empty."""


def usable_cpus(*, root: Path = Path("/")) -> int:
    """Return how many threads can run at once, at least 1.

    The smallest of: CPUs this process is bound to, CPUs of the machine, and every CPU quota of its
    cgroups (versions 1 and 2) rounded up. `root` is where proc and sys are found, for tests.
    """
    quotas = (ceil(quota) for quota in cgroup_quotas(_reader(root)))
    return max(1, min((_bound_cpus(), os.cpu_count() or 1, *quotas)))


def _bound_cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux and some BSDs
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _reader(root: Path) -> Callable[[PurePosixPath], str | None]:
    """Return what reads a file below `root`: None where it cannot, as on other systems."""

    def read(path: PurePosixPath) -> str | None:
        try:
            return root.joinpath(*path.parts[1:]).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    return read


def cgroup_quotas(read: Callable[[PurePosixPath], str | None]) -> Iterator[float]:
    """Yield every CPU quota, in CPUs, on the way from this process's groups to their mounts.

    `read` takes an absolute path and gives the file's text, None where it cannot be read.
    """
    groups = parse_groups(read(PurePosixPath("/proc/self/cgroup")) or "")
    mounts = parse_mounts(read(PurePosixPath("/proc/self/mountinfo")) or "")
    for mount in mounts:
        if mount.controllers and "cpu" not in mount.controllers:
            continue
        group = groups.get("cpu" if mount.controllers else "")
        if group is None:
            continue
        for folder in _folders(group, mount):
            if mount.controllers:
                quota = read(folder / "cpu.cfs_quota_us")
                limit = parse_quota(f"{quota or ''} {read(folder / 'cpu.cfs_period_us') or ''}")
            else:
                limit = parse_quota(read(folder / "cpu.max") or "")
            if limit is not None:
                yield limit


def _folders(group: PurePosixPath, mount: Mount) -> Iterable[PurePosixPath]:
    """Return the group's folder and those above it, as far as this mount shows them."""
    inside = group.is_relative_to(mount.root) and ".." not in group.parts
    if not inside:  # a container that sees the host's names: what is mounted is its own group
        return (mount.point,)
    folder = mount.point / group.relative_to(mount.root)
    return (folder, *(above for above in folder.parents if above.is_relative_to(mount.point)))


def parse_groups(text: str) -> dict[str, PurePosixPath]:
    """Return the controller -> group of /proc/self/cgroup; version 2's controller is ''."""
    groups: dict[str, PurePosixPath] = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, separator, group = rest.partition(":")
        if number.isdigit() and separator and group.startswith("/"):
            groups |= dict.fromkeys(controllers.split(","), PurePosixPath(group))
    return groups


def parse_mounts(text: str) -> list[Mount]:
    """Return the cgroup hierarchies of /proc/self/mountinfo."""
    mounts: list[Mount] = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, details = before.split(), after.split()
        if not separator or len(fields) < 5 or len(details) < 3:  # noqa: PLR2004 - proc(5)
            continue
        if details[0] in ("cgroup", "cgroup2"):
            options = frozenset(details[2].split(",")) - {"rw", "ro"}
            controllers = options if details[0] == "cgroup" else frozenset[str]()
            mounts.append(Mount(PurePosixPath(fields[4]), PurePosixPath(fields[3]), controllers))
    return mounts


def parse_quota(text: str) -> float | None:
    """Return the CPUs in `quota period` (microseconds), None for no limit or no such text."""
    match text.split():
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period) > 0:
            return int(quota) / int(period) or None
    return None
