"""Runs a trainer until a limit or a signal, keeping its log and its checkpoint."""

from __future__ import annotations

import json
import math
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.checkpoint import write_atomically
from training.evaluate import enlarge_with, mean_psnr_db
from training.protocols import SUBSET, degraded_scores

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from training.trainer import Trainer

CHECKPOINT_SECONDS = 600.0
LOG_EVERY_UPDATES = 100
SCORE_EVERY_UPDATES = 1000

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

STANDARD_SETS = ("Set5", "Set14")
DEGRADED_SET = "Kodak24"


@dataclass(frozen=True)
class Limits:
    """When this process stops: whichever comes first, besides the schedule's own end."""

    minutes: float = math.inf
    updates: float = math.inf


class Session:
    """Runs a trainer until its schedule's end, a limit, or a SIGTERM or SIGINT.

    `tests` is the folder of the benchmark sets; sets that are missing are not scored.
    """

    def __init__(self, trainer: Trainer, folder: Path, tests: Path) -> None:
        self.trainer = trainer
        self.checkpoint = checkpoint_path(folder, trainer.config.name)
        self.log = self.checkpoint.with_suffix(".jsonl")
        self.tests = tests
        self.stopping = False
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, limits: Limits) -> None:
        """Train; the checkpoint is always saved before returning."""
        handlers = {one: signal.signal(one, self._ask_to_stop) for one in STOP_SIGNALS}
        try:
            self._advance_until(limits)
            write_atomically(self.trainer.state(), self.checkpoint)
            self.record(scored=True)
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)

    def _advance_until(self, limits: Limits) -> None:
        trainer = self.trainer
        started = saved = time.monotonic()
        spent, last = trainer.seconds, trainer.update + limits.updates
        while not (trainer.finished or self.stopping or trainer.update >= last):
            trainer.advance()
            now = time.monotonic()
            trainer.seconds = spent + now - started
            if trainer.update % LOG_EVERY_UPDATES == 0:
                self.record(scored=trainer.update % SCORE_EVERY_UPDATES == 0)
            if now - saved > CHECKPOINT_SECONDS:
                write_atomically(trainer.state(), self.checkpoint)
                saved = now
            if now - started > limits.minutes * 60:
                break

    def record(self, *, scored: bool) -> None:
        """Append a line to the log: update, minutes, rate, loss (0..1) and scores (dB)."""
        trainer = self.trainer
        line: dict[str, Any] = {
            "update": trainer.update,
            "minutes": round(trainer.seconds / 60, 2),
            "learning_rate": trainer.rate,
            "loss": round(trainer.loss, 6),
        }
        if scored:
            line |= {name: round(value, 3) for name, value in self.scores().items()}
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    def scores(self) -> dict[str, float]:
        """Score the averaged weights on the standard sets, in dB.

        A model for degraded pictures is scored on a small part of Kodak24 too, bicubic beside it.
        """
        enlarge = enlarge_with(self.trainer.average)
        scale = self.trainer.config.network.scale
        found = {}
        for name in STANDARD_SETS:
            if scale > 1 and (self.tests / name).is_dir():
                found[name] = mean_psnr_db(enlarge, self.tests / name, scale)
        if self.trainer.config.degradation and (self.tests / DEGRADED_SET).is_dir():
            for score in degraded_scores(enlarge, self.tests / DEGRADED_SET, scale, SUBSET):
                found[score.protocol] = score.result_db
                found[f"{score.protocol}_bicubic"] = score.bicubic_db
        return found

    def _ask_to_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self.stopping = True


def checkpoint_path(folder: Path, name: str) -> Path:
    """Return where a run's checkpoint lies."""
    return folder / f"{name}.pt"
