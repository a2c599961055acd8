"""20,000 mutated files through the decoder under limits: no crash, no hang, no silent damage."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from proofs.fuzz_seeds import seed_files
from proofs.record import ROOT

_FILES = 20_000
_BATCH = 500
_HANG_S = 20
"""A file that takes longer hangs."""
MEMORY_BYTES = 3 * 2**30

Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One damaged file."""

    source: str
    how: str
    data: bytes


def mutants(seed: int, count: int, *, start: int = 0) -> Iterator[Mutant]:
    """Make files `start` to `count`; each is a function of the seed and its number alone."""
    files = seed_files()
    names = sorted(files)
    ways = sorted(_WAYS)
    for number in range(start, count):
        random = np.random.default_rng([seed, number])
        source, how = names[number % len(names)], ways[int(random.integers(len(ways)))]
        yield Mutant(source=source, how=how, data=_WAYS[how](files[source], random))


def _cut(data: bytes, random: Generator) -> bytes:
    return data[: int(random.integers(len(data)))]


def _flipped(data: bytes, random: Generator, *, first: int = 0, last: int | None = None) -> bytes:
    bent = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        at = int(random.integers(min(first, len(data) - 1), min(last or len(data), len(data))))
        bent[at] ^= 1 << int(random.integers(8))
    return bytes(bent)


def _bent_header(data: bytes, random: Generator) -> bytes:
    return _flipped(data, random, last=64)


def _random_header(data: bytes, random: Generator) -> bytes:
    bent = bytearray(data)
    at, length = int(random.integers(8, 120)), int(random.integers(1, 9))
    bent[at : at + length] = random.bytes(length)
    return bytes(bent)


def _extreme_number(data: bytes, random: Generator) -> bytes:
    """Put an extreme number where a length or a size may stand."""
    values = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
    width = int(random.choice([1, 2, 4]))
    value = values[int(random.integers(len(values)))] & ((1 << 8 * width) - 1)
    at = int(random.integers(min(len(data), 400)))
    order: Literal["big", "little"] = "big" if random.integers(2) else "little"
    return data[:at] + value.to_bytes(width, order) + data[at + width :]


def _part_missing(data: bytes, random: Generator) -> bytes:
    start = int(random.integers(len(data)))
    return data[:start] + data[start + int(random.integers(1, 1 + len(data) // 3)) :]


def _part_twice(data: bytes, random: Generator) -> bytes:
    start = int(random.integers(len(data)))
    part = data[start : start + int(random.integers(1, 1 + len(data) // 3))]
    return data[:start] + part + data[start:]


_WAYS = {
    "bent header": _bent_header,
    "cut": _cut,
    "extreme number": _extreme_number,
    "flipped bits": _flipped,
    "part missing": _part_missing,
    "part twice": _part_twice,
    "random header": _random_header,
}


def measure(seed: int) -> dict[str, Any]:
    """Decode every mutant in limited children; a child that dies or stalls names the file."""
    outcomes: Counter[str] = Counter()
    accidents: list[dict[str, Any]] = []
    start = 0
    while start < _FILES:
        stop = min(start + _BATCH, _FILES)
        done, accident = _batch(seed, start, stop, outcomes)
        if accident is not None:
            accidents.append({"file": done, **accident})
            done += 1
        start = done
    damage = {name: count for name, count in outcomes.items() if name.startswith("SILENT")}
    return {
        "files": _FILES,
        "seed files": sorted(seed_files()),
        "ways": sorted(_WAYS),
        "memory_limit_bytes": MEMORY_BYTES,
        "outcomes": dict(sorted(outcomes.items())),
        "crashes and hangs": accidents,
        "silent damage": damage,
        "passed": not accidents and not damage and sum(outcomes.values()) == _FILES,
    }


def _batch(
    seed: int, start: int, stop: int, outcomes: Counter[str]
) -> tuple[int, dict[str, Any] | None]:
    """Run one child; return the first file it did not finish and what happened to it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "proofs.fuzz_child", *map(str, (seed, start, stop, MEMORY_BYTES))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if child.stdout is None:
        raise RuntimeError("the child has no output")
    done, stalled = start, False
    while done < stop:
        ready, _, _ = select.select([child.stdout], [], [], _HANG_S)
        line = child.stdout.readline() if ready else b""
        if not line:
            stalled = not ready
            break
        outcomes[json.loads(line)] += 1
        done += 1
    child.kill()
    _, err = child.communicate()
    if done == stop:
        return stop, None
    what = "hang" if stalled else f"exit {child.returncode}"
    return done, {"what": what, "stderr": err.decode("utf-8", "replace")[-500:]}
