"""How strongly a JPEG or WebP file was compressed, from what it says of itself: no pixel is read.

Files are hostile input: every read is within the bytes that are there, and nothing that is found is
used as more than a number.
"""

from __future__ import annotations

import struct

HEAD_BYTES = 2**20
"""So much of a file's beginning is enough, but for odd files."""

_USUAL_SUM = 3688
"""Sum of the luma table that JPEG's standard gives as an example; quality scales it."""
_TABLE_ENTRIES = 64
_START_OF_SCAN = 0xDA
_TABLES = 0xDB
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_VP8_START = b"\x9d\x01\x2a"
_LARGEST_INDEX = 127


def stated_quality(head: bytes) -> float | None:
    """Return the quality of a JPEG or lossy WebP file on libjpeg's or libwebp's scale, 1..100.

    `head` is the file, or its beginning. None for other formats and where nothing is found.
    """
    try:
        if head.startswith(b"\xff\xd8"):
            return _jpeg_quality(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp_quality(head)
    except (IndexError, struct.error):
        pass  # cut off, or no such file: nothing is stated
    return None


def _jpeg_quality(data: bytes) -> float | None:
    """Compare the first quantization table with the standard's example."""
    at = 2
    while True:
        if data[at] != 0xFF:  # noqa: PLR2004 - what every marker begins with
            return None
        marker = data[at + 1]
        at += 2
        if marker == 0xFF:  # noqa: PLR2004 - padding before a marker
            at -= 1
            continue
        if marker in _NO_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker == _START_OF_SCAN or length < 2:  # noqa: PLR2004 - the length counts itself
            return None
        if marker == _TABLES and data[at + 2] & 0x0F == 0:
            wide = data[at + 2] >> 4
            table = struct.unpack_from(f">{_TABLE_ENTRIES}{'H' if wide else 'B'}", data, at + 3)
            return _libjpeg_quality(sum(table))
        at += length


def _libjpeg_quality(total: int) -> float:
    percent = 100 * total / _USUAL_SUM
    quality = (200 - percent) / 2 if percent <= 100 else 5000 / percent  # noqa: PLR2004 - libjpeg's
    return min(100.0, max(1.0, quality))


def _webp_quality(data: bytes) -> float | None:
    """Find the lossy picture among the chunks and read its quantizer."""
    at = 12
    while True:
        kind = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        if kind == b"VP8 ":
            return _vp8_quality(data[at + 8 : at + 8 + length])
        if kind not in {b"VP8X", b"ICCP", b"ALPH", b"EXIF", b"XMP "}:
            return None  # lossless, an animation, or nothing known
        at += 8 + length + length % 2


def _vp8_quality(frame: bytes) -> float | None:
    if frame[0] & 1 or frame[3:6] != _VP8_START:
        return None
    bits = _BoolDecoder(frame[10:])
    bits.number(2)  # colour space, clamping
    offsets = [0]
    absolute = False
    if bits.number(1):
        absolute, offsets = _segments(bits)
    bits.number(1 + 6 + 3)  # the loop filter
    if bits.number(1) and bits.number(1):
        for _ in range(8):
            if bits.number(1):
                bits.number(7)
    bits.number(2)  # partitions
    base = bits.number(7)
    indices = offsets if absolute else [base + offset for offset in offsets]
    return _libwebp_quality(sum(indices) / len(indices))


def _segments(bits: _BoolDecoder) -> tuple[bool, list[int]]:
    """Return whether the segments' quantizers are absolute, and them."""
    has_map, has_data = bits.number(1), bits.number(1)
    absolute, offsets = False, [0]
    if has_data:
        absolute = bool(bits.number(1))
        offsets = [bits.signed(7) if bits.number(1) else 0 for _ in range(4)]
        for _ in range(4):
            if bits.number(1):
                bits.number(7)
    if has_map:
        for _ in range(3):
            if bits.number(1):
                bits.number(8)
    return absolute, offsets


def _libwebp_quality(index: float) -> float:
    """Invert libwebp's curve from quality to quantizer."""
    linear = max(0.0, 1 - index / _LARGEST_INDEX) ** 3
    quality = linear * 1.5 if linear < 0.5 else (linear + 1) / 2  # noqa: PLR2004 - libwebp's
    return min(100.0, max(1.0, 100 * quality))


class _BoolDecoder:
    """VP8's arithmetic decoder, for bits that are as often 0 as 1 (RFC 6386, section 7)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 2
        self._value = data[0] << 8 | data[1]
        self._range = 255
        self._shifted = 0

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        if self._value >= split << 8:
            bit = 1
            self._range -= split
            self._value -= split << 8
        else:
            bit = 0
            self._range = split
        while self._range < 128:  # noqa: PLR2004 - half of the range of a byte
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:  # noqa: PLR2004 - a byte is used up
                self._shifted = 0
                self._value |= self._data[self._at]
                self._at += 1
        return bit

    def number(self, bits: int) -> int:
        """Return an unsigned number of so many bits, the highest first."""
        value = 0
        for _ in range(bits):
            value = value << 1 | self._bit()
        return value

    def signed(self, bits: int) -> int:
        """Return a number whose sign follows it."""
        value = self.number(bits)
        return -value if self.number(1) else value
