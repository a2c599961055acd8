"""Files to pictures: the header at once, the pixels as bands of rows when they are asked for.

One loader is called by name for the format that the first bytes show, so no other decoder of
libvips ever sees a stranger's bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from upres.errors import UnreadablePicture
from upres.image.bands import gathered, only_frame
from upres.image.bmp import BmpFile
from upres.image.formats import sniff
from upres.image.loading import VipsFile
from upres.image.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upres.image.picture import Header, Metadata, Rows

_HEAD_BYTES = 512


class _File(Protocol):
    header: Header
    metadata: Metadata
    warnings: list[str]

    def frames(self) -> Iterator[Iterator[Rows]]: ...


class Decoder:
    """A picture file's bytes, its header read, its pixels not yet.

    Of AVIF only files with one picture are read; of TIFF all pages, which must be alike.

    Memory: rows of JPEG, PNG, TIFF and GIF are decoded as they are read. WebP (each frame), AVIF,
    BMP, progressive JPEG and interlaced PNG are decoded whole with the first row, and so are
    pictures that a camera turned or mirrored upside down.
    """

    def __init__(self, data: bytes, *, name: str = "picture") -> None:
        """Read the header of `data`, naming it `name` in errors.

        Raises UnreadablePicture, UnsupportedPicture and PictureTooLarge.
        """
        if not data:
            raise UnreadablePicture(name, "it is empty")
        self.name = name
        kind = sniff(data[:_HEAD_BYTES], name=name)
        self._file: _File
        if kind == "bmp":
            self._file = BmpFile(data, name=name)
        else:
            self._file = VipsFile(data, kind, name=name)

    @property
    def header(self) -> Header:
        """What is known before any pixel is decoded."""
        return self._file.header

    @property
    def metadata(self) -> Metadata:
        """What travels with the pixels; samples are encoded in its profile."""
        return self._file.metadata

    @property
    def warnings(self) -> list[str]:
        """What is odd about the file without loss of pixels; complete when all rows are read."""
        return self._file.warnings

    def frames(self) -> Iterator[Iterator[Rows]]:
        """Yield the frames or pages in order, each as bands of rows from the top, upright.

        They are to be read in that order, in one go. Raises UnreadablePicture for damaged data,
        which may be found after some rows: no half picture is to be kept then.
        """
        return self._file.frames()

    def rows(self) -> Iterator[Rows]:
        """Yield the bands of rows of a picture with one frame; raises as `frames` does."""
        return only_frame(self)

    def picture(self) -> Picture:
        """Decode a picture with one frame whole; raises as `frames` does."""
        layout = self.header.layout
        rows = gathered(self.rows(), layout, name=self.name)
        return Picture.from_rows(rows, alpha=layout.alpha, metadata=self.metadata)
