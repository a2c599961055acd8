"""Errors of upres itself, or of what it is built on."""

from __future__ import annotations

from upres.errors.tree import UpresError


class EngineFailed(UpresError, RuntimeError):
    """An engine raised where it should not; its own words are in the text."""

    code = "engine-failed"

    def __init__(self, engine: str, model: str, reason: str) -> None:
        super().__init__(f"engine {engine} failed on model {model}: {reason}")


class EncodingFailed(UpresError, RuntimeError):
    """A format's encoder raised where it should not; its own words are in the text."""

    code = "encoding-failed"

    def __init__(self, format: str, reason: str) -> None:  # noqa: A002
        super().__init__(f"cannot write the {format} result: {reason}")
