"""Damaged files end in one of upres' own errors, or in a whole picture; never in anything else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from upres.errors import UnreadablePicture, UnsupportedPicture, UpresError
from upres.image.codec import Decoder, Limits

if TYPE_CHECKING:
    from upres.image.picture import Picture

SMALL = Limits(input_pixels=1_000_000)


def saved(mode: str, kind: str, **options: Any) -> bytes:
    """Return a noisy picture as Pillow writes it, turned by EXIF."""
    samples = np.random.default_rng(4).integers(0, 256, (40, 32, 3), np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    exif[271] = "Maker"
    target = io.BytesIO()
    Image.fromarray(samples).convert(mode).save(target, kind, exif=exif, **options)
    return target.getvalue()


FILES = {
    "jpeg": saved("RGB", "JPEG"),
    "progressive jpeg": saved("RGB", "JPEG", progressive=True),
    "gray jpeg": saved("L", "JPEG"),
    "cmyk jpeg": saved("CMYK", "JPEG"),
    "png": saved("RGB", "PNG"),
    "palette png": saved("P", "PNG", transparency=3),
    "gray png with alpha": saved("LA", "PNG"),
    "webp": saved("RGB", "WEBP"),
    "lossless webp": saved("RGB", "WEBP", lossless=True),
    "webp with alpha": saved("RGBA", "WEBP"),
}


def decoded(data: bytes) -> Picture:
    """Decode as callers do: header, limits, pixels."""
    decoder = Decoder(data)
    SMALL.check_input(decoder.header, name="picture")
    picture = decoder.picture()
    assert (picture.width, picture.height) == (decoder.header.width, decoder.header.height)
    assert picture.gray == decoder.header.gray
    assert (picture.alpha is not None) == decoder.header.alpha
    return picture


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_read(name: str) -> None:
    """What is cut and bent below is sound to begin with; it stands upright."""
    assert decoded(FILES[name]).pixels.shape[:2] == (32, 40)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8, 0.95])
def test_cut_files_are_unreadable(name: str, share: float) -> None:
    """No half picture is ever handed on as a whole one."""
    data = FILES[name]
    with pytest.raises(UnreadablePicture, match="cannot read picture: "):
        decoded(data[: int(len(data) * share)])


@pytest.mark.parametrize("name", FILES)
def test_cut_headers_are_no_pictures(name: str) -> None:
    """Every length up to 64 bytes."""
    for length in range(64):
        with pytest.raises((UnreadablePicture, UnsupportedPicture)):
            decoded(FILES[name][:length])


@settings(max_examples=400)
@given(
    name=st.sampled_from(sorted(FILES)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    early=st.booleans(),
    cut=st.none() | st.floats(0, 1),
)
def test_bent_files_end_in_upres_errors(
    *, name: str, flips: list[tuple[float, int]], early: bool, cut: float | None
) -> None:
    """Bytes changed anywhere, or among the first 200, and the rest cut off somewhere."""
    data = bytearray(FILES[name])
    reach = min(len(data), 200) if early else len(data)
    for place, value in flips:
        data[int(place * reach)] = value
    if cut is not None:
        data = data[: int(cut * len(data))]
    complaint = ""
    try:
        decoded(bytes(data))
    except UpresError as error:
        complaint = str(error)
    assert "\n" not in complaint
