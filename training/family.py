"""Trains the whole family in order: continues the first unfinished model until it is stopped."""

from __future__ import annotations

import argparse
import math
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from training.checkpoint import read
from training.config import Config, read_config
from training.session import Limits, checkpoint_path
from training.train import (
    CONFIGS,
    HERE,
    Places,
    add_places,
    model_path,
    read_places,
    release,
    train,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAN = HERE / "family.toml"


def read_plan(path: Path) -> list[Config]:
    """Return the configurations of a plan, in order.

    Raises ValueError where a model stands before the one it starts from.
    """
    names: list[str] = tomllib.loads(path.read_text("utf-8"))["steps"]
    steps = [read_config(CONFIGS / f"{name}.toml") for name in names]
    for index, step in enumerate(steps):
        for start in (step.start_from, *(step.shift or ())):
            if start is not None and start not in names[:index]:
                raise ValueError(f"{step.name} stands before {start}, its start")
    return steps


def is_finished(step: Config, places: Places) -> bool:
    """Tell whether a step's run has come to the end of the schedule it has now."""
    checkpoint = checkpoint_path(places.checkpoints, step.name)
    if not checkpoint.exists():
        return False
    state = read(checkpoint)
    return bool(state.get("finished")) and state["update"] >= step.schedule.updates


def run(steps: Sequence[Config], places: Places, minutes: float = math.inf) -> None:
    """Train the unfinished steps one after the other until a limit or a signal."""
    started = time.monotonic()
    for step in steps:
        if is_finished(step, places):
            if not model_path(step.name, places).exists():
                release(step.name, places)
            continue
        left = minutes - (time.monotonic() - started) / 60
        # Nothing of a step is kept: its pictures are to be gone before the next step's come.
        if not train(step, places, Limits(minutes=left)).trainer.finished:
            return


def show(steps: Sequence[Config], places: Places) -> None:
    """Print how far each step is."""
    for step in steps:
        checkpoint = checkpoint_path(places.checkpoints, step.name)
        state = read(checkpoint) if checkpoint.exists() else {"update": 0, "seconds": 0.0}
        done = "finished" if is_finished(step, places) else f"of {step.schedule.updates}"
        print(f"{step.name}: {state['update']} {done}, {state['seconds'] / 3600:.1f} hours")


def main() -> None:
    """Continue the plan from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, default=PLAN)
    add_places(parser)
    parser.add_argument("--minutes", type=float, default=math.inf, help="in this session")
    parser.add_argument("--show", action="store_true", help="print how far it is, and train not")
    options = parser.parse_args()
    steps, places = read_plan(options.plan), read_places(options)
    if options.show:
        show(steps, places)
    else:
        run(steps, places, options.minutes)


if __name__ == "__main__":
    main()
