"""Errors of requests to a service: who asks, how often, and whether there is anyone to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.errors.tree import CallerError, CapacityError, SetupError

if TYPE_CHECKING:
    from pathlib import Path


class NoFile(CallerError):
    """A request that should bring a picture brought none."""

    code = "no-file"

    def __init__(self, field: str) -> None:
        super().__init__(
            f"there is no picture in the request; send it as form field `{field}`, or as the body"
        )


class JobGone(CallerError, LookupError):
    """What belonged to a job was kept for a while, and is not kept any longer."""

    code = "job-gone"

    def __init__(self, job_id: str, what: str) -> None:
        super().__init__(f"the {what} of job {job_id} is kept no longer; send the picture again")


class Unauthorized(CallerError):
    """A request needs an API key, and came with none or with one that is not known."""

    code = "unauthorized"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; send a key as `Authorization: Bearer KEY`")


class Forbidden(CallerError):
    """It is known who asks, and that this one may not."""

    code = "forbidden"

    def __init__(self, reason: str) -> None:
        super().__init__(f"this is not allowed: {reason}")


class RateLimited(CapacityError):
    """A client asked for more in a minute than one client may."""

    code = "rate-limited"

    def __init__(self, what: str, *, limit: int, retry_after_s: int) -> None:
        super().__init__(
            f"too much in too little time: the limit is {limit} {what} a minute; "
            f"try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s
        """Whole seconds until there is likely room."""


class ServerBusy(CapacityError):
    """As many requests are waiting or being followed as may."""

    code = "server-busy"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            f"too many requests are waiting for their results; try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s
        """Whole seconds until there is likely room."""


class ServerStopping(CapacityError):
    """The server is being stopped; what was accepted stays accepted."""

    code = "server-stopping"

    def __init__(self, *, retry_after_s: int = 10) -> None:
        super().__init__(f"the server is being started anew; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
        """Whole seconds until another is likely there."""


class NoWorker(SetupError):
    """Nobody works on what is accepted."""

    code = "no-worker"

    def __init__(self) -> None:
        super().__init__("no worker has been heard of lately; start one with `upres worker`")


class KeysUnusable(SetupError, OSError):
    """The file of API keys cannot be read, understood or written."""

    code = "keys-unusable"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"the file of API keys {path} cannot be used: {reason}")
