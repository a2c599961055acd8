"""Logs as lines for people or for programs, with the request and the job they are about.

What is bound (`bind`, `bound`) is in every line of the thread until `clear` or the block's end. The
names of uploaded files are nobody's business later on: they are never logged, and neither are error
texts that could hold one, but error codes. Of a job's id only the beginning is.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars
from structlog.tracebacks import ExceptionDictTransformer

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger
    from structlog.typing import EventDict, Processor

_NEVER = frozenset({"name", "file_name", "filename", "source_name"})
"""Values of these names are dropped, should one ever be given."""
_ID_CHARACTERS = 8
"""Of a job's id, which as a whole is the secret that opens the job."""


def set_up(
    *,
    format: Literal["text", "json"] = "text",  # noqa: A002
    level: Literal["debug", "info", "warning", "error"] = "info",
    to: TextIO | None = None,
) -> None:
    """Write every log of this process, also those of libraries, to standard error; call it once."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_names,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    stream = to or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_written(format, colours=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


def _written(format: str, *, colours: bool) -> list[Processor]:  # noqa: A002
    if format == "json":
        return [
            # without the values of variables, which may be names and keys
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _without_names(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for name in _NEVER & event.keys():
        del event[name]
    return event


def _without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if "job_id" in event:
        event["job_id"] = str(event["job_id"])[:_ID_CHARACTERS]
    return event


def logger(part: str) -> BoundLogger:
    """Return the logger of a part: `logger("web").info("job accepted", job_id=...)`."""
    made: BoundLogger = structlog.stdlib.get_logger(f"upres.{part}")
    return made


def bind(**values: str) -> None:
    """Add values to every following line of this thread: `request_id`, `job_id`."""
    bind_contextvars(**values)


def bound(**values: str) -> AbstractContextManager[None]:
    """Add values to every line of this thread within a block."""
    return bound_contextvars(**values)


def clear() -> None:
    """Forget what is bound in this thread."""
    clear_contextvars()
