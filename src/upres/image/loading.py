"""One file read by one of libvips' loaders, in the calling thread and from the top down."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from upres.errors import OutOfMemory, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from upres.image.bands import SWAPPED, band_rows, turned
from upres.image.colours import Samples
from upres.image.containers import avif, gif, jpeg, png, tiff
from upres.image.containers.findings import MAX_SIDE_PX, Findings
from upres.image.metadata import profile_fits, read_metadata
from upres.image.picture import Animation, Header
from upres.image.vips import complaints, libvips

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from upres.image.picture import Format, Metadata, Rows

_LOADERS = {
    "png": "pngload_source",
    "jpeg": "jpegload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "tiff": "tiffload_source",
    "gif": "gifload_source",
}
_HARMLESS = ("extra compressed data", "too much image data", "out of place", "duplicate")
"""What PNG says of data that it has beside the picture's."""
_NO_CAUSE = ("unable to", "bad seek", "error in tile", "libpng read error")


class VipsFile:
    """A file's header, and its rows when they are asked for.

    libvips tells of lost pixels in three ways: it fails, or it only warns, or (JPEG) it fails when
    it is told to fail on warnings. What it warned of when it read the header is harmless and kept
    in `warnings`; what it warns of while it decodes is damage.
    """

    def __init__(self, data: bytes, kind: Format, *, name: str) -> None:
        """Read the header; raises UnreadablePicture, UnsupportedPicture and PictureTooLarge."""
        self.name = name
        self._kind = kind
        found = _inspected(data, kind, name=name)
        with complaints() as said:
            image = self._open(found, said)
            frames = int(image.get("n-pages")) if image.get_typeof("n-pages") else 1
            self._found = self._agreed(found, frames, height=image.height)
            if self._found.frames > 1:
                image = self._open(self._found, said)
            samples = self._samples(image)
            self._orientation = _orientation(image)
            self.metadata = self._metadata(image, samples)
            self.header = self._header(image, samples)
        self.warnings = list(dict.fromkeys([*found.warnings, *self._odd_profile, *said]))

    def frames(self) -> Iterator[Iterator[Rows]]:
        """Yield each frame's bands of rows; raises UnreadablePicture for damaged data."""
        with complaints() as said:
            samples = self._samples(self._open(self._found, said))
            region = libvips().Region.new(samples.image)
        upright = self.header.layout
        height = upright.width if self._orientation in SWAPPED else upright.height
        for frame in range(self.header.frames):
            bands = self._bands(samples, region, frame * height, height)
            yield turned(bands, self._orientation, upright, name=self.name)
        self.warnings += samples.warnings

    def _open(self, found: Findings, said: list[str]) -> Any:
        options: dict[str, Any] = {"n": found.frames} if found.frames > 1 else {}
        fail_on: Literal["warning", "error"] = "warning" if self._kind == "jpeg" else "error"
        load = getattr(libvips().Image, _LOADERS[self._kind])
        libvips().vips_lib.vips_error_clear()
        try:
            # a source reads the bytes where they are; a buffer would be copied
            source = libvips().Source.new_from_memory(found.data)
            return load(source, access="sequential", fail_on=fail_on, **options)
        except libvips().Error as error:
            raise self._failure(error, said) from error

    def _agreed(self, found: Findings, frames: int, *, height: int) -> Findings:
        """Return the findings with the number of frames that libvips agrees to."""
        if self._kind == "avif" and frames > 1:
            raise UnsupportedPicture(
                self.name, f"it holds {frames} pictures; AVIF is read with one"
            )
        if self._kind == "webp":
            found = replace(found, frames=frames)
        elif frames < found.frames:
            raise UnreadablePicture(
                self.name, f"of its {found.frames} frames only {frames} can be read"
            )
        # libvips lays frames under each other
        if height * found.frames > MAX_SIDE_PX:
            raise PictureTooLarge(
                self.name,
                what="its frames have",
                value=height * found.frames,
                limit=MAX_SIDE_PX,
                unit="rows",
            )
        return found

    def _samples(self, image: Any) -> Samples:
        try:
            return Samples(image, self._found, name=self.name)
        except libvips().Error as error:
            raise self._failure(error) from error

    def _metadata(self, image: Any, samples: Samples) -> Metadata:
        metadata = read_metadata(image)
        self._odd_profile: list[str] = []
        icc = metadata.icc
        if not samples.keeps_profile:
            return replace(metadata, icc=None)
        if icc is not None and not profile_fits(icc, gray=samples.layout.gray):
            self._odd_profile = ["its colour profile is for another kind of samples: left out"]
            return replace(metadata, icc=None)
        if icc is None and self._found.profile is not None:
            return replace(
                metadata, icc=libvips().Operation.call("profile_load", self._found.profile)
            )
        return metadata

    def _header(self, image: Any, samples: Samples) -> Header:
        layout, frames = samples.layout, self._found.frames
        height = layout.height // frames
        layout = layout.sized(width=layout.width, height=height)
        if self._orientation in SWAPPED:
            layout = layout.sized(width=height, height=layout.width)
        animation = None
        if frames > 1 and self._kind != "tiff":
            delays = [int(delay) for delay in image.get("delay")][:frames]
            delays += [100] * (frames - len(delays))
            loop = int(image.get("loop")) if image.get_typeof("loop") else 0
            animation = Animation(delays_ms=tuple(delays), loop=loop)
        return Header(format=self._kind, layout=layout, frames=frames, animation=animation)

    def _bands(self, samples: Samples, region: Any, start: int, height: int) -> Iterator[Rows]:
        step = band_rows(samples.layout)
        for top in range(0, height, step):
            count = min(step, height - top)
            with complaints() as said:
                try:
                    buffer = region.fetch(0, start + top, samples.image.width, count)
                except libvips().Error as error:
                    raise self._failure(error, said) from error
            self._judge(said)
            yield samples.rows(buffer, count)

    def _judge(self, said: list[str]) -> None:
        """Keep what is harmless; raise UnreadablePicture for what is not."""
        for text in said:
            if text in self.warnings:
                continue
            if not any(harmless in text.lower() for harmless in _HARMLESS):
                raise UnreadablePicture(self.name, text)
            self.warnings.append(text)

    def _failure(
        self, error: Exception, said: Sequence[str] = ()
    ) -> UnreadablePicture | OutOfMemory:
        """Say why libvips gave up: in its last words, or in the warnings before them."""
        if "out of memory" in str(error):
            return OutOfMemory(self.name)
        # each line begins with the name of the part that says it
        lines = [re.sub(r"^\w+: ", "", line.strip()) for line in str(error).splitlines()]
        causes = [
            line for line in (*said, *lines) if line and not any(no in line for no in _NO_CAUSE)
        ]
        return UnreadablePicture(self.name, causes[-1] if causes else "it is damaged")


def _inspected(data: bytes, kind: Format, *, name: str) -> Findings:
    match kind:
        case "png":
            return png.inspect(data, name=name)
        case "jpeg":
            return jpeg.inspect(data)
        case "gif":
            return gif.inspect(data, name=name)
        case "tiff":
            return tiff.inspect(data, name=name)
        case "avif":
            return avif.inspect(data, name=name)
        case "webp":
            return Findings(data=data)


def _orientation(image: Any) -> int:
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1
