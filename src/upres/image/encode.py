"""Rows to files: libvips encodes in a thread of its own while the caller computes the next rows."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from upres.errors import EncodingFailed, OutOfMemory
from upres.image.exchange import Exchange
from upres.image.feed import RowFeed
from upres.image.formats import TRAITS, check_sides
from upres.image.saving import GOES_BACK, SAVERS, prepared, save_options
from upres.image.targets import SeekableTarget, stream_target
from upres.image.tiff_exif import exif_block
from upres.image.vips import libvips

if TYPE_CHECKING:
    from types import TracebackType

    from upres.image.picture import Animation, Format, Layout, Metadata, Picture, Rows

_PATIENCE_S = 2.0
"""How long an abandoned encoder is waited for: AVIF's cannot be stopped once it has all rows."""


class Encoder:
    """A file in the making, to be used in a `with` block.

    Leaving the block normally finishes the file. Leaving it by an exception abandons it: `target`
    keeps what was written so far, which no reader takes for a whole picture.

    What a format cannot hold becomes what it can. JPEG has transparency laid over white; GIF shows
    pixels of half the opacity and more, and no others. JPEG, WebP and GIF have 8 bits, AVIF 12, and
    a frame of a GIF 256 colours. Samples go into sRGB where their profile has no place: always in
    GIF, and those of a gray profile in WebP and AVIF. WebP shows frames that are alike as one.
    Density is in EXIF alone in WebP and AVIF; IPTC is in JPEG and TIFF only; GIF has nothing of it.
    """

    def __init__(
        self,
        target: BinaryIO,
        *,
        format: Format,  # noqa: A002
        layout: Layout,
        metadata: Metadata,
        frames: int = 1,
        animation: Animation | None = None,
        quality: int = 95,
    ) -> None:
        """Prepare for `frames` frames of that layout.

        `quality` (1..100) is for JPEG, WebP and AVIF. Raises PictureTooLarge when the format has no
        such size.
        """
        check_sides(format, width=layout.width, height=layout.height, name=_name(format))
        _check_frames(format, frames, animation)
        self._format = format
        self._layout = layout
        self._metadata = metadata
        self._animation = animation
        self._options = save_options(format, layout, frames=frames, quality=quality)
        self._rows_left = layout.height * frames
        self._feed = RowFeed(layout, rows=self._rows_left)
        self._exchange = Exchange(target)
        self._seekable = SeekableTarget(target) if format in GOES_BACK else None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._save, name="upres-encoder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._send(self._feed.start())
        return self

    def write(self, rows: Rows) -> None:
        """Take the next rows from the top, of all frames one after the other.

        Raises what `target` raises, be it for these rows or earlier ones, and EncodingFailed
        and OutOfMemory.
        """
        layout = self._layout
        if rows.shape[1:] != (layout.width, layout.planes) or rows.dtype != layout.dtype:
            raise TypeError(f"rows are {rows.dtype} {rows.shape}; expected {layout}")
        if len(rows) > self._rows_left:
            raise ValueError(f"{len(rows)} rows, where {self._rows_left} were left to write")
        self._rows_left -= len(rows)
        for piece in self._feed.pieces(rows):
            self._send(piece)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()

    def _finish(self) -> None:
        if self._rows_left:
            raise ValueError(f"{self._rows_left} rows were not written")
        self._send(self._feed.end())
        self._exchange.finish()
        self._raise_failure()
        if self._seekable is not None:
            self._seekable.finish(exif_block(self._metadata))

    def _abandon(self) -> None:
        """End the thread, if it has not ended."""
        self._exchange.stop()
        self._thread.join(_PATIENCE_S)
        if self._seekable is not None:
            self._seekable.shut()

    def _send(self, piece: bytes) -> None:
        if not self._exchange.send(piece):
            self._raise_failure()

    def _raise_failure(self) -> None:
        """Raise why the thread has stopped, if it was not because its work is done."""
        self._thread.join()
        failure = self._failure
        if self._seekable is not None and self._seekable.failure is not None:
            raise self._seekable.failure
        if failure is None:
            return
        if not isinstance(failure, libvips().Error):
            raise failure
        cause = _cause(failure)
        if "memory" in cause:
            raise OutOfMemory(_name(self._format)) from failure
        raise EncodingFailed(self._format.upper(), cause) from failure

    def _save(self) -> None:
        """Encode, in a thread of its own."""
        source = libvips().SourceCustom()
        source.on_read(self._exchange.read)
        target = self._vips_target()
        try:
            self._pump(source, target)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._exchange.stop()
            # the traceback keeps libvips' operation, which may write once more when it is freed:
            # it has to go now, while what it calls is there
            self._failure = error.with_traceback(None)
        finally:
            self._exchange.stop()

    def _pump(self, source: Any, target: Any) -> None:
        """Read rows and write the file until both are done; nothing of it outlives the call."""
        # without fail_on, rows that never come would be black ones
        image = libvips().Image.pngload_source(source, access="sequential", fail_on="error")
        image = prepared(
            image,
            self._format,
            self._layout,
            metadata=self._metadata,
            animation=self._animation,
        )
        getattr(image, SAVERS[self._format])(target, **self._options)

    def _vips_target(self) -> Any:
        if self._seekable is not None:
            return self._seekable.vips_target()
        return stream_target(self._exchange.write)


def encode(
    picture: Picture,
    target: BinaryIO,
    *,
    format: Format,  # noqa: A002
    quality: int = 95,
) -> None:
    """Write a whole picture to a binary file object; see Encoder."""
    with Encoder(
        target, format=format, layout=picture.layout, metadata=picture.metadata, quality=quality
    ) as encoder:
        encoder.write(picture.rows())


def encoded(picture: Picture, *, format: Format, quality: int = 95) -> bytes:  # noqa: A002
    """Return the bytes of a picture's file; as `encode`."""
    file = io.BytesIO()
    encode(picture, file, format=format, quality=quality)
    return file.getvalue()


def _name(format: Format) -> str:  # noqa: A002
    return f"the {format.upper()} result"


def _check_frames(format: Format, frames: int, animation: Animation | None) -> None:  # noqa: A002
    traits = TRAITS[format]
    if animation is not None and len(animation.delays_ms) != frames:
        raise ValueError(f"{len(animation.delays_ms)} delays for {frames} frames")
    if frames > 1 and not (traits.pages if animation is None else traits.animated):
        raise ValueError(f"{format} holds no {frames} frames of this kind")


def _cause(error: Exception) -> str:
    """Return the line of libvips' message that says most."""
    lines = [line.strip() for line in str(error).splitlines()]
    causes = [line for line in lines if line and "unable to" not in line]
    return causes[-1] if causes else "its encoder failed"
