"""What was measured of the engines on this machine, kept until something changes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, get_args

from upres.engines.base import Precision
from upres.errors import OutputNotWritable
from upres.image.files import complete_output

if TYPE_CHECKING:
    from collections.abc import Sequence

BUDGET_DB = 0.05
"""What of fp32's PSNR-Y on the samples may be lost without being asked for."""
_FORMAT = 3
"""Raised when measurements are made another way: older ones are then made again."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """How one engine did in one arithmetic on the tile that all engines get."""

    engine: str
    precision: Precision
    seconds: tuple[float, ...] = ()
    """One for each round; empty when the engine failed."""
    max_level_difference: float = 0.0
    """Largest difference from the exact engine, in levels of 255, after clipping to 0..255."""
    loss_db: float | None = None
    """PSNR-Y lost against the exact engine on the samples; None where that was not measured."""
    failure: str | None = None
    """Why the engine is out, in its own words."""

    @property
    def median_s(self) -> float:
        """Seconds for one tile; infinite when the engine failed."""
        return median(self.seconds) if self.seconds else float("inf")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How the engine that `auto` takes is run best."""

    engine: str
    precision: Precision
    threads: int
    """For one picture at a time."""
    tile_px: int | None
    """Side of tiles; None: as large as memory allows."""
    processes: int
    processes_gain: float
    """So many processes of a thread each do so many times as much as one with all threads."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What measurements depend on: they hold while all of this is the same."""

    cpu: str
    threads: int
    engines: tuple[tuple[str, str], ...]
    """Name and version of every engine that is installed."""
    model: str
    """`spec.id`, for people who look into the folder."""
    sha256: str
    """Of the model's file."""

    def file(self, folder: Path) -> Path:
        """Return where measurements under these conditions are kept."""
        text = json.dumps(asdict(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return folder / f"engines-{self.model}-{digest[:16]}.json"


def save(
    measurements: Sequence[Measurement],
    *,
    conditions: Conditions,
    folder: Path,
    budget_db: float = BUDGET_DB,
    setting: Setting | None = None,
) -> Path:
    """Keep measurements in a folder, made if need be; the file is whole or not there.

    `budget_db` is what `auto` may lose against fp32 from now on, under these conditions.

    Returns the file. Raises OutputNotWritable and DiskFull.
    """
    path = conditions.file(folder)
    content = {
        "format": _FORMAT,
        "conditions": _plain(conditions),
        "budget_db": budget_db,
        "setting": None if setting is None else _plain(setting),
        "measurements": [_plain(measurement) for measurement in measurements],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(path, (error.strerror or str(error)).lower()) from error
    with complete_output(path) as file:
        file.write(json.dumps(content, indent=1).encode())
    return path


def load(*, conditions: Conditions, folder: Path) -> tuple[Measurement, ...]:
    """Return what was kept under exactly these conditions; nothing when absent or damaged."""
    try:
        content = _content(conditions, folder)
        return tuple(_measurement(entry) for entry in content["measurements"])
    except (OSError, ValueError, TypeError, KeyError):
        return ()  # measured again, and then written anew


def kept_budget_db(*, conditions: Conditions, folder: Path) -> float:
    """Return the budget that was kept with the measurements, or the usual one."""
    try:
        return float(_content(conditions, folder)["budget_db"])
    except (OSError, ValueError, TypeError, KeyError):
        return BUDGET_DB


def kept_setting(*, conditions: Conditions, folder: Path) -> Setting | None:
    """Return how the engine is run best; None where that was not measured, or is damaged."""
    try:
        entry = _content(conditions, folder)["setting"]
        return None if entry is None else _setting(entry)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _content(conditions: Conditions, folder: Path) -> dict[str, Any]:
    """Read a file; raises OSError, ValueError, TypeError or KeyError on anything unexpected."""
    content: dict[str, Any] = json.loads(conditions.file(folder).read_bytes())
    if content["format"] != _FORMAT or content["conditions"] != _plain(conditions):
        raise ValueError
    return content


def _plain(value: Measurement | Conditions | Setting) -> Any:
    """Return a dataclass as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(asdict(value)))


def _measurement(entry: dict[str, Any]) -> Measurement:
    """Read one entry; raises ValueError, TypeError or KeyError on anything unexpected."""
    seconds = tuple(float(second) for second in entry["seconds"])
    failure = entry["failure"]
    if entry["precision"] not in get_args(Precision) or not isinstance(entry["engine"], str):
        raise ValueError
    if (failure is None) != bool(seconds) or not all(second > 0 for second in seconds):
        raise ValueError
    return Measurement(
        engine=entry["engine"],
        precision=entry["precision"],
        seconds=seconds,
        max_level_difference=float(entry["max_level_difference"]),
        loss_db=None if entry["loss_db"] is None else float(entry["loss_db"]),
        failure=failure,
    )


def _setting(entry: dict[str, Any]) -> Setting:
    """Read a setting; raises ValueError, TypeError or KeyError on anything unexpected."""
    setting = Setting(**entry)
    numbers = (setting.threads, setting.processes, *filter(None, (setting.tile_px,)))
    if not all(type(number) is int and number >= 1 for number in numbers):
        raise ValueError
    if setting.precision not in get_args(Precision) or not isinstance(setting.engine, str):
        raise ValueError
    return replace(setting, processes_gain=float(setting.processes_gain))
