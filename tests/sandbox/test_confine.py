"""What code that runs in a child can do: nothing but compute, and write its pipe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from upres.errors import InvalidOption, SandboxUnavailable
from upres.sandbox import seccomp
from upres.sandbox.decoder import opened, posture
from upres.sandbox.launcher import Launcher
from upres.sandbox.limits import POSTURE, SandboxLimits


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return how each attempt of a child ended."""
    file = tmp_path_factory.mktemp("in") / "picture"
    file.write_bytes(b"x")
    os.environ["SANDBOX_TEST_SECRET"] = "hidden"  # noqa: S105
    try:
        with (
            Launcher("sandbox.children:look_around") as launcher,
            opened(file, through=launcher) as decoder,
        ):
            found: dict[str, str] = json.loads("".join(decoder.warnings))
    finally:
        del os.environ["SANDBOX_TEST_SECRET"]
    return found


def test_nothing_is_possible_but_threads(seen: dict[str, str], honest: Launcher) -> None:
    """Sockets, files, processes, signals, tracing, limits, users, memory to run code in."""
    if not posture(through=honest)["seccomp"]:
        pytest.skip("the kernel of this machine has no filters")
    attempts = {name: end for name, end in seen.items() if name != "environment"}
    done = {name for name, end in attempts.items() if end.startswith("done")}
    assert done == {"thread"}
    assert len(attempts) > 20
    assert not Path("/tmp/upres-sandbox-was-here").exists()  # noqa: S108


def test_the_environment_is_ours_alone(seen: dict[str, str]) -> None:
    """A service's environment holds its secrets."""
    assert set(seen["environment"].split()) == {
        "LC_ALL",
        "MALLOC_ARENA_MAX",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VIPS_CONCURRENCY",
        "VIPS_DISC_THRESHOLD",
    }


def test_the_posture_tells_every_name(honest: Launcher) -> None:
    """What every Linux has holds."""
    held = posture(through=honest)
    assert tuple(sorted(held)) == tuple(sorted(POSTURE))
    assert all(held[name] for name in SandboxLimits().required)


def test_a_machine_without_what_is_required_decodes_nothing(
    tmp_path: Path, honest: Launcher
) -> None:
    """Here it is a root service that lets its children be root."""
    if os.geteuid() != 0:
        pytest.skip("this user is not root")
    file = tmp_path / "picture"
    file.write_bytes(b"x")
    limits = SandboxLimits(run_as=None, required=("not_root",))
    assert not posture(limits, through=honest)["not_root"]
    with (
        pytest.raises(SandboxUnavailable, match="protection"),
        opened(file, limits=limits, through=honest),
    ):
        pass


def test_a_template_that_does_not_start_says_why() -> None:
    """And there is no posture then."""
    with Launcher("sandbox.not_there:work") as launcher:
        with pytest.raises(SandboxUnavailable, match=r"sandbox\.not_there"):
            launcher.start()
        assert not any(posture(through=launcher).values())


@pytest.mark.parametrize(
    "wrong",
    [{"cpu_s": 0}, {"memory_bytes": -1}, {"run_as": 0}, {"required": ("bravery",)}],
)
def test_limits_make_sense(wrong: dict[str, int]) -> None:
    """Or are refused by name."""
    with pytest.raises(InvalidOption, match=next(iter(wrong))):
        SandboxLimits(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "place", "pattern"),
    [
        ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 0, r"__NR_(\w+) (\d+)"),
        ("/usr/include/asm-generic/unistd.h", 1, r"__NR(?:3264)?_(\w+) (\d+)"),
    ],
)
def test_call_numbers_are_the_kernels(file: str, place: int, pattern: str) -> None:
    """On both architectures, where the kernel's headers are installed."""
    if not Path(file).exists():
        pytest.skip(f"{file} is not on this machine")
    known = {name: int(number) for name, number in re.findall(pattern, Path(file).read_text())}
    for name, numbers in (seccomp.CALLS | seccomp.CHECKED_CALLS).items():
        assert known[name] == numbers[place], name


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_lands_inside(machine: str) -> None:
    """And its last instruction refuses."""
    code = seccomp.program(machine, 1)
    steps = [code[at : at + 8] for at in range(0, len(code), 8)]
    for at, step in enumerate(steps):
        if step[0] & 7 == 5:
            assert at + 1 + max(step[2], step[3]) < len(steps)
    assert steps[-1][0] == 6
    assert steps[-1][6:] == b"\x05\x00"
