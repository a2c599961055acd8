"""What the engines share about the libraries behind them: presence, version, words of failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata

from upres.engines.base import Precision
from upres.errors import (
    EngineFailed,
    EngineMissing,
    InvalidOption,
    PrecisionUnavailable,
    UpresError,
)

_LONGEST_REASON = 400


@contextmanager
def needed(engine: str, *, package: str) -> Iterator[None]:
    """Turn a failing import into EngineMissing, which names the package to install."""
    try:
        yield
    except ImportError as error:
        raise EngineMissing(engine, package) from error


@contextmanager
def translated(engine: str, *, model: str) -> Iterator[None]:
    """Turn whatever a library raises into EngineFailed with the library's words on one line."""
    try:
        yield
    except UpresError:
        raise
    except Exception as error:  # each library has its own tree of errors, rooted at Exception
        raise EngineFailed(engine, model, one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Return an error's text on one line, its middle left out when it is very long."""
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) <= _LONGEST_REASON:
        return text
    half = (_LONGEST_REASON - 5) // 2  # the place comes first and the reason last: keep both
    return f"{text[:half]} ... {text[-half:]}"


def package_version(engine: str, *, packages: Sequence[str]) -> str:
    """Return the version of the first package that is here, without importing it.

    Raises EngineMissing, naming the first of `packages`.
    """
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    raise EngineMissing(engine, packages[0])


def check_request(
    engine: str, *, precision: Precision, available: Sequence[Precision], threads: int
) -> None:
    """Refuse arithmetic that is not here (PrecisionUnavailable), threads < 1 (InvalidOption)."""
    if precision not in available:
        raise PrecisionUnavailable(engine, precision, available)
    if threads < 1:
        raise InvalidOption("threads", threads, "a whole number, 1 or more")
