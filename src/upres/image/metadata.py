"""What travels with pixels: libvips' fields become Metadata, and Metadata becomes fields."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

from upres.image.exif import cleaned_exif
from upres.image.picture import Metadata
from upres.image.vips import libvips

_EXIF = "exif-"
_EXIF_BLOCK = "exif-data"
_XMP, _IPTC = "xmp-data", "iptc-data"
_UNTRUE = (
    "exif-ifd0-Orientation",
    "exif-ifd0-ImageWidth",
    "exif-ifd0-ImageLength",
    "exif-ifd0-XResolution",
    "exif-ifd0-YResolution",
    "exif-ifd0-ResolutionUnit",
    "exif-ifd1-",
)
"""EXIF that a larger upright picture makes wrong: turn, size, density, the thumbnail's directory.

The two other sizes are corrected by libvips when it writes, and the density is written anew."""
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")
_XMP_SIZE = re.compile(
    rb"\s(?:tiff:Image(?:Width|Length)|exif:Pixel[XY]Dimension)=(?:\"\d+\"|'\d+')"
    rb"|<(tiff:Image(?:Width|Length)|exif:Pixel[XY]Dimension)>\d+</\1>"
)
_INCH, _CENTIMETRE = "2", "3"
_MM_OF_UNIT = {_INCH: 25.4, _CENTIMETRE: 10.0}
_LOCATION_EXIF = ("exif-ifd3-", "exif-ifd2-MakerNote")
_LOCATION_WORDS = (
    b"gps",
    b"location",
    b"latitude",
    b"longitude",
    b"geo:",
    b"city",
    b"country",
    b":state",
)
_IPTC_DATASET = b"\x1c\x02"
_IPTC_LOCATIONS = (26, 27, 90, 92, 95, 100, 101)
"""Content location (code, name), city, sublocation, state, country (code, name)."""
_ICC_HEADER_BYTES = 128
_USUAL_PIXELS_PER_MM = 72 / 25.4
"""72 dots per inch, written where a picture states no density: libvips' own default is 25.4."""


def read_metadata(image: Any) -> Metadata:
    """Return profile, density, EXIF, XMP and IPTC of a libvips image, without its turn.

    The EXIF thumbnail, which shows the small picture, stays behind.
    """
    names = [
        name
        for name in image.get_fields()
        if name.startswith(_EXIF) or name in (_XMP, _IPTC)
        if not name.startswith(_UNTRUE)
    ]
    icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else b""
    fields = {name: (image.get_typeof(name), image.get(name)) for name in names}
    if _XMP in fields:
        kind, xmp = fields[_XMP]
        fields[_XMP] = (kind, _true_xmp(xmp))
    return Metadata(
        icc=sound_profile(icc),
        pixels_per_mm=_density(image),
        fields=_with_clean_block(fields, location=True),
    )


def _density(image: Any) -> tuple[float, float] | None:
    """Return pixels in a millimetre; WebP and AVIF have no density but the one in EXIF."""
    if image.xres != 1.0:  # what libvips has where it found none
        return float(image.xres), float(image.yres)
    across, down, unit = (
        image.get(f"exif-ifd0-{name}").split(" ")[0]
        if image.get_typeof(f"exif-ifd0-{name}")
        else ""
        for name in ("XResolution", "YResolution", "ResolutionUnit")
    )
    try:
        density = float(Fraction(across)), float(Fraction(down))
    except (ValueError, ZeroDivisionError):
        return None
    length_mm = _MM_OF_UNIT.get(unit or _INCH)
    if length_mm is None or min(density) <= 0:
        return None
    return density[0] / length_mm, density[1] / length_mm


def _true_xmp(xmp: bytes) -> bytes:
    """Return XMP that says of turn and size what is true of an upright picture of another size."""
    return _XMP_SIZE.sub(b"", _XMP_ORIENTATION.sub(rb"\g<1>1", xmp))


def with_metadata(image: Any, metadata: Metadata) -> Any:
    """Return a copy of a libvips image that has that metadata and says that it is upright."""
    pyvips = libvips()
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


def without_location(metadata: Metadata) -> Metadata:
    """Return the metadata without what tells where the picture was taken.

    GPS fields go, and the maker's own notes, which nobody can read; XMP and IPTC go as a whole when
    there is any word of a place in them.
    """
    fields = {
        name: value
        for name, value in metadata.fields.items()
        if not name.startswith(_LOCATION_EXIF)
        if not (name == _XMP and _speaks_of_a_place(value[1]))
        if not (name == _IPTC and _has_a_place(value[1]))
    }
    return replace(metadata, fields=_with_clean_block(fields, location=False))


def _with_clean_block(fields: dict[str, Any], *, location: bool) -> dict[str, Any]:
    """Return fields whose EXIF block has no more than they say, or is left out if it is damaged."""
    if _EXIF_BLOCK not in fields:
        return fields
    kind, block = fields[_EXIF_BLOCK]
    clean = cleaned_exif(block, location=location)
    others = {name: value for name, value in fields.items() if name != _EXIF_BLOCK}
    return others if clean is None else {_EXIF_BLOCK: (kind, clean), **others}


def _speaks_of_a_place(xmp: bytes) -> bool:
    # XMP may be UTF-16
    text = xmp.replace(b"\x00", b"").lower()
    return any(word in text for word in _LOCATION_WORDS)


def _has_a_place(iptc: bytes) -> bool:
    return any(_IPTC_DATASET + bytes([number]) in iptc for number in _IPTC_LOCATIONS)


def sound_profile(icc: bytes) -> bytes | None:
    """Return a profile cut to the length it states; None for what no encoder would take."""
    stated = int.from_bytes(icc[:4], "big")
    if icc[36:40] != b"acsp" or not _ICC_HEADER_BYTES < stated <= len(icc):
        return None
    return icc[:stated]


def profile_fits(icc: bytes, *, gray: bool) -> bool:
    """Tell whether a profile is for such samples: gray or RGB, not CMYK or the other of the two."""
    return icc[16:20] == (b"GRAY" if gray else b"RGB ")
