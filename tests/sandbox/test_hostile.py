"""Children that were taken over: whatever they do, the service gets one clear error in time."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.children import HEADER

from upres.errors import (
    InputNotReadable,
    PictureTooLarge,
    SandboxUnavailable,
    UnreadablePicture,
    UpresError,
)
from upres.sandbox import answers
from upres.sandbox.decoder import opened
from upres.sandbox.limits import SandboxLimits

if TYPE_CHECKING:
    from upres.sandbox.launcher import Launcher

LIMITS = SandboxLimits(memory_bytes=256 * 2**20, cpu_s=1, wall_s=4.0, silence_s=1.5)


def read_all(attackers: Launcher, folder: Path, attack: str) -> int:
    """Read what such a child sends; return the rows."""
    file = folder / "photo.png"
    file.write_text(attack)
    with opened(file, limits=LIMITS, through=attackers) as decoder:
        return sum(len(rows) for rows in decoder.rows())


def test_these_children_can_be_honest(attackers: Launcher, tmp_path: Path) -> None:
    """So that the others fail for what they do wrong."""
    assert read_all(attackers, tmp_path, "honest") == 20


@pytest.mark.parametrize(
    ("attack", "kind", "words"),
    [
        ("nothing", UnreadablePicture, "ended early"),
        ("noise", UnreadablePicture, "nonsense"),
        ("zeros", UnreadablePicture, "nonsense"),
        ("pickled", UnreadablePicture, "no JSON"),
        ("deep_json", UnreadablePicture, "no JSON"),
        ("long_header", UnreadablePicture, "too much at once"),
        ("vast_header", PictureTooLarge, "pixels"),
        ("not_a_number", UnreadablePicture, "odd density"),
        ("false_profile", UnreadablePicture, "profile"),
        ("short_attachments", UnreadablePicture, "another length"),
        ("unasked_fields", UnreadablePicture, "odd fields"),
        ("headers_for_ever", UnreadablePicture, "nonsense"),
        ("no_rows", UnreadablePicture, "another size"),
        ("half_rows", UnreadablePicture, "another size"),
        ("too_many_rows", UnreadablePicture, "another size"),
        ("rows_for_ever", UnreadablePicture, "something else"),
        ("too_few_rows", UnreadablePicture, "something else"),
        ("endless_warnings", UnreadablePicture, "odd warnings"),
        ("unknown_error", UnreadablePicture, "cannot have met"),
        ("error_with_escapes", UnreadablePicture, r"a\?\[2J\?\?b"),
        ("dies_in_the_middle", UnreadablePicture, "crashed .SIGSEGV"),
        ("aborts", UnreadablePicture, "crashed .SIGABRT"),
        ("exits_early", UnreadablePicture, "ended early"),
        ("hangs", UnreadablePicture, "said nothing for 1.5 seconds"),
        ("drips", PictureTooLarge, "more than 4 seconds"),
        ("spins", (PictureTooLarge, UnreadablePicture), "seconds"),
        ("spins_deaf", (PictureTooLarge, UnreadablePicture), "seconds"),
        ("eats_memory", PictureTooLarge, "256 MiB of memory"),
    ],
)
def test_an_attack_is_one_clear_error(
    attackers: Launcher,
    tmp_path: Path,
    attack: str,
    kind: type[UpresError] | tuple[type[UpresError], ...],
    words: str,
) -> None:
    """In bounded time, and on one line."""
    started = time.monotonic()
    with pytest.raises(kind, match=words) as caught:
        read_all(attackers, tmp_path, attack)
    assert "photo.png" in str(caught.value)
    assert str(caught.value).isprintable()
    assert time.monotonic() - started < LIMITS.wall_s + 4


@pytest.mark.parametrize("attack", ["spins", "spins_deaf"])
def test_a_core_is_lent_for_its_time_only(attackers: Launcher, tmp_path: Path, attack: str) -> None:
    """Even to a child that ignores the kernel's warning."""
    file = tmp_path / "photo.png"
    file.write_text(attack)
    limits = SandboxLimits(cpu_s=1, wall_s=60, silence_s=60)
    with (
        pytest.raises(PictureTooLarge, match="1 seconds of a core"),
        opened(file, limits=limits, through=attackers) as decoder,
    ):
        list(decoder.rows())


def one_changed(value: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return headers of which one member is something else, or which have one too many."""
    return st.tuples(st.sampled_from([*HEADER, "more"]), value).map(
        lambda change: HEADER | {change[0]: change[1]}
    )


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(one_changed(JUNK))
def test_a_header_is_sound_or_garbage(content: dict[str, Any]) -> None:
    """Whatever is in it; what is taken has the types and ranges that are promised."""
    try:
        found = answers.announced(json.dumps(content).encode(), fields=True)
    except answers.Garbage:
        return
    layout = found.header.layout
    assert layout.width > 0
    assert layout.height > 0
    assert type(layout.width) is type(layout.height) is type(found.header.frames) is int
    assert type(layout.gray) is type(layout.alpha) is bool
    assert layout.bits in (8, 16)
    assert all(isinstance(text, str) and text.isprintable() for text in found.warnings)


@given(st.binary(max_size=200))
def test_bytes_are_garbage(body: bytes) -> None:
    """For each of the JSON frames."""
    for read in (
        lambda: answers.announced(body, fields=True),
        lambda: answers.ending(body),
        lambda: answers.failure(body, name="x", memory_bytes=1),
        lambda: answers.posture(body),
    ):
        with pytest.raises(answers.Garbage):
            read()


@pytest.mark.parametrize("code", ["disk-full", "engine-failed", "cancelled", "", 3, None, ["x"]])
def test_children_meet_four_errors_only(code: object) -> None:
    """A child cannot say that this machine is at fault."""
    body = json.dumps({"code": code, "reason": "too large: 3 pixels, the limit is 2"}).encode()
    with pytest.raises(answers.Garbage):
        answers.failure(body, name="x", memory_bytes=1)


def test_what_cannot_be_opened(attackers: Launcher, tmp_path: Path) -> None:
    """Folders, pipes and what is not there are told before a child is asked for."""
    with pytest.raises(InputNotReadable, match="plain file"), opened(tmp_path, through=attackers):
        pass
    with (
        pytest.raises(InputNotReadable, match="no such file"),
        opened(tmp_path / "none", through=attackers),
    ):
        pass


def test_a_service_without_descriptors_says_so(
    attackers: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the picture."""

    def pipe() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pipe", pipe)
        with pytest.raises(SandboxUnavailable, match="too many open files"):
            read_all(attackers, tmp_path, "honest")
    assert read_all(attackers, tmp_path, "honest") == 20
