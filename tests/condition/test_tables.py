"""What JPEG and WebP files state of their compression; what is no such file states nothing."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from upres.condition.tables import stated_quality
from upres.models.probe import sample


def written(format_: str, **options: object) -> bytes:
    """Return the sample photograph in a file."""
    target = io.BytesIO()
    Image.fromarray(sample("photo")).save(target, format_, **options)
    return target.getvalue()


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 90, 95])
def test_jpegs_quality_is_libjpegs(quality: int) -> None:
    """Within one, whatever else the file holds before its tables."""
    assert stated_quality(written("JPEG", quality=quality)) == pytest.approx(quality, abs=1)
    more = written("JPEG", quality=quality, exif=b"Exif\0\0" + b"x" * 60000, comment=b"c" * 5000)
    assert stated_quality(more) == pytest.approx(quality, abs=1)
    progressive = written("JPEG", quality=quality, progressive=True)
    assert stated_quality(progressive) == pytest.approx(quality, abs=1)


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 90, 95])
def test_webps_quality_is_libwebps(quality: int) -> None:
    """Within ten: its encoder moves the quantizer from part to part."""
    assert stated_quality(written("WEBP", quality=quality)) == pytest.approx(quality, abs=10)
    assert stated_quality(written("WEBP", quality=quality, icc_profile=b"p" * 99)) is not None


def test_other_files_state_nothing() -> None:
    """Lossless ones, and what is no picture."""
    for data in (written("PNG"), written("GIF"), written("WEBP", lossless=True), b"", b"\xff\xd8"):
        assert stated_quality(data) is None


@given(st.sampled_from(["JPEG", "WEBP"]), st.data())
def test_damage_is_no_error(format_: str, data: st.DataObject) -> None:
    """Cut anywhere, any byte replaced: a number from 1 to 100, or nothing."""
    whole = written(format_, quality=60)[:700]
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    broken = bytearray(whole)
    broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for found in (stated_quality(cut), stated_quality(bytes(broken))):
        assert found is None or 1 <= found <= 100


@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8", b"RIFF\0\0\0\0WEBPVP8 "]))
def test_any_bytes_are_no_error(data: bytes, start: bytes) -> None:
    """Hostile files are looked at too."""
    found = stated_quality(start + data)
    assert found is None or 1 <= found <= 100
