"""The frames in which a child speaks over its pipe, and its side of writing them.

A frame is its kind (one byte), the length of what follows (four bytes, the lowest first), and that.
In order: HEADER, ATTACHMENTS where the header announces any, BAND by band from the top of the first
frame to the end of the last, END; or FAILURE at any place, and nothing after it.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

HEADER = b"H"
"""JSON: what picture it is; see answers.py."""
ATTACHMENTS = b"A"
"""The profile, then the values of the fields, one after the other."""
BAND = b"B"
"""Whole rows of one frame, samples in this machine's byte order."""
END = b"Z"
"""JSON: the warnings that came with the pixels."""
FAILURE = b"F"
"""JSON: the code of one of upres's errors, and why."""

FRAME = struct.Struct("<cI")
BAND_BYTES = 8 * 2**20
"""The most of one band; one row may be more."""
TEXT_BYTES = 64 * 2**10
"""The most of one JSON text, the delays of an animation not counted."""
DELAY_BYTES = 16
"""The most of one delay in it."""
PROFILE_BYTES = 4 * 2**20
FIELD_BYTES = 4 * 2**20
"""The most of all fields together."""
FIELDS = 1000
WARNINGS = 50
REASON_CHARACTERS = 500
"""The most of a reason or a warning."""
FAILED, UNSAFE = 70, 71
"""How a child exits that could not work, and one that lacks what the limits require."""


def send(output: int, kind: bytes, body: bytes | memoryview) -> None:
    """Write one frame to a pipe, waiting while it is full."""
    view = memoryview(body).cast("B")
    _write(output, memoryview(FRAME.pack(kind, len(view))))
    _write(output, view)


def send_json(output: int, kind: bytes, content: dict[str, Any]) -> None:
    """Write one frame of JSON."""
    send(output, kind, json.dumps(content, allow_nan=False).encode("ascii"))


def _write(output: int, view: memoryview) -> None:
    while view:
        view = view[os.write(output, view) :]
