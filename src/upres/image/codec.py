"""Files to pictures and back, with libvips: the only user of pyvips.

One loader is called by name for the format that the first bytes show, so no other decoder of
libvips ever sees a stranger's bytes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from upres.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture
from upres.image.formats import TRAITS, sniff
from upres.image.picture import Header, Metadata, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Format, Samples

MIN_SIDE_PX = 2
"""A picture with fewer rows or columns holds nothing to enlarge."""

_KEPT_PREFIX = "exif-"
_KEPT_FIELDS = ("xmp-data", "iptc-data")
_ICC_HEADER_BYTES = 128
_USUAL_PIXELS_PER_MM = 72 / 25.4
"""72 dots per inch, written where a picture states no density: libvips' own default is 25.4."""
_GRAY = ("b-w", "grey16")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a picture may cost, checked before any pixel is decoded."""

    input_bytes: int = 512 * 2**20
    input_pixels: int = 100_000_000
    output_pixels: int = 400_000_000

    def check_input(self, header: Header, *, name: str) -> None:
        """Raise PictureTooLarge or UnsupportedPicture for a picture that may not be decoded."""
        if header.pixels > self.input_pixels:
            raise PictureTooLarge(name, what="it has", value=header.pixels, limit=self.input_pixels)
        if min(header.width, header.height) < MIN_SIDE_PX:
            raise UnsupportedPicture(
                name,
                f"it is {header.width}x{header.height}; both sides must be {MIN_SIDE_PX} or more",
            )
        if header.frames > 1:
            raise UnsupportedPicture(name, f"it is animated ({header.frames} frames)")

    def check_output(self, *, width: int, height: int, name: str) -> None:
        """Raise PictureTooLarge when the result would pass the limit."""
        if width * height > self.output_pixels:
            raise PictureTooLarge(
                name,
                what=f"the result of {width}x{height} would have",
                value=width * height,
                limit=self.output_pixels,
            )


@cache
def _libvips() -> Any:
    """Import pyvips, its log made quiet and safe."""
    import pyvips

    # libvips warns of every odd file, in the log of a program that never asked
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    # and pyvips reads such warnings as UTF-8, though they quote names in Latin-1
    pyvips._to_string = _tolerant_text  # noqa: SLF001
    return pyvips


def _tolerant_text(value: Any) -> Any:
    import pyvips

    if isinstance(value, pyvips.ffi.CData):
        value = pyvips.ffi.string(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class Decoder:
    """A picture's bytes, its header read, its pixels not yet."""

    def __init__(self, data: bytes, *, name: str = "picture") -> None:
        """Read the header of `data`, naming it `name` in errors.

        Raises UnreadablePicture and UnsupportedPicture.
        """
        if not data:
            raise UnreadablePicture(name, "it is empty")
        self.name = name
        self._data = data
        self._format = sniff(data[:64], name=name)
        image = self._open(access="sequential")
        self._turned = _orientation(image) > 1
        self.header = self._describe(image)

    def _open(self, *, access: Literal["sequential", "random"]) -> Any:
        pyvips = _libvips()
        load = getattr(pyvips.Image, f"{self._format}load_buffer")
        try:
            return load(self._data, access=access, fail_on="error")
        except pyvips.Error as error:
            raise UnreadablePicture(self.name, _cause(error)) from error

    def _describe(self, image: Any) -> Header:
        width, height = image.width, image.height
        if _orientation(image) >= 5:  # noqa: PLR2004 - EXIF: 5 to 8 swap the axes
            width, height = height, width
        frames = image.get("n-pages") if image.get_typeof("n-pages") else _png_frames(self._data)
        return Header(
            format=self._format,
            width=width,
            height=height,
            gray=image.interpretation in _GRAY,
            alpha=bool(image.hasalpha()),
            bits=16 if image.format == "ushort" else 8,
            frames=frames,
        )

    def picture(self) -> Picture:
        """Decode the whole picture, upright; raises UnreadablePicture for damaged data."""
        import pyvips

        image = self._open(access="random" if self._turned else "sequential")
        try:
            metadata = _metadata(image)
            image = image.autorot()
            if image.interpretation == "cmyk":
                image = image.icc_transform("srgb", embedded=True, input_profile="cmyk")
                metadata = Metadata(pixels_per_mm=metadata.pixels_per_mm, fields=metadata.fields)
            samples = image.numpy()
        except pyvips.Error as error:
            raise UnreadablePicture(self.name, _cause(error)) from error
        return _picture(samples, alpha=self.header.alpha, metadata=metadata)


def _png_frames(data: bytes) -> int:
    """Return the frames an animated PNG states before its pixels; libvips sees only the first."""
    at = data.find(b"acTL", 0, max(0, data.find(b"IDAT")))
    return int.from_bytes(data[at + 4 : at + 8], "big") if at >= 0 else 1


def _orientation(image: Any) -> int:
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def _cause(error: Exception) -> str:
    """Return the line of libvips' message that says why, where one does."""
    lines = [line.strip() for line in str(error).splitlines()]
    causes = [line for line in lines if line and "unable to" not in line]
    return causes[-1] if causes else "it is damaged"


def _metadata(image: Any) -> Metadata:
    names = [
        name
        for name in image.get_fields()
        if name.startswith(_KEPT_PREFIX) or name in _KEPT_FIELDS
        if not name.startswith("exif-ifd0-Orientation")
    ]
    density = None
    if image.get_typeof("resolution-unit") or image.xres != 1.0:
        density = (float(image.xres), float(image.yres))
    icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else b""
    return Metadata(
        icc=_sound_profile(icc),
        pixels_per_mm=density,
        fields={name: (image.get_typeof(name), image.get(name)) for name in names},
    )


def _sound_profile(icc: bytes) -> bytes | None:
    """Return a profile cut to the length it states; None for what no encoder would take."""
    stated = int.from_bytes(icc[:4], "big")
    if icc[36:40] != b"acsp" or not _ICC_HEADER_BYTES < stated <= len(icc):
        return None
    return icc[:stated]


def _picture(samples: NDArray[Samples], *, alpha: bool, metadata: Metadata) -> Picture:
    if samples.ndim == 2:  # noqa: PLR2004 - libvips drops the axis of a single band
        samples = samples[..., np.newaxis]
    if not alpha:
        return Picture(pixels=samples, metadata=metadata)
    return Picture(
        pixels=np.ascontiguousarray(samples[..., :-1]),
        alpha=np.ascontiguousarray(samples[..., -1]),
        metadata=metadata,
    )


def encode(
    picture: Picture,
    target: BinaryIO,
    *,
    format: Format,  # noqa: A002
    quality: int = 95,
) -> None:
    """Write a picture to a binary file object.

    `quality` (1..100) is for JPEG and WebP; PNG is lossless. JPEG holds no transparency: it is laid
    over white. JPEG and WebP hold 8 bits: 16-bit samples are rounded. An OSError of `target` is
    raised as it is.
    """
    pyvips = _libvips()
    traits = TRAITS[format]
    image = _to_image(picture, alpha=traits.alpha, sixteen_bit=traits.sixteen_bit)
    failure: list[OSError] = []

    def write(chunk: bytes) -> int:
        try:
            return target.write(chunk)
        except OSError as error:
            failure.append(error)
            return -1

    sink = pyvips.TargetCustom()
    sink.on_write(write)
    options: dict[str, Any] = {"keep": "all"}
    if traits.lossy:
        options["Q"] = quality
    if format == "png":
        options["compression"] = 6
    try:
        getattr(image, f"{format}save_target")(sink, **options)
    except pyvips.Error:
        if failure:
            raise failure[0] from None
        raise


def _to_image(picture: Picture, *, alpha: bool, sixteen_bit: bool) -> Any:
    import pyvips

    planes = [picture.pixels]
    if picture.alpha is not None:
        planes.append(picture.alpha[..., np.newaxis])
    samples = np.ascontiguousarray(np.concatenate(planes, axis=2) if planes[1:] else planes[0])
    height, width, bands = samples.shape
    wide = samples.dtype == np.uint16
    image = pyvips.Image.new_from_memory(
        samples.data, width, height, bands, "ushort" if wide else "uchar"
    )
    space = ("grey16" if wide else "b-w") if picture.gray else ("rgb16" if wide else "srgb")
    image = image.copy(interpretation=space)
    if picture.alpha is not None and not alpha:
        white = picture.sample_max
        image = image.flatten(background=[white] * (bands - 1), max_alpha=white)
        image = image.cast("ushort" if wide else "uchar")
    if wide and not sixteen_bit:
        image = (image / 257).rint().cast("uchar")
        image = image.copy(interpretation="b-w" if picture.gray else "srgb")
    return _with_metadata(image, picture.metadata)


def _with_metadata(image: Any, metadata: Metadata) -> Any:
    import pyvips

    image = image.copy()
    across, down = metadata.pixels_per_mm or (_USUAL_PIXELS_PER_MM, _USUAL_PIXELS_PER_MM)
    image = image.copy(xres=across, yres=down)
    if metadata.icc is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", metadata.icc)
    for name, (kind, value) in metadata.fields.items():
        image.set_type(kind, name, value)
    if metadata.fields:
        # the EXIF block still says how the source was turned
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return image
