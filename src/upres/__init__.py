"""Super-resolution on ordinary CPUs: enlarge a picture with one call.

>>> import upres
>>> upres.enlarge(b"not a picture")
Traceback (most recent call last):
    ...
upres.errors.UnsupportedPicture: picture is not supported: it is no picture that upres knows; \
upres reads PNG, JPEG, WEBP, AVIF, TIFF, GIF, BMP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upres.errors import UpresError

if TYPE_CHECKING:
    from upres.enlargement import PictureWarning
    from upres.library import Upscaler, enlarge

__version__ = "0.1.0"
__all__ = ["PictureWarning", "UpresError", "Upscaler", "__version__", "enlarge"]


def __getattr__(name: str) -> Any:
    """Load the library at first use: a program that only imports upres pays nothing for it."""
    if name == "PictureWarning":
        from upres.enlargement import PictureWarning

        return PictureWarning
    if name in ("Upscaler", "enlarge"):
        from upres import library

        return getattr(library, name)
    raise AttributeError(f"module 'upres' has no attribute {name!r}")
