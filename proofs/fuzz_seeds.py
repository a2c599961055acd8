"""Small sound files of every kind that upres reads, written by Pillow."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

CHECKED = ("png rgb", "png 16-bit", "png palette", "png gray alpha", "png 1-bit")
"""Formats whose every byte of picture is under a checksum."""


def _scene(planes: int = 3) -> np.ndarray[Any, np.dtype[np.uint8]]:
    y, x = np.mgrid[0:40, 0:56]
    waves = [np.sin(x / (3 + k)) * np.cos(y / (4 + k)) * 100 + 128 for k in range(planes)]
    noise = np.random.default_rng(9).normal(0, 12, (40, 56, planes))
    return np.clip(np.stack(waves, 2) + noise, 0, 255).astype(np.uint8)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


@cache
def seed_files() -> dict[str, bytes]:
    """Return every sound file by its name; the same bytes every time."""
    rgb, rgba = Image.fromarray(_scene()), Image.fromarray(_scene(4), "RGBA")
    gray = rgb.convert("L")
    deep = Image.fromarray(_scene()[..., 0].astype(np.uint16) * 257 + 3)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    frames = [Image.fromarray(np.roll(_scene(), shift, axis=1)) for shift in (7, 19)]
    animation: dict[str, Any] = {"save_all": True, "append_images": frames, "duration": 80}
    return {
        "png rgb": _saved(rgb, "PNG"),
        "png 16-bit": _saved(deep, "PNG"),
        "png palette": _saved(rgb.quantize(32), "PNG", transparency=3),
        "png gray alpha": _saved(rgba.convert("LA"), "PNG"),
        "png 1-bit": _saved(gray.convert("1"), "PNG"),
        "jpeg": _saved(rgb, "JPEG", exif=exif, quality=90),
        "jpeg progressive": _saved(rgb, "JPEG", progressive=True),
        "jpeg gray": _saved(gray, "JPEG"),
        "jpeg cmyk": _saved(rgb.convert("CMYK"), "JPEG"),
        "webp": _saved(rgb, "WEBP"),
        "webp lossless alpha": _saved(rgba, "WEBP", lossless=True),
        "webp alpha": _saved(rgba, "WEBP"),
        "webp animated": _saved(rgb, "WEBP", **animation),
        "avif": _saved(rgb, "AVIF"),
        "avif alpha": _saved(rgba, "AVIF"),
        "tiff": _saved(rgb, "TIFF"),
        "tiff deflate": _saved(rgba, "TIFF", compression="tiff_adobe_deflate"),
        "tiff lzw 16-bit": _saved(deep, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": _saved(rgb, "TIFF", compression="jpeg"),
        "tiff fax": _saved(gray.convert("1"), "TIFF", compression="group4"),
        "tiff cmyk": _saved(rgb.convert("CMYK"), "TIFF"),
        "tiff pages": _saved(rgb, "TIFF", save_all=True, append_images=frames),
        "gif": _saved(rgb.quantize(64), "GIF"),
        "gif animated": _saved(rgb, "GIF", **animation),
        "bmp": _saved(rgb, "BMP"),
        "bmp palette": _saved(rgb.quantize(64), "BMP"),
        "bmp alpha": _saved(rgba, "BMP"),
    }
