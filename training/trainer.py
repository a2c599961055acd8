"""One training run: network, averaged weights, optimizers, and the update that moves them."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.batches import Batches
from training.checkpoint import State
from training.networks import Network, NetworkSpec
from training.optimizer import Optimizers
from training.schedule import learning_rate, timed_learning_rate
from training.strengths import enlarge_between
from training.symmetry import Symmetry

if TYPE_CHECKING:
    from training.config import Config
    from training.data import Corpus

TAIL = "tail."
"""Beginning of the names of the last convolution, the one that depends on the scale."""


class Trainer:
    """The state of a run: everything a checkpoint holds.

    `total_minutes` lays the schedule out over that training time instead of over
    `schedule.updates`. `folders` counts the pictures seen, `ancestors` are the runs whose
    weights this one began with, `ends` the averaged weights at each end that the run has had.
    """

    def __init__(
        self, config: Config, corpus: Corpus, *, total_minutes: float | None = None
    ) -> None:
        self.config = config
        self.batches = Batches(
            corpus,
            config.crops,
            config.seed,
            config.degradation,
            config.variation,
            config.strengths,
        )
        self.total_minutes = total_minutes
        self.folders: dict[str, int] = dict(corpus.folders)
        self.ancestors: list[State] = []
        self.ends: list[dict[str, Tensor]] = []
        self.other: dict[str, Tensor] = {}
        torch.manual_seed(config.seed)
        self.network = Network(config.network)
        self.average = Network(config.network)
        for network in (self.network, self.average):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.symmetry = Symmetry(self.network) if config.network.symmetric else None
        if self.symmetry:
            self.symmetry.begin()
        self.average.load_state_dict(self.network.state_dict())
        self.average.eval().requires_grad_(False)
        self.optimizers = Optimizers(self.network, config.schedule.optimizer)
        self.update = 0
        self.seconds = 0.0
        self.loss = math.nan

    @property
    def rate(self) -> float:
        """Return the learning rate of the next update."""
        schedule = self.config.schedule
        if self.total_minutes is None:
            return learning_rate(schedule, self.update)
        return timed_learning_rate(schedule, self.update, self.seconds / 60 / self.total_minutes)

    @property
    def finished(self) -> bool:
        """Tell whether the schedule has run out."""
        if self.total_minutes is None:
            return self.update >= self.config.schedule.updates
        return self.seconds >= self.total_minutes * 60

    def advance(self) -> None:
        """Make one update."""
        low, high = self.batches.take(self.update)
        with torch.autocast("cpu", torch.bfloat16):
            result = self._enlarge(low)
        loss = self.config.loss(result, high)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.symmetry:
            self.symmetry.share_gradients()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.schedule.clip_norm)
        self.optimizers.step(self.rate)
        if self.symmetry:
            self.symmetry.keep()
        self.update += 1
        self._follow()
        seen = float(loss.detach())
        self.loss = seen if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * seen
        if self.config.schedule.mean_of_ends and self.finished:
            self._end()

    def _enlarge(self, low: Tensor) -> Tensor:
        strengths = self.config.strengths
        strength = strengths.at(self.config.seed, self.update) if strengths else 1.0
        if strength == 1.0:
            result: Tensor = self.network(low)
            return result
        return enlarge_between(self.other, self.network, strength, low)

    def mix_with(self, state: State) -> None:
        """Set the run between whose averaged weights and these `strengths` lie."""
        self.other = dict(state["ema"])

    def _end(self) -> None:
        """Keep the averaged weights, and put the mean over all ends in their place."""
        self.ends.append({name: one.clone() for name, one in self.average.state_dict().items()})
        means = {
            name: torch.stack([end[name] for end in self.ends]).mean(0) for name in self.ends[0]
        }
        self.average.load_state_dict(means)

    @torch.no_grad()
    def _follow(self) -> None:
        # A short memory at first: the average must not carry the random start along.
        keep = min(self.config.schedule.average, self.update / (self.update + 100))
        targets: list[Tensor] = list(self.average.parameters())
        sources: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(targets, sources, 1 - keep)

    def state(self) -> State:
        """Return all that `restore` needs, and what a model card says."""
        return {
            "name": self.config.name,
            "spec": asdict(self.config.network),
            "config": asdict(self.config),
            "update": self.update,
            "seconds": self.seconds,
            "total_minutes": self.total_minutes,
            "finished": self.finished,
            "loss": self.loss,
            "folders": self.folders,
            "ancestors": self.ancestors,
            "ends": self.ends,
            "weights": self.network.state_dict(),
            "ema": self.average.state_dict(),
            "optimizers": self.optimizers.state(),
        }

    def restore(self, state: State) -> None:
        """Continue where `state` was taken.

        Raises ValueError for another network, and where the schedule was cut off behind the
        run's back, which would end it at a high learning rate.
        """
        if NetworkSpec(**state["spec"]) != self.config.network:
            raise ValueError(f"the checkpoint is of another network: {state['spec']}")
        self.update, self.seconds = state["update"], state["seconds"]
        if self.finished and not state.get("finished", False):
            raise ValueError(
                f"at update {self.update} the learning rate has not decayed: give the schedule "
                "at least `decay_updates` more"
            )
        self.network.load_state_dict(state["weights"])
        self.average.load_state_dict(state["ema"])
        self.optimizers.restore(state["optimizers"])
        self.loss = state["loss"]
        self.ancestors = state.get("ancestors", [])
        self.ends = list(state.get("ends", []))
        taken_up_again = state.get("finished", False) and not self.finished
        if self.ends and taken_up_again:  # on from the last end, not from the mean of all
            self.average.load_state_dict(self.ends[-1])
        for folder, count in state.get("folders", {}).items():
            self.folders[folder] = max(count, self.folders.get(folder, 0))

    def start_from(self, state: State, *shift: State) -> None:
        """Take over another run's averaged weights, with a fresh optimizer.

        Of a network of another scale only the trunk is taken: everything but the last
        convolution; of a deeper one as many blocks as there are here. `shift`, two runs, adds to
        the trunk what turned the first's into the second's. Raises ValueError where trunks differ.
        """
        weights = self._taken(state)
        if shift:
            before, after = (self._taken(one) for one in shift)
            shared = [name for name in before if not name.startswith(TAIL)]
            weights |= {name: weights[name] + after[name] - before[name] for name in shared}
        self.network.load_state_dict(weights)
        if self.symmetry:
            self.symmetry.keep()
        self.average.load_state_dict(self.network.state_dict())
        self.ancestors = _ancestors([state, *shift])

    def _taken(self, state: State) -> dict[str, Tensor]:
        """Return the weights that a run gives to this network, completed by its own."""
        own = self.network.state_dict()
        weights: dict[str, Tensor] = dict(state["ema"])
        if NetworkSpec(**state["spec"]).scale != self.config.network.scale:
            weights |= {name: own[name] for name in own if name.startswith(TAIL)}
        depth = self.config.network.blocks
        weights = {name: one for name, one in weights.items() if not _beyond(name, depth)}
        shapes = [{name: one.shape for name, one in many.items()} for many in (own, weights)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the trunk of {state['name']} does not fit {self.config.network}")
        return weights


def _beyond(name: str, depth: int) -> bool:
    """Tell whether a tensor belongs to a block that a trunk of `depth` blocks does not have."""
    parts = name.split(".")
    return parts[0] == "blocks" and int(parts[1]) >= depth


def _ancestors(parents: list[State]) -> list[State]:
    """Return what is known of each run that led to these, without repeating any."""
    found: list[State] = []
    for state in parents:
        parent = {key: state.get(key) for key in ("name", "update", "seconds", "folders")}
        found += [one for one in (*state.get("ancestors", []), parent) if one not in found]
    return found
