"""Decodes a range of mutated files and prints each outcome: a child of proofs.fuzz."""

from __future__ import annotations

import json
import resource
import sys
from functools import cache

import numpy as np
from numpy.typing import NDArray

from proofs.fuzz import Mutant, mutants
from proofs.fuzz_seeds import CHECKED, seed_files
from upres.errors import UpresError
from upres.image.decode import Decoder
from upres.image.limits import Limits
from upres.image.picture import Samples

_LIMITS = Limits(input_pixels=4_000_000, frames=100)


def decoded(data: bytes) -> tuple[list[NDArray[Samples]], list[str]]:
    """Decode all frames within limits; returns them with the decoder's warnings."""
    decoder = Decoder(data)
    _LIMITS.check_input(decoder.header, name="picture")
    frames = [np.concatenate(list(frame)) for frame in decoder.frames()]
    layout = decoder.header.layout
    shape = (layout.height, layout.width, layout.planes)
    if len(frames) != decoder.header.frames or any(frame.shape != shape for frame in frames):
        raise RuntimeError(f"the header says {decoder.header}, the frames are something else")
    return frames, decoder.warnings


@cache
def _sound(name: str) -> list[NDArray[Samples]]:
    return decoded(seed_files()[name])[0]


def outcome(mutant: Mutant) -> str:
    """Tell what became of a file; SILENT when pixels were lost without a word."""
    try:
        frames, warnings = decoded(mutant.data)
    except UpresError as error:
        return f"refused: {error.code}"
    sound = _sound(mutant.source)
    same = len(frames) == len(sound) and all(
        one.shape == other.shape and np.array_equal(one, other)
        for one, other in zip(frames, sound, strict=True)
    )
    if same:
        return "whole picture"
    if warnings:
        return "another picture, with a warning"
    if mutant.how == "cut":
        return f"SILENT: cut {mutant.source}"
    if mutant.source in CHECKED and mutant.how == "flipped bits":
        return f"SILENT: {mutant.how} in {mutant.source}, which has checksums"
    return "another valid picture: nothing in the format tells"


def main() -> None:
    """Decode files START to STOP of SEED in limited memory."""
    seed, start, stop, memory_bytes = (int(word) for word in sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for mutant in mutants(seed, stop, start=start):
        sys.stdout.write(json.dumps(outcome(mutant)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
