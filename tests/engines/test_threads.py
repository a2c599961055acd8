"""How many CPUs a process may use, on sample files of real machines and containers."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from upres.engines.threads import (
    Mount,
    cgroup_quotas,
    parse_groups,
    parse_mounts,
    parse_quota,
    usable_cpus,
)

V2_MOUNT = "31 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = """\
24 1 8:1 / / rw,relatime - ext4 /dev/root rw
33 25 0:29 /docker/ab12 /sys/fs/cgroup/cpu,cpuacct ro master:11 - cgroup cgroup rw,cpu,cpuacct
34 25 0:30 /docker/ab12 /sys/fs/cgroup/memory ro,nosuid master:12 - cgroup cgroup rw,memory
"""
V1_GROUPS = "5:memory:/docker/ab12\n4:cpu,cpuacct:/docker/ab12\n1:name=systemd:/docker/ab12\n"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 1.5),
        ("50000 100000\n", 0.5),
        ("-1\n 100000\n", None),
        ("200000\n 50000\n", 4.0),
        ("0 100000", None),
        ("100000 0", None),
        ("100000", None),
        ("", None),
        ("a b", None),
    ],
)
def test_quotas_are_read(text: str, cpus: float | None) -> None:
    """Both versions write microseconds of CPU and of time; no limit and nonsense are no quota."""
    assert parse_quota(text) == cpus


def test_groups_are_read() -> None:
    """Version 1 names controllers, several on one line; version 2 names none."""
    assert parse_groups(f"{V1_GROUPS}0::/user.slice/a:b\nnonsense\n") == {
        "memory": PurePosixPath("/docker/ab12"),
        "cpu": PurePosixPath("/docker/ab12"),
        "cpuacct": PurePosixPath("/docker/ab12"),
        "name=systemd": PurePosixPath("/docker/ab12"),
        "": PurePosixPath("/user.slice/a:b"),
    }


def test_mounts_are_read() -> None:
    """Only cgroup hierarchies count, optional fields or none before the dash."""
    point = PurePosixPath("/sys/fs/cgroup")
    docker = PurePosixPath("/docker/ab12")
    assert parse_mounts(V2_MOUNT + V1_MOUNTS + "broken - line\n") == [
        Mount(point, PurePosixPath("/"), frozenset()),
        Mount(point / "cpu,cpuacct", docker, frozenset({"cpu", "cpuacct"})),
        Mount(point / "memory", docker, frozenset({"memory"})),
    ]


def quotas(files: dict[str, str]) -> list[float]:
    return sorted(cgroup_quotas(lambda path: files.get(str(path))))


def test_version_2_counts_every_group_above() -> None:
    """The tightest limit may be a parent's."""
    files = {
        "/proc/self/cgroup": "0::/a.slice/b.service\n",
        "/proc/self/mountinfo": V2_MOUNT,
        "/sys/fs/cgroup/a.slice/b.service/cpu.max": "400000 100000\n",
        "/sys/fs/cgroup/a.slice/cpu.max": "250000 100000\n",
        "/sys/fs/cgroup/cpu.max": "max 100000\n",
        "/sys/fs/cpu.max": "1 100000\n",
    }
    assert quotas(files) == [2.5, 4.0]


def test_version_2_in_a_container_of_its_own() -> None:
    """There the group is the root of what is mounted."""
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2_MOUNT,
        "/sys/fs/cgroup/cpu.max": "150000 100000\n",
    }
    assert quotas(files) == [1.5]


def test_version_1_in_a_container() -> None:
    """The group has the host's name, and what is mounted is that group."""
    folder = "/sys/fs/cgroup/cpu,cpuacct"
    files = {
        "/proc/self/cgroup": V1_GROUPS,
        "/proc/self/mountinfo": V1_MOUNTS,
        f"{folder}/cpu.cfs_quota_us": "300000\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
    }
    assert quotas(files) == [3.0]


@pytest.mark.parametrize("group", ["/../../elsewhere", "/kubepods/pod1"])
def test_a_group_that_is_not_seen_counts_as_what_is_mounted(group: str) -> None:
    """A group outside of what this process sees is no reason to fail."""
    files = {
        "/proc/self/cgroup": f"4:cpu,cpuacct:{group}\n",
        "/proc/self/mountinfo": V1_MOUNTS,
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    assert quotas(files) == [1.0]


def test_both_versions_at_once() -> None:
    """Where the controllers are in version 1, version 2 is mounted without limits."""
    files = {
        "/proc/self/cgroup": "1:cpu:/\n0::/\n",
        "/proc/self/mountinfo": (
            "32 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
            "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        ),
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert quotas(files) == []


def test_systems_without_cgroups_have_no_quota() -> None:
    """Windows and macOS have none of the files."""
    assert quotas({}) == []


@pytest.mark.parametrize(("quota", "cpus"), [("50000 100000", 1), ("100001 100000", 2)])
def test_a_quota_is_rounded_up(
    quota: str, cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a CPU is one thread, one and a bit are two."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for name, text in {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": V2_MOUNT,
        "sys/fs/cgroup/cpu.max": quota,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert usable_cpus(root=tmp_path) == cpus


def test_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is bound to three CPUs of many has three."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 9}, raising=False)
    assert usable_cpus(root=tmp_path) == 3


def test_systems_without_affinity_count_their_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where even that is unknown, there is one."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert usable_cpus(root=tmp_path) == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(root=tmp_path) == 1


def test_this_machine_has_one_at_least() -> None:
    """The real files are read without an error."""
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)
