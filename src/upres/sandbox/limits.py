"""What one child may use, and what must hold before it sees a byte of a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from upres.errors import InvalidOption

NOBODY = 65534
POSTURE = (
    "memory_limit",
    "cpu_limit",
    "no_files_written",
    "no_new_descriptors",
    "process_limit",
    "no_core_dump",
    "no_new_privileges",
    "no_capabilities",
    "not_root",
    "dies_with_service",
    "own_network",
    "landlock",
    "seccomp",
    "killed_first_without_memory",
)
"""The names of what can hold for a child; which do depends on the machine.

process_limit holds where a root service's child becomes another user; seccomp lets nobody start a
process.
landlock and seccomp each keep every file closed; own_network and seccomp each keep the network out.
"""
_ALWAYS_THERE = (
    "memory_limit",
    "cpu_limit",
    "no_files_written",
    "no_new_descriptors",
    "no_new_privileges",
    "dies_with_service",
)


@dataclass(frozen=True, kw_only=True)
class SandboxLimits:
    """The most that a child may take for one picture; it is killed past any of these."""

    memory_bytes: int = 3 * 2**30
    """Address space beyond what the interpreter with its libraries has, twice or three times what
    is really used: a WebP of 100 million pixels with alpha takes 2.3 GiB of it."""
    cpu_s: int = 60
    """Seconds of one core."""
    wall_s: float = 120.0
    """Seconds of waiting for the child, in all: while rows are worked on nobody waits for it."""
    silence_s: float = 30.0
    """Seconds of waiting for the child's next word."""
    processes: int = 256
    """Processes and threads of the user `run_as` together, where a child becomes that user."""
    run_as: int | None = NOBODY
    """The user (and group) that a child of a root service becomes; None lets it be root."""
    required: tuple[str, ...] = _ALWAYS_THERE
    """Names of POSTURE without which a child refuses to work."""

    def __post_init__(self) -> None:
        for name in ("memory_bytes", "cpu_s", "wall_s", "silence_s", "processes"):
            if not getattr(self, name) > 0:
                raise InvalidOption(name, getattr(self, name), "a number above 0")
        if self.run_as is not None and self.run_as < 1:
            raise InvalidOption("run_as", self.run_as, "the number of a user that is not root")
        unknown = sorted(set(self.required) - set(POSTURE))
        if unknown:
            raise InvalidOption("required", ", ".join(unknown), f"some of {', '.join(POSTURE)}")

    def as_json(self) -> dict[str, Any]:
        """Return the limits as they are sent; `from_json` makes them again."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SandboxLimits:
        """Return the limits that `as_json` gave."""
        return cls(**{**values, "required": tuple(values["required"])})
