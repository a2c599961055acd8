"""What the CPU says of itself."""

from __future__ import annotations

import pytest

from upres.engines.instructions import has_int8_dot_product, parse_int8_dot_product


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_vnni\n", True),
        ("flags : fpu avx_vnni", True),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", True),
        ("flags\t: fpu avx512f avx512_bf16\n", False),
        ("model name\t: avx_vnni\n", False),
        ("flags : fpu\n\nprocessor : 1\nflags : avx_vnni\n", False),
        ("", False),
    ],
)
def test_int8_instructions_are_known_by_their_names(text: str, *, has: bool) -> None:
    """As Linux lists them, x86 and ARM, for the first CPU."""
    assert parse_int8_dot_product(text) is has


def test_this_machine_answers() -> None:
    """Whatever system it runs."""
    assert has_int8_dot_product() in (True, False)
