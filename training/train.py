"""Trains one model from its configuration; stops and continues without changing the result."""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.checkpoint import State, read, write_atomically
from training.config import Config, Schedule, read_config
from training.data import Corpus, find_pictures
from training.evaluate import enlarge_with, mean_psnr_db
from training.networks import Network, parameter_count
from training.optimizer import Optimizers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

HERE = Path(__file__).parent
SHARED = HERE.parent.parent / "shared"
CHECKPOINT_SECONDS = 600.0
LOG_EVERY_UPDATES = 100
SCORE_EVERY_UPDATES = 1000


def learning_rate(schedule: Schedule, update: int) -> float:
    """Return the rate of an update (0-based): warm-up, constant, cosine to zero."""
    warm = min(1.0, (update + 1) / schedule.warmup_updates)
    left = (schedule.updates - update) / min(schedule.decay_updates, schedule.updates)
    decay = 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, left)))
    return schedule.learning_rate * warm * decay


class Trainer:
    """The state of a run: everything a checkpoint holds."""

    def __init__(self, config: Config, corpus: Corpus) -> None:
        self.config = config
        self.corpus = corpus
        torch.manual_seed(config.seed)
        self.network = Network(config.network)
        self.average = Network(config.network)
        for network in (self.network, self.average):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.average.eval().requires_grad_(False)
        self.optimizers = Optimizers(self.network, config.schedule.optimizer)
        self.update = 0
        self.seconds = 0.0
        self.loss = math.nan

    def advance(self) -> None:
        """Make one update."""
        schedule = self.config.schedule
        low, high = self.corpus.batch(self.config.crops, self.config.seed, self.update)
        with torch.autocast("cpu", torch.bfloat16):
            result = self.network(low)
        loss = functional.l1_loss(result, high)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), schedule.clip_norm)
        self.optimizers.step(learning_rate(schedule, self.update))
        self.update += 1
        self._follow()
        seen = float(loss.detach())
        self.loss = seen if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * seen

    @torch.no_grad()
    def _follow(self) -> None:
        # A short memory at first: the average must not carry the random start along.
        keep = min(self.config.schedule.average, self.update / (self.update + 100))
        targets: list[Tensor] = list(self.average.parameters())
        sources: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(targets, sources, 1 - keep)

    def state(self) -> State:
        """Return all that `restore` needs."""
        return {
            "name": self.config.name,
            "spec": asdict(self.config.network),
            "update": self.update,
            "seconds": self.seconds,
            "loss": self.loss,
            "weights": self.network.state_dict(),
            "ema": self.average.state_dict(),
            "optimizers": self.optimizers.state(),
        }

    def restore(self, state: State) -> None:
        """Continue where `state` was taken."""
        if state["spec"] != asdict(self.config.network):
            raise ValueError(f"the checkpoint is of another network: {state['spec']}")
        self.network.load_state_dict(state["weights"])
        self.average.load_state_dict(state["ema"])
        self.optimizers.restore(state["optimizers"])
        self.update, self.seconds = state["update"], state["seconds"]
        self.loss = state["loss"]

    def start_from(self, state: State) -> None:
        """Take over another run's averaged weights, with a fresh optimizer."""
        self.network.load_state_dict(state["ema"])
        self.average.load_state_dict(state["ema"])


@dataclass(frozen=True)
class Limits:
    """When this process stops: whichever comes first, besides the schedule's own end."""

    minutes: float = math.inf
    updates: float = math.inf


class Session:
    """Runs a trainer until a limit or a SIGTERM, keeping its log and checkpoint."""

    def __init__(self, trainer: Trainer, folder: Path, tests: Sequence[Path]) -> None:
        self.trainer = trainer
        self.checkpoint = folder / f"{trainer.config.name}.pt"
        self.log = folder / f"{trainer.config.name}.jsonl"
        self.tests = [test for test in tests if test.is_dir()]
        self.stopping = False
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, limits: Limits) -> None:
        """Train; the checkpoint is always saved before returning."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, self._ask_to_stop)
        trainer = self.trainer
        started = saved = time.monotonic()
        spent = trainer.seconds
        last = min(trainer.config.schedule.updates, trainer.update + limits.updates)
        while trainer.update < last and not self.stopping:
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
        write_atomically(trainer.state(), self.checkpoint)
        self.record(scored=True)

    def record(self, *, scored: bool) -> None:
        """Append a line to the log: update, minutes, rate, loss (0..1) and scores (dB)."""
        trainer = self.trainer
        line: dict[str, Any] = {
            "update": trainer.update,
            "minutes": round(trainer.seconds / 60, 2),
            "learning_rate": learning_rate(trainer.config.schedule, trainer.update),
            "loss": round(trainer.loss, 6),
        }
        if scored:
            enlarge, scale = enlarge_with(trainer.average), trainer.config.network.scale
            for test in self.tests:
                line[test.name] = round(mean_psnr_db(enlarge, test, scale), 3)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    def _ask_to_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self.stopping = True


def main() -> None:
    """Train from the command line, continuing the run's checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, action="append", help="folders of pictures")
    parser.add_argument("--out", type=Path, default=HERE / "checkpoints")
    parser.add_argument("--tests", type=Path, default=SHARED / "bench", help="holds Set5, Set14")
    parser.add_argument("--start-from", type=Path, help="a checkpoint to take the weights of")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--updates", type=float, default=math.inf, help="in this session")
    options = parser.parse_args()
    config = read_config(options.config)
    paths = find_pictures(options.data or [SHARED / "train"], config.exclude)
    corpus = Corpus(paths, config.network.scale, config.crops.patch_px)
    print(f"{len(corpus.pairs)} pictures, {corpus.megapixels:.1f} megapixels", flush=True)
    trainer = Trainer(config, corpus)
    print(f"{config.name}: {parameter_count(trainer.network)} trained numbers", flush=True)
    session = Session(trainer, options.out, [options.tests / "Set5", options.tests / "Set14"])
    if session.checkpoint.exists():
        trainer.restore(read(session.checkpoint))
    elif options.start_from:
        trainer.start_from(read(options.start_from))
    session.run(Limits(options.minutes, options.updates))


if __name__ == "__main__":
    main()
