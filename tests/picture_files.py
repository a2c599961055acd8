"""Picture files made by Pillow, by libvips, or by hand where neither writes such."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from upres.image.picture import Samples

SRGB: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(
    height: int, width: int, planes: int, dtype: type[np.uint8 | np.uint16] = np.uint8
) -> NDArray[Samples]:
    """Return random samples (height, width, planes)."""
    limit = int(np.iinfo(dtype).max)
    return np.random.default_rng(planes).integers(
        0, limit, (height, width, planes), dtype, endpoint=True
    )


def scene(height: int, width: int) -> NDArray[np.uint8]:
    """Return a smooth RGB picture, for lossy formats."""
    small = noise(max(2, height // 32), max(2, width // 32), 3)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def saved(image: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    """Return the bytes that Pillow writes."""
    target = io.BytesIO()
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    image.save(target, kind.upper(), **options)
    return target.getvalue()


def several(images: Sequence[Image.Image], kind: str, **options: Any) -> bytes:
    """Return the animation or the pages that Pillow writes."""
    return saved(images[0], kind, save_all=True, append_images=images[1:], **options)


def opened(data: bytes) -> Image.Image:
    """Read a picture with Pillow."""
    return Image.open(io.BytesIO(data))


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header_chunk(
    width: int, height: int, *, bits: int, planes: int, interlaced: bool = False
) -> bytes:
    """Return the start of a PNG file, up to its pixels."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[planes]
    ihdr = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr)


def png(samples: NDArray[Samples], *, before: bytes = b"", after: bytes = b"") -> bytes:
    """Write a PNG by hand: Pillow has no 16-bit colour. Chunks may stand around its pixels."""
    height, width, planes = samples.shape
    bits = 8 * samples.dtype.itemsize
    rows = samples.astype(f">u{samples.dtype.itemsize}").reshape(height, -1)
    pixels = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in rows))
    start = header_chunk(width, height, bits=bits, planes=planes)
    return start + before + chunk(b"IDAT", pixels) + after + chunk(b"IEND", b"")


def tiff(
    pages: Iterable[NDArray[Any]],
    *,
    photometric: int = 2,
    format: int = 1,  # noqa: A002
    tags: dict[int, int | tuple[int, ...]] | None = None,
    big: bool = False,
) -> bytes:
    """Write a TIFF by hand, big-endian: any type of samples, any tag, pages without compression."""
    number, word = (">Q", 8) if big else (">I", 4)
    data = bytearray(b"MM\x00+\x00\x08\x00\x00" if big else b"MM\x00*")
    link = len(data)
    data += bytes(word)
    for samples in pages:
        height, width, planes = samples.shape
        pixels = len(data)
        data += samples.astype(samples.dtype.newbyteorder(">")).tobytes()
        entries: dict[int, int | tuple[int, ...]] = {
            256: width,
            257: height,
            258: (samples.dtype.itemsize * 8,) * planes,
            259: 1,
            262: photometric,
            273: pixels,
            277: planes,
            278: height,
            279: len(data) - pixels,
            339: (format,) * planes,
            **(tags or {}),
        }
        struct.pack_into(number, data, link, len(data) + len(data) % 2)
        link = _directory(data, entries, number, word)
    return bytes(data)


def _directory(
    data: bytearray, entries: dict[int, int | tuple[int, ...]], number: str, word: int
) -> int:
    """Append a directory; return where the link to the next one is."""
    data += bytes(len(data) % 2)
    count = struct.pack(">Q" if word == 8 else ">H", len(entries))
    values_at = len(data) + len(count) + len(entries) * (4 + 2 * word) + word
    table, values = bytearray(), bytearray()
    for tag, value in sorted(entries.items()):
        many = value if isinstance(value, tuple) else (value,)
        short = tag not in (273, 279)
        packed = b"".join(struct.pack(">H" if short else ">I", one) for one in many)
        table += struct.pack(">HH", tag, 3 if short else 4) + struct.pack(number, len(many))
        if len(packed) <= word:
            table += packed.ljust(word, b"\x00")
        else:
            table += struct.pack(number, values_at + len(values))
            values += packed
    data += count + table
    link = len(data)
    data += bytes(word) + values
    return link
