"""Trains one model from its configuration; stops and continues without changing the result."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from training.batches import smallest_side_px
from training.card import card_path
from training.checkpoint import State, read
from training.config import Config, read_config
from training.data import Corpus, find_pictures
from training.evaluate import BENCHMARKS
from training.export import export_with_card
from training.networks import fold, parameter_count
from training.session import Limits, Session, checkpoint_path
from training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
CONFIGS = HERE / "configs"
CHECKPOINTS = HERE / "checkpoints"
OUT = HERE / "out"
TIMED_OUT = OUT / "timed"
PICTURES = HERE.parents[1] / "shared" / "train"


@dataclass(frozen=True)
class Places:
    """Where a run finds and leaves its files.

    `pictures` are searched for training data, `checkpoints` keep runs, `parents` the runs that
    new ones start from, `models` take exported files; `tests` holds the benchmark sets.
    """

    pictures: tuple[Path, ...] = (PICTURES,)
    checkpoints: Path = CHECKPOINTS
    parents: Path = CHECKPOINTS
    models: Path = OUT
    tests: Path = BENCHMARKS


def load_corpus(config: Config, pictures: Sequence[Path]) -> Corpus:
    """Load the pictures that a configuration can use."""
    smallest_px = smallest_side_px(config.crops, degraded=config.degradation is not None)
    found = find_pictures(pictures, config.exclude)
    corpus = Corpus(found, config.network.scale, smallest_px)
    print(f"{len(corpus.pictures)} pictures, {corpus.megapixels:.1f} megapixels", flush=True)
    return corpus


def train(
    config: Config, places: Places, limits: Limits, *, total_minutes: float | None = None
) -> Session:
    """Begin or continue a run; when it is finished, export it. Return its session.

    With `total_minutes` the schedule is laid out over that time, and a run that is already
    finished begins anew. Raises FileNotFoundError when the model to start from is missing.
    """
    checkpoint = checkpoint_path(places.checkpoints, config.name)
    state = read(checkpoint) if checkpoint.exists() else None
    if (
        total_minutes is not None
        and state is not None
        and _is_other_timed_run(state, total_minutes)
    ):
        state = None
        checkpoint.with_suffix(".jsonl").unlink(missing_ok=True)
    parents = [] if state else _parents(config, places)
    trainer = Trainer(config, load_corpus(config, places.pictures), total_minutes=total_minutes)
    plain = parameter_count(fold(trainer.network))
    print(f"{config.name}: {plain} parameters", flush=True)
    session = Session(trainer, places.checkpoints, places.tests)
    if config.strengths:
        trainer.mix_with(_parent(config, config.strengths.other, places))
    if state:
        trainer.restore(state)
    elif parents:
        trainer.start_from(*parents)
    session.run(limits)
    if trainer.finished:
        release(config.name, places)
    return session


def _is_other_timed_run(state: State, total_minutes: float) -> bool:
    return bool(state.get("finished")) or state.get("total_minutes") != total_minutes


def _parents(config: Config, places: Places) -> list[State]:
    """Read the run to start from, then the two that the shift lies between."""
    if config.start_from is None:
        return []
    return [_parent(config, name, places) for name in (config.start_from, *(config.shift or ()))]


def _parent(config: Config, name: str, places: Places) -> State:
    path = checkpoint_path(places.parents, name)
    if not path.exists():
        raise FileNotFoundError(
            f"{config.name} starts from {name}, and {path} is missing: "
            f"train that first, or begin without it by --from-scratch"
        )
    return read(path)


def model_path(name: str, places: Places) -> Path:
    """Return where a finished run's model is exported to."""
    return places.models / f"{name.replace('-', '_')}.onnx"


def release(name: str, places: Places) -> None:
    """Export a run's model with its card, and print the card."""
    onnx = model_path(name, places)
    digest = export_with_card(checkpoint_path(places.checkpoints, name), onnx, places.tests)
    print(f"{onnx}: {onnx.stat().st_size} bytes, sha256 {digest}")
    print(card_path(onnx).read_text("utf-8"), flush=True)


def main() -> None:
    """Train from the command line, continuing the run's checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    add_places(parser)
    parser.add_argument("--start-from", help="another model's name, instead of the configured")
    parser.add_argument("--from-scratch", action="store_true", help="start from random weights")
    parser.add_argument("--minutes", type=float, default=math.inf, help="in this session")
    parser.add_argument("--updates", type=float, default=math.inf, help="in this session")
    parser.add_argument(
        "--fit",
        action="store_true",
        help=f"lay the whole schedule out over --minutes, apart from the long runs: {TIMED_OUT}",
    )
    options = parser.parse_args()
    config = read_config(options.config)
    if options.start_from or options.from_scratch:
        config = replace(config, start_from=options.start_from, shift=None)
    places, limits = read_places(options), Limits(options.minutes, options.updates)
    if not options.fit:
        train(config, places, limits)
        return
    if math.isinf(options.minutes):
        parser.error("--fit needs --minutes")
    places = replace(places, checkpoints=options.out or TIMED_OUT, models=options.out or TIMED_OUT)
    train(config, places, Limits(updates=options.updates), total_minutes=options.minutes)


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where files are."""
    parser.add_argument("--data", type=Path, action="append", help="a folder of pictures")
    parser.add_argument("--out", type=Path, help="for checkpoints, logs and exported models")
    parser.add_argument("--tests", type=Path, default=BENCHMARKS, help="holds Set5, Set14 ...")


def read_places(options: argparse.Namespace) -> Places:
    """Return the places that the options name."""
    places = Places(pictures=tuple(options.data or [PICTURES]), tests=options.tests)
    if options.out is None:
        return places
    return replace(places, checkpoints=options.out, parents=options.out, models=options.out)


if __name__ == "__main__":
    main()
