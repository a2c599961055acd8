"""Pixels as a screen shows them: 8 bits, sRGB, transparency laid over a gray."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from upres.image.picture import Metadata, Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from upres.image.picture import Samples

_COLOUR_SPACE = slice(16, 20)
"""Where an ICC profile says what its device values are."""


def eight_bit(picture: Picture) -> Picture:
    """Return the picture with samples of 8 bits, rounded."""
    if picture.sample_max == 255:  # noqa: PLR2004
        return picture
    alpha = picture.alpha
    return replace(
        picture,
        pixels=_rounded(picture.pixels),
        alpha=None if alpha is None else _rounded(alpha),
    )


def srgb(picture: Picture, *, complain: Callable[[str], None]) -> Picture:
    """Return the picture as 8-bit sRGB, alpha kept; relative colorimetric, black points matched.

    A profile that no picture of this kind can have is told to `complain` and left out, as browsers
    do.
    """
    picture = eight_bit(picture)
    pixels = np.repeat(picture.pixels, 3, axis=2) if picture.gray else picture.pixels
    icc = picture.metadata.icc
    if icc is not None:
        try:
            pixels = _converted(picture, icc)
        except ValueError as error:
            complain(f"its colour profile is left out: {error}")
    return Picture(pixels=pixels, alpha=picture.alpha, metadata=Metadata())


def over_gray(picture: Picture, *, level: int) -> NDArray[np.uint8]:
    """Return the colours (H, W, 1 or 3) of an 8-bit picture laid over a gray of 0..255."""
    pixels = picture.pixels.astype(np.uint8, copy=False)
    if picture.alpha is None:
        return pixels
    flat = np.empty_like(pixels)
    for row, (colours, alpha) in enumerate(zip(pixels, picture.alpha, strict=True)):
        cover = alpha[:, np.newaxis].astype(np.uint32)
        flat[row] = (colours * cover + level * (255 - cover) + 127) // 255
    return flat


def _rounded(samples: NDArray[Samples]) -> NDArray[np.uint8]:
    """Take 0..65535 to 0..255 row by row: no wide copy of the whole."""
    narrow = np.empty(samples.shape, np.uint8)
    for row, wide in enumerate(samples):
        narrow[row] = (wide.astype(np.uint32) + 128) // 257
    return narrow


def _converted(picture: Picture, icc: bytes) -> NDArray[np.uint8]:
    """Convert 8-bit samples by their profile. Raises ValueError where that cannot be."""
    from PIL import Image, ImageCms

    space = icc[_COLOUR_SPACE]
    if space not in (b"RGB ", b"GRAY") or (space == b"GRAY" and not picture.gray):
        kind = space.decode("ascii", "replace").strip()
        raise ValueError(f"it is for {kind}, the picture is {'gray' if picture.gray else 'RGB'}")
    image = Image.fromarray(picture.pixels[..., 0] if picture.gray else picture.pixels)
    if space == b"RGB " and picture.gray:
        image = image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError("it is damaged") from error
    return np.asarray(converted)
