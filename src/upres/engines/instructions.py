"""Which instructions this machine's CPU has that change what is worth running on it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_INT8_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""As Linux names them: x86 with 512 and with 256 bits, ARM."""


@cache
def has_int8_dot_product() -> bool:
    """Tell whether the CPU multiplies and adds 8-bit numbers faster than others.

    Only Linux is asked; elsewhere the answer is no, which costs time and never a wrong result.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return parse_int8_dot_product(text)


def parse_int8_dot_product(text: str) -> bool:
    """Tell whether the first CPU of /proc/cpuinfo lists such an instruction."""
    first, _, _ = text.partition("\n\n")
    for line in first.splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features") and _INT8_DOT_PRODUCTS & set(words.split()):
            return True
    return False
