"""The pictures of a benchmark folder: which files they are, and their samples as 8-bit RGB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from upres.bench.scores import SSIM_WINDOW_PX
from upres.errors import InputNotReadable, UnsupportedPicture
from upres.image.decode import Decoder
from upres.image.encode import encoded
from upres.image.files import read_input
from upres.image.limits import Limits
from upres.image.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    """(H, W, 3) RGB."""

Tell = Callable[[str], None]
"""Takes one line for people: what was left out or changed, and why."""

_LARGE_FOLDERS = ("HR", "GTmod12")
_SMALL_FILES = ("LR_bicubic/X{scale}/{stem}x{scale}{suffix}", "LRbicx{scale}/{stem}{suffix}")
"""Where the usual benchmark folders keep small pictures that MATLAB's bicubic made."""


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """A folder of large pictures, and where its own small ones would lie."""

    name: str
    folder: Path
    files: tuple[Path, ...]

    def own_small(self, file: Path, scale: int) -> Path | None:
        """Return the small picture that the folder brings for one of its files, if it does.

        Raises InputNotReadable where that cannot be seen.
        """
        for pattern in _SMALL_FILES:
            path = self.folder / pattern.format(scale=scale, stem=file.stem, suffix=file.suffix)
            try:
                if path.is_file():
                    return path
            except OSError as error:
                raise InputNotReadable(path, (error.strerror or str(error)).lower()) from error
        return None


def open_sets(folders: tuple[Path, ...], *, limit: int | None, tell: Tell) -> list[PictureSet]:
    """List the files of each folder, or of `HR` (`GTmod12`) inside it, by name.

    Hidden files are told of and left out. `limit` is the most files of a folder. Raises
    InputNotReadable for a folder that cannot be listed or has no file.
    """
    names = [folder.resolve().name for folder in folders]
    return [
        PictureSet(
            name=name if names.count(name) == 1 else str(folder),
            folder=folder,
            files=tuple(_files(folder, tell))[:limit],
        )
        for name, folder in zip(names, folders, strict=True)
    ]


def _files(folder: Path, tell: Tell) -> Iterator[Path]:
    place = folder
    try:
        inner = (folder / name for name in _LARGE_FOLDERS)
        place = next((path for path in inner if path.is_dir()), folder)
        files = sorted(path for path in place.iterdir() if path.is_file())
    except OSError as error:
        raise InputNotReadable(place, (error.strerror or str(error)).lower()) from error
    visible = [path for path in files if not path.name.startswith(".")]
    for path in files:
        if path not in visible:
            tell(f"{path.name} is left out: it is a hidden file")
    if not visible:
        raise InputNotReadable(place, "there is no picture in this folder")
    return iter(visible)


def check_large_enough(pixels: Pixels, *, scale: int, name: str) -> None:
    """Raise UnsupportedPicture for what cannot be scored at a factor, borders cut off."""
    least = 2 * scale + SSIM_WINDOW_PX
    if min(pixels.shape[:2]) < least:
        raise UnsupportedPicture(name, f"at x{scale} both sides must be {least} or more")


def read_rgb(path: Path, *, limits: Limits, tell: Tell) -> Pixels:
    """Return a picture file as 8-bit (H, W, 3) RGB.

    Gray is repeated. 16 bits are rounded to 8, and transparency is laid over white; both are told.
    Samples are taken as they are encoded, whatever their profile. Raises UnreadablePicture,
    UnsupportedPicture (animations among them), InputNotReadable and PictureTooLarge.
    """
    decoder = Decoder(read_input(path, limit_bytes=limits.input_bytes), name=path.name)
    limits.check_input(decoder.header, name=path.name)
    picture = decoder.picture()
    for warning in decoder.warnings:
        tell(f"{path.name}: {warning}")
    return _as_rgb8(picture, name=path.name, tell=tell)


def _as_rgb8(picture: Picture, *, name: str, tell: Tell) -> Pixels:
    pixels, alpha, white = picture.pixels, picture.alpha, picture.sample_max
    if alpha is not None and (alpha != white).any():
        tell(f"{name} has transparency: it is laid over white")
        share = (alpha / white)[..., np.newaxis]
        pixels = np.rint(pixels * share + white * (1 - share)).astype(pixels.dtype)
    if white > np.iinfo(np.uint8).max:
        tell(f"{name} has 16 bits: they are rounded to 8")
        pixels = np.rint(pixels / (white / 255))
    levels = pixels.astype(np.uint8)
    return np.repeat(levels, 3, axis=2) if picture.gray else levels


def through_jpeg(pixels: Pixels, *, quality: int) -> Pixels:
    """Return what a JPEG file of that quality (1..100) keeps of a picture."""
    file = encoded(Picture(pixels=pixels), format="jpeg", quality=quality)
    kept = Decoder(file, name="the JPEG that was made").picture().pixels
    return kept.astype(np.uint8, copy=False)
