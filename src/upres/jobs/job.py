"""What a job is: its states and the ways between them, what was asked for, who works on it.

    submit ──► QUEUED ──claim──► RUNNING ──finish──► DONE ───────┐
                │  ▲               │ │ │                         │
                │  └─release, lease┘ │ └─fail, poison─► FAILED ──┤ expire
                │    over            │                           ├───────► EXPIRED ─► forgotten
                └──────cancel────────┴──cancelled───► CANCELLED ─┘

A job is worked on under a lease. When a lease is over, others may take the job: by `claim` at once
(RUNNING to RUNNING, with a larger token), or by `reap`, which puts it back, or fails it after too
many attempts. QUEUED goes straight to DONE when a job of the same content was finished.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from upres.errors import InvalidOption
from upres.image.formats import FORMATS
from upres.image.picture import Format
from upres.upscale.size import DEFAULT_FACTOR, SizeRequest
from upres.upscale.upscaler import Options

if TYPE_CHECKING:
    from upres.storage.blobs import Blob

CLIP: Final = "mp4"
"""The format of results that are clips."""
ResultFormat = Format | Literal["mp4"]
LEASE_S = 30.0
HEARTBEAT_S = 5.0
ATTEMPTS_CAP = 3
"""So many times a job may end its worker."""
POISON = "poison"
"""The error code of a job that did."""
BATCH_DELAY_S = 120.0
"""A batch job stands in the queue as if it had come so much later: whoever is interactive and
comes within this time goes first, and no one who comes after."""

_KEY_CHARACTERS = 255
_QUALITIES = range(1, 101)


class State(StrEnum):
    """Where a job is; the module's docstring draws the ways."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Ended some time ago; its result and source are given up."""


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.DONE, State.CANCELLED}),
    State.RUNNING: frozenset(
        {State.RUNNING, State.QUEUED, State.DONE, State.FAILED, State.CANCELLED}
    ),
    State.DONE: frozenset({State.EXPIRED}),
    State.FAILED: frozenset({State.EXPIRED}),
    State.CANCELLED: frozenset({State.EXPIRED}),
    State.EXPIRED: frozenset(),
}
"""Every way there is. RUNNING to RUNNING is a claim of a job whose lease is over."""

UNFINISHED = frozenset({State.QUEUED, State.RUNNING})
FINISHED = frozenset({State.DONE, State.FAILED, State.CANCELLED})


class Priority(StrEnum):
    """How long others are let go first; see BATCH_DELAY_S."""

    INTERACTIVE = "interactive"
    BATCH = "batch"

    @property
    def delay_s(self) -> float:
        """Seconds by which a job of this priority counts as submitted later."""
        return BATCH_DELAY_S if self is Priority.BATCH else 0.0


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What is to be done with the picture; at most one of the first four, by default x3."""

    factor: float | None = None
    width: int | None = None
    height: int | None = None
    long_side: int | None = None
    model: str = "auto"
    clean: float | None = None
    """Strength from 0, `lite`, to 1, `photo`; None leaves it to the model's name."""
    tta: bool = False
    soften: float = 0.0
    exact: bool = False
    """Interpolate nothing that a network could compute."""
    format: ResultFormat | None = None
    """None: the source's, where it can be written; CLIP for clips."""
    quality: int = 95
    keep_metadata: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense for any picture. Raises InvalidOption."""
        _ = self.size
        if self.clean is not None and not (_is_number(self.clean) and 0 <= self.clean <= 1):
            raise InvalidOption("clean", self.clean, "a number from 0 to 1")
        if not (_is_number(self.soften) and math.isfinite(self.soften)):
            raise InvalidOption("soften", self.soften, "a number from 0 to 1")
        _ = self.options
        if not isinstance(self.model, str) or not self.model:
            raise InvalidOption("model", self.model, "a model's name")
        if self.format is not None and self.format not in (*FORMATS, CLIP):
            raise InvalidOption("format", self.format, f"one of {', '.join([*FORMATS, CLIP])}")
        if isinstance(self.quality, bool) or self.quality not in _QUALITIES:
            raise InvalidOption("quality", self.quality, "a whole number from 1 to 100")
        for name in ("tta", "exact", "keep_metadata"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidOption(name.replace("_", " "), getattr(self, name), "true or false")

    @property
    def size(self) -> SizeRequest:
        """The result's size, as asked for."""
        return SizeRequest(
            factor=self.factor, width=self.width, height=self.height, long_side=self.long_side
        )

    @property
    def options(self) -> Options:
        """What changes the pixels, beside the model and the size."""
        return Options(tta=self.tta, soften=self.soften)

    @property
    def pace(self) -> str:
        """The name under which speed is recorded: eight passes are another pace than one."""
        model = f"{self.model}+clip" if self.is_clip else self.model
        return f"{model}+tta" if self.tta else model

    @property
    def is_clip(self) -> bool:
        """Whether the source is a clip, once the job is accepted."""
        return self.format == CLIP

    def canonical(self) -> str:
        """Return JSON that is the same for every way to ask for the same thing."""
        values = asdict(self)
        if all(values[name] is None for name in ("factor", "width", "height", "long_side")):
            values["factor"] = DEFAULT_FACTOR
        for name in ("factor", "soften", "clean"):
            if values[name] is not None:
                values[name] = float(values[name])
        if values["clean"] is None:
            del values["clean"]  # as it was before there were strengths: results stay found
        if not values["exact"]:
            del values["exact"]  # the same
        values["quality"] = int(values["quality"])
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """Return the options that `canonical` wrote; TypeError, ValueError for others."""
        values: dict[str, Any] = json.loads(text)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What somebody asks to be done."""

    source_key: str
    """The blob that holds the picture file."""
    source_name: str
    """For display only."""
    options: JobOptions
    content_key: str
    """The same key stands for the same result, byte for byte."""
    cost_px: int
    """Output pixels of all frames."""
    owner: str
    """The client, by API key or address."""
    priority: Priority = Priority.INTERACTIVE
    idempotency_key: str | None = None
    """The owner's own name for the request: sent again, it is the same job."""
    request_id: str = ""
    """For the logs."""
    expires_after_s: float = 24 * 3600.0
    """How long after its end a job and its result are kept."""

    def __post_init__(self) -> None:
        """Refuse what cannot be stored. Raises InvalidOption."""
        key = self.idempotency_key
        if key is not None and not (key.isprintable() and 1 <= len(key) <= _KEY_CHARACTERS):
            raise InvalidOption(
                "idempotency key", key, f"1 to {_KEY_CHARACTERS} printable characters"
            )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What made a result."""

    model: str
    """The network's name, where `auto` was asked for, too; or the interpolation's."""
    scale: int | None
    """The network's own factor; None for an interpolation, as are the next two."""
    engine: str | None
    precision: str | None
    """`fp32`, `bf16` or `int8`."""
    clean: float | None
    """The strength from 0, `lite`, to 1, `photo`, asked for or chosen; None where there is none."""
    seconds: float
    """From the claim to the written file."""
    interpolated: float = 0.0
    """Share of the picture, 0 to 1, that was flat and left to bicubic interpolation."""

    def canonical(self) -> str:
        """Return it as JSON, as the table keeps it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Job(NewJob):
    """A request that was accepted, and what became of it so far; times are UTC."""

    id: str
    """128 random bits for a URL: who knows it may see the job."""
    state: State
    created: datetime
    started: datetime | None = None
    """The latest attempt's start."""
    finished: datetime | None = None
    attempts: int = 0
    done_tiles: int = 0
    total_tiles: int = 0
    result: Blob | None = None
    result_format: ResultFormat | None = None
    reduced_key: str | None = None
    """The blob of a smaller result to look at, of large ones."""
    width: int | None = None
    """Of the result, in pixels."""
    height: int | None = None
    choice: str | None = None
    """What `auto` chose for the picture and why: JSON with `clean` and `reason`."""
    ran: str | None = None
    """What made the result: JSON of a `Ran`; also where that was for another job."""
    error_code: str | None = None
    error_text: str | None = None
    cancel_requested: bool = False

    @property
    def from_cache(self) -> bool:
        """Tell whether the result was not made for this job: it was there, or came with another."""
        made = self.result is not None or self.ran is not None
        return made and self.started is None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A job in one worker's hands."""

    job: Job
    token: int
    """Grows with every claim of the job; only the latest counts."""
    lease_until: datetime
    """UTC, as of the claim; heartbeats prolong it."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
