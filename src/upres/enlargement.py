"""One picture file on its way to a larger one: looked at, checked, then streamed through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Protocol

from upres.condition.measure import measure
from upres.condition.tables import stated_quality
from upres.image.decode import Decoder
from upres.image.encode import Encoder
from upres.image.formats import check_holds, check_sides
from upres.image.metadata import without_location
from upres.upscale.upscaler import Options, enlarge_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upres.condition.measure import Condition
    from upres.image.limits import Limits
    from upres.image.picture import Format, Header, Metadata, Rows
    from upres.upscale.flat import Tally
    from upres.upscale.size import SizeRequest
    from upres.upscale.steps import TileSeen
    from upres.upscale.upscaler import CancelCheck, Interpolation, Network, ProgressCallback


class PictureWarning(UserWarning):
    """A picture was read whole although its file is odd; the text says in what way."""


class Decodes(Protocol):
    """What gives a picture's header and, once, its pixels: here, or in a process of its own."""

    @property
    def header(self) -> Header:
        """What is known before any pixel is decoded."""

    @property
    def metadata(self) -> Metadata:
        """Profile, density and fields."""

    @property
    def warnings(self) -> list[str]:
        """What is odd about the file; complete when all rows were read."""

    def frames(self) -> Iterator[Iterator[Rows]]:
        """Yield every frame as bands of rows."""


def condition_of(decoder: Decodes, head: bytes) -> Condition:
    """Measure a picture's first frame; its pixels are decoded for that, and for nothing else.

    `head` is the file or its beginning, see `upres.condition.tables`. Raises UnreadablePicture.
    """
    rows = next(decoder.frames())
    return replace(measure(rows, decoder.header.layout), quality=stated_quality(head))


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How a result is written."""

    format: Format
    quality: int = 95
    """1..100, for the lossy formats."""
    strip_metadata: bool = False
    """Drop EXIF, XMP and IPTC; the profile and the density stay."""
    strip_location: bool = False
    """Drop what tells where a picture was taken."""


class Undertaking:
    """What is to become of a picture, known from its header and found to be within the limits."""

    def __init__(self, header: Header, *, name: str, size: SizeRequest, limits: Limits) -> None:
        """Check a picture, `name` in errors; raises as `Enlargement` for all but its content."""
        self.header = header
        self.name = name
        limits.check_input(header, name=name)
        self.width, self.height = size.size_for(width=header.width, height=header.height)
        limits.check_output(width=self.width, height=self.height, frames=header.frames, name=name)

    @property
    def factor(self) -> float:
        """How many times larger the result is, along the axis that grows more."""
        return max(self.width / self.header.width, self.height / self.header.height)

    @property
    def pixels(self) -> int:
        """Of the result, all frames together."""
        return self.width * self.height * self.header.frames

    def check_format(self, format: Format) -> None:  # noqa: A002
        """Raise PictureTooLarge or InvalidOption where a format cannot hold the result."""
        check_sides(format, width=self.width, height=self.height, name=self.name)
        check_holds(format, self.header, name=self.name)


class Enlargement(Undertaking):
    """A picture whose header was read and found fit to be enlarged; no pixel is decoded yet.

    Nothing is ever held whole: rows are decoded, enlarged and encoded in bands.
    """

    def __init__(
        self, source: bytes | Decodes, *, name: str, size: SizeRequest, limits: Limits
    ) -> None:
        """Look at a picture file's bytes, or at what decodes them; `name` is for errors.

        Raises UnreadablePicture, UnsupportedPicture, PictureTooLarge and InvalidOption.
        """
        self.decoder: Decodes = Decoder(source, name=name) if isinstance(source, bytes) else source
        super().__init__(self.decoder.header, name=name, size=size, limits=limits)

    @property
    def warnings(self) -> list[str]:
        """What is odd about the file without making it unreadable; complete after `write`."""
        return self.decoder.warnings

    def write(
        self,
        target: BinaryIO,
        method: Network | Interpolation,
        *,
        delivery: Delivery,
        options: Options,
        progress: ProgressCallback | None = None,
        cancel: CancelCheck | None = None,
        tile_seen: TileSeen | None = None,
        rows_seen: Callable[[Rows], None] | None = None,
        tally: Tally | None = None,
    ) -> None:
        """Enlarge the picture into a binary file object, frame by frame, band by band.

        `progress` is called with (tiles done, tiles in all), over all frames. `tile_seen` is shown
        the first frame's tiles, `rows_seen` its rows as they are written; `tally` is told how much
        was interpolated. Raises
        UnreadablePicture, Cancelled, EngineFailed, and an OSError of `target` as it is; what was
        written until then is no whole picture.
        """
        header = self.header
        with Encoder(
            target,
            format=delivery.format,
            layout=header.layout.sized(width=self.width, height=self.height),
            metadata=self._metadata(delivery),
            frames=header.frames,
            animation=header.animation,
            quality=delivery.quality,
        ) as encoder:
            for frame, rows in enumerate(self.decoder.frames()):
                for enlarged in enlarge_rows(
                    rows,
                    header.layout,
                    method,
                    width=self.width,
                    height=self.height,
                    options=options,
                    progress=_of_all_frames(progress, frame=frame, frames=header.frames),
                    cancel=cancel,
                    tile_seen=tile_seen if frame == 0 else None,
                    tally=tally,
                ):
                    if rows_seen is not None and frame == 0:
                        rows_seen(enlarged)
                    encoder.write(enlarged)

    def _metadata(self, delivery: Delivery) -> Metadata:
        metadata = self.decoder.metadata.denser(
            self.width / self.header.width, self.height / self.header.height
        )
        if delivery.strip_metadata:
            return metadata.stripped()
        return without_location(metadata) if delivery.strip_location else metadata


def _of_all_frames(
    progress: ProgressCallback | None, *, frame: int, frames: int
) -> ProgressCallback | None:
    """Count the tiles of one frame as a part of all frames' tiles."""
    if progress is None or frames == 1:
        return progress
    return lambda done, total: progress(frame * total + done, frames * total)
