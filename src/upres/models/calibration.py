"""The ranges of values in networks: one table for each model that has an int8 twin."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upres.models.spec import ModelSpec

QUANTIZER_VERSION = "1"
"""Raised whenever quantize.py makes other bytes of the same graph and table.

It stands here, not in quantize.py, so that finding a twin does not import onnx.
"""
CALIBRATIONS = Path(__file__).parent / "calibrations"
"""One table for each model, `ID.json`; `python -m training.calibrate ID` writes it."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The ranges that a network's int8 twin is made with; of one file, known by its hash."""

    model: str
    """`spec.id`."""
    sha256: str
    """Of the model's file."""
    inputs: tuple[tuple[float, float] | None, ...]
    """For each convolution in the graph's order the range of its input; None leaves it float."""

    @property
    def version(self) -> str:
        """What a twin depends on beside the model's file: the quantizer and this table."""
        digest = hashlib.sha256(repr(self.inputs).encode()).hexdigest()
        return f"{QUANTIZER_VERSION}-{digest[:16]}"


def calibration_of(spec: ModelSpec) -> Calibration | None:
    """Return the table that ships for a model; None where there is none for just this file."""
    found = _read(CALIBRATIONS / f"{spec.id}.json")
    return found if found is not None and found.sha256 == spec.file.sha256 else None


@lru_cache(maxsize=64)
def _read(path: Path) -> Calibration | None:
    if not path.is_file():
        return None
    entry = json.loads(path.read_text("utf-8"))
    inputs = tuple(None if limits is None else (limits[0], limits[1]) for limits in entry["inputs"])
    return Calibration(model=entry["model"], sha256=entry["sha256"], inputs=inputs)


def entry_text(entry: Mapping[str, Any]) -> str:
    """Return a table as the JSON that is kept, a line for each convolution."""
    lines = ",\n".join(f"  {json.dumps(_rounded(limits))}" for limits in entry["inputs"])
    head = "".join(f' "{key}": {json.dumps(entry[key])},\n' for key in entry if key != "inputs")
    return f'{{\n{head} "inputs": [\n{lines}\n ]\n}}\n'


def _rounded(limits: tuple[float, float] | None) -> list[float] | None:
    return None if limits is None else [float(f"{limit:.6g}") for limit in limits]
