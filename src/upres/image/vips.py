"""libvips, imported when the first picture is: quiet, safe against odd text, its warnings kept."""

from __future__ import annotations

import atexit
import gc
import logging
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def libvips() -> Any:
    """Import pyvips, its messages led to `complaints` instead of a log."""
    import pyvips

    # pyvips reads messages, and names and values of fields, as UTF-8, though files may say anything
    for module in (pyvips, pyvips.error, pyvips.gvalue, pyvips.vimage):
        module._to_string = _tolerant_text  # noqa: SLF001
    pyvips.logger = _Messages()
    # a picture is worth no memory once it is read
    pyvips.cache_set_max(0)
    # pictures of failed runs complain when they are freed: now, while complaints are led to us,
    # since pyvips stops leading them before the interpreter frees what is left
    atexit.register(gc.collect)
    return pyvips


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what libvips warns of in this thread; it says so while it does the work."""
    before = getattr(_heard, "texts", None)
    texts: list[str] = []
    _heard.texts = texts
    try:
        yield texts
    finally:
        _heard.texts = before


_heard = threading.local()


class _Messages:
    """Stands where pyvips has a logger, which a program could turn off, and hides nothing then."""

    def log(self, level: int, text: str) -> None:
        texts: list[str] | None = getattr(_heard, "texts", None)
        if texts is not None and level >= logging.WARNING:
            texts.append(text.removeprefix("VIPS: ").strip())


def _tolerant_text(value: Any) -> Any:
    import pyvips

    if isinstance(value, pyvips.ffi.CData):
        value = pyvips.ffi.string(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
