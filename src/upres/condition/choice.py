"""Chooses a strength between `lite` and `photo` for a picture's condition, and says why."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upres.condition.measure import Condition

MEASURE_VERSION = 2
"""Add 1 with every change of what is measured: results of `auto` depend on it."""
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The strengths that are chosen: few, so that open networks serve many pictures."""
_WORDS = {
    "quality": "its file states a compression quality of {value:.0f}",
    "blocks": "it shows the block edges of compression ({value:.2f})",
    "noise": "its flattest parts have noise of {value:.1f} levels",
    "grain": "its flattest parts have grain of {value:.1f} levels",
    "print": "it has one tint, like an old print, and noise of {value:.1f} levels",
    "aliased": "it looks shrunk without smoothing ({value:.2f})",
    "soft": "it looks blurred ({value:.2f})",
}
"""How each cause is told of."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A strength, and the reason in words."""

    clean: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Something measured that calls for `photo`: not at all at `start`, wholly at `full`."""

    name: str
    start: float
    full: float

    def value(self, condition: Condition) -> float | None:
        """Return what was measured, None where it was not."""
        found: float | None = getattr(condition, _MEASURES.get(self.name, self.name))
        return found

    def strength(self, condition: Condition) -> float:
        """Return how strongly this cause alone calls for `photo`, 0..1."""
        value = self.value(condition)
        if value is None:
            return 0.0
        return min(1.0, max(0.0, (value - self.start) / (self.full - self.start)))


_MEASURES = {"aliased": "sharpness", "soft": "sharpness", "print": "print_noise"}
"""Causes that are not named like what is measured."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The causes, of which the strongest decides."""

    causes: tuple[Cause, ...]
    lite: str
    """SHA-256 of the x3 network that it was fitted with, at strength 0."""
    photo: str
    """And at strength 1."""
    text: str
    """All of it, as it is written."""

    @property
    def version(self) -> str:
        """Another one whenever another strength may be chosen for a picture."""
        words = f"{MEASURE_VERSION} {LEVELS} {self.text}"
        return hashlib.sha256(words.encode()).hexdigest()

    def choose(self, condition: Condition) -> Choice:
        """Return the strength for a picture."""
        strongest = max(self.causes, key=lambda cause: cause.strength(condition))
        strength = strongest.strength(condition)
        clean = min(LEVELS, key=lambda level: abs(level - strength))
        value = strongest.value(condition)
        if clean == 0 or value is None:
            noise = f"noise of {condition.noise:.1f} levels"
            return Choice(clean=0.0, reason=f"it looks clean: {noise}, no strong compression")
        return Choice(clean=clean, reason=_WORDS[strongest.name].format(value=value))


def parse_rule(text: str) -> Rule:
    """Read a rule as `training.fit_auto` writes it; KeyError, TypeError, ValueError for others."""
    table = tomllib.loads(text)
    causes = tuple(Cause(name=name, **ramp) for name, ramp in table["causes"].items())
    unknown = {cause.name for cause in causes} - set(_WORDS)
    if unknown or not causes:
        raise ValueError(f"causes are {', '.join(_WORDS)}, not {', '.join(unknown) or 'none'}")
    return Rule(causes=causes, lite=table["lite"], photo=table["photo"], text=text)


@cache
def shipped_rule() -> Rule:
    """Return the rule that ships."""
    return parse_rule(resources.files("upres.condition").joinpath("rule.toml").read_text("utf-8"))


def choose(condition: Condition) -> Choice:
    """Return the strength for a picture by the rule that ships."""
    return shipped_rule().choose(condition)


def rule_version() -> str:
    """Return what stands for the rule that ships in the keys of results."""
    return shipped_rule().version
