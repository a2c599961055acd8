"""What results are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upres.image.formats import TRAITS

if TYPE_CHECKING:
    from pathlib import Path

    from upres.image.picture import Format, Header
    from upres.upscale.size import SizeRequest


def output_name(
    source: Path,
    size: SizeRequest,
    *,
    header: Header,
    format: Format,  # noqa: A002
) -> str:
    """Name a result: `photo_x3.jpg` for a factor, `photo_1200x800.jpg` for a size.

    The input's own spelling of the extension is kept where the format allows.
    """
    width, height = size.size_for(width=header.width, height=header.height)
    mark = result_mark(size) or f"_{width}x{height}"
    extensions = TRAITS[format].extensions
    extension = source.suffix if source.suffix.lower() in extensions else extensions[0]
    return f"{source.stem}{mark}{extension}"


def result_mark(size: SizeRequest) -> str | None:
    """Return what the names of results end with, `_x3`; None where it depends on the picture."""
    factor = size.nominal_factor
    return None if factor is None else f"_x{factor:g}"
