"""What each format's encoder is told, and what samples become for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from upres.image.formats import TRAITS
from upres.image.metadata import with_metadata
from upres.image.vips import libvips

if TYPE_CHECKING:
    from upres.image.picture import Animation, Format, Layout, Metadata

SAVERS: dict[Format, str] = {
    "png": "pngsave_target",
    "jpeg": "jpegsave_target",
    "webp": "webpsave_target",
    "avif": "heifsave_target",
    "tiff": "tiffsave_target",
    "gif": "gifsave_target",
}
GOES_BACK: frozenset[Format] = frozenset({"tiff"})
"""Formats that need a file to move about in."""
_CLASSIC_TIFF_BYTES = 3_900_000_000
"""Offsets of 32 bits reach 4 GiB, and compression makes noise a little longer."""


def save_options(format: Format, layout: Layout, *, frames: int, quality: int) -> dict[str, Any]:  # noqa: A002
    """Return what a format's saver is told for that many frames.

    Measured on photographs enlarged twice: one PNG filter is as small as choosing anew in every row
    and a sixth faster; more effort than 3 costs AVIF seven times the time for 3 % of the size.
    """
    options: dict[Format, dict[str, Any]] = {
        "png": {"compression": 6, "filter": "paeth"},
        # neither progressive nor with tables of its own: both keep all coefficients
        "jpeg": {"Q": quality},
        "webp": {"Q": quality, "alpha_q": 100},
        "avif": {
            "Q": quality,
            "compression": "av1",
            "bitdepth": 12 if layout.bits > 8 else 8,  # noqa: PLR2004
            "effort": 3,
        },
        "tiff": {
            "compression": "deflate",
            "predictor": "horizontal",
            "resunit": "inch",
            "bigtiff": _bytes(layout) * frames > _CLASSIC_TIFF_BYTES,
        },
        # frames that look alike still count
        "gif": {"keep_duplicate_frames": True},
    }
    return {"keep": "all", **options[format]}


def prepared(
    image: Any,
    format: Format,  # noqa: A002
    layout: Layout,
    *,
    metadata: Metadata,
    animation: Animation | None,
) -> Any:
    """Return the image as the format can hold it, with all that travels with it."""
    traits = TRAITS[format]
    white = layout.sample_max
    if layout.alpha and not traits.alpha:
        kind, space = image.format, image.interpretation
        image = image.flatten(background=[white] * (layout.planes - 1), max_alpha=white)
        image = image.cast(kind).copy(interpretation=space)
    rounded = layout.bits > traits.bits
    if rounded and traits.bits == 8:  # noqa: PLR2004
        # before colours are converted, which is less exact for 16 bits
        image = _rounded(image, traits.bits)
    if metadata.icc is not None and not _holds_profile(format, metadata.icc):
        image = _in_srgb(with_metadata(image, metadata))
        metadata = replace(metadata, icc=None)
    if rounded and traits.bits > 8:  # noqa: PLR2004
        image = _rounded(image, traits.bits)
    image = with_metadata(image, metadata)
    return _with_frames(image, layout, animation)


def _bytes(layout: Layout) -> int:
    return layout.width * layout.height * layout.planes * layout.bits // 8


def _holds_profile(format: Format, icc: bytes) -> bool:  # noqa: A002
    traits = TRAITS[format]
    return traits.icc and (traits.gray_icc or icc[16:20] != b"GRAY")


def _in_srgb(image: Any) -> Any:
    """Convert samples from the profile that the image has; one that nobody can read is sRGB."""
    depth = 16 if image.format == "ushort" else 8
    image = image.icc_transform(
        "srgb",
        embedded=True,
        input_profile="srgb",
        intent="relative",
        black_point_compensation=True,
        depth=depth,
    ).copy()
    image.remove("icc-profile-data")
    return image


def _rounded(image: Any, bits: int) -> Any:
    """Round 16 bits to 8, or to 12 in the upper bits of 16."""
    kind = image.interpretation
    steps = (image * (((1 << bits) - 1) / 65535)).rint()
    if bits > 8:  # noqa: PLR2004
        return (steps * (1 << (16 - bits))).cast("ushort").copy(interpretation=kind)
    return steps.cast("uchar").copy(interpretation="b-w" if kind == "grey16" else "srgb")


def _with_frames(image: Any, layout: Layout, animation: Animation | None) -> Any:
    """Return the image, all frames under each other, with the word on where each begins."""
    kinds = libvips().GValue
    image = image.copy()
    image.set_type(kinds.gint_type, "page-height", layout.height)
    if animation is not None:
        image.set_type(kinds.array_int_type, "delay", list(animation.delays_ms))
    # a GIF that says nothing of it would be marked as shown for ever
    image.set_type(kinds.gint_type, "loop", 1 if animation is None else animation.loop)
    return image
