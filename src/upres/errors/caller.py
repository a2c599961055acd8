"""Errors of the picture or the request: the same call fails again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.errors.tree import Blame, CallerError, UpresError

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnreadablePicture(CallerError, ValueError):
    """The bytes are not a whole picture of the format they claim."""

    code = "bad-picture"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name}: {reason}")


class UnsupportedPicture(CallerError, ValueError):
    """A picture of a kind that upres does not take."""

    code = "unsupported-picture"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is not supported: {reason}")


class PictureTooLarge(CallerError, ValueError):
    """Input or output pixels pass a stated limit."""

    code = "picture-too-large"

    def __init__(
        self, name: str, *, what: str, value: int, limit: int, unit: str = "pixels"
    ) -> None:
        super().__init__(f"{name} is too large: {what} {value} {unit}, the limit is {limit}")


class UnreadableVideo(CallerError, ValueError):
    """The bytes are not a video, or not to its end; finished parts of a result are kept."""

    code = "bad-video"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name}: {reason}")


class UnsupportedVideo(CallerError, ValueError):
    """A video, or a result for it, of a kind that upres does not take or make."""

    code = "unsupported-video"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is not supported: {reason}")


class InvalidOption(CallerError, ValueError):
    """An option's value makes no sense."""

    code = "invalid-option"

    def __init__(self, option: str, value: object, expected: str) -> None:
        super().__init__(f"{option} is {value!r}; expected {expected}")


class UnknownModel(CallerError, LookupError):
    """No model of that name (and scale) is in the catalogue."""

    code = "unknown-model"

    def __init__(self, name: str, known: Sequence[str], *, scale: int | None = None) -> None:
        wanted = name if scale is None else f"{name} x{scale}"
        super().__init__(f"unknown model {wanted}; known: {', '.join(known)}")


class ModelRefused(CallerError, ValueError):
    """A file offered as a model could not be verified to be one that upres can run."""

    code = "model-refused"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be used as a model: {reason}")


class Cancelled(UpresError):
    """The caller asked to stop; no result was written."""

    code = "cancelled"
    blame = Blame.CALLER

    def __init__(self) -> None:
        super().__init__("cancelled")


class JobMissing(CallerError, LookupError):
    """There is no job of that id, or it was forgotten long after its end."""

    code = "job-missing"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id}; old jobs are forgotten")


class JobNotReady(CallerError):
    """A result was asked for that the job does not have, or does not have yet."""

    code = "job-not-ready"

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"job {job_id} has no result: it is {state}")
        self.state = state
        """The job's: `queued`, `running`, `failed`, `cancelled`, `expired`."""


class IdempotencyConflict(CallerError):
    """An idempotency key came a second time, with another request."""

    code = "idempotency-conflict"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the idempotency key {key!r} was used for another request; send a new key"
        )
