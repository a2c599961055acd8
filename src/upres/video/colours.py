"""Colours of video: from any pixel format to R, G, B samples and back, by matrix and range.

Networks see R'G'B' as it is shown; matrix and range are spent on the way in and applied again on
the way out. Primaries and transfer describe what the numbers mean, so they travel as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from upres.errors import UnsupportedVideo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.image.picture import Rows

_RGB, _UNSAID, _BT709, _SMPTE170M = 0, 2, 1, 6
"""Numbers of H.273, which every container uses."""
_SWSCALE: dict[int, Colorspace] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.SMPTE170M,
    6: Colorspace.SMPTE170M,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""Matrices by their number in H.273; BT.470 BG and SMPTE 170M are the same one."""
SUPPORTED_MATRICES = frozenset({_RGB, *_SWSCALE})
_SD_ROWS = 576
"""A clip that says no matrix is BT.601 up to this height and BT.709 above, as players take it."""
_WRAPPED = {"rgb24", "rgba"}
_FULL_CHROMA = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)


@dataclass(frozen=True, kw_only=True)
class Colours:
    """What a clip says of its samples, as numbers of H.273; the matrix is never left unsaid."""

    matrix: int
    primaries: int
    transfer: int
    full_range: bool

    @classmethod
    def of(cls, frame: VideoFrame, *, name: str) -> Colours:
        """Read a frame's; raises UnsupportedVideo for matrices that are no plain matrix."""
        matrix = int(frame.colorspace)
        if frame.format.is_rgb or frame.format.has_palette:
            matrix = _RGB
        elif matrix in (_UNSAID, _RGB):  # a YUV clip that says RGB does not know
            matrix = _SMPTE170M if frame.height <= _SD_ROWS else _BT709
        elif matrix not in _SWSCALE:
            raise UnsupportedVideo(name, f"its colours use matrix {matrix} of H.273")
        return cls(
            matrix=matrix,
            primaries=int(frame.color_primaries),
            transfer=int(frame.color_trc),
            full_range=matrix == _RGB
            or frame.color_range == ColorRange.JPEG
            or frame.format.name.startswith("yuvj"),
        )

    def written_in(self, pixel_format: str, *, height: int) -> Colours:
        """Return what a result of that pixel format and height says."""
        if pixel_format.startswith(("gbr", "bgr", "rgb")):
            matrix, full_range = _RGB, True
        elif self.matrix == _RGB:
            matrix, full_range = (_SMPTE170M if height <= _SD_ROWS else _BT709), False
        else:
            matrix, full_range = self.matrix, self.full_range
        return Colours(
            matrix=matrix,
            primaries=self.primaries,
            transfer=self.transfer,
            full_range=full_range,
        )

    def tag(self, target: Any) -> None:
        """Say so in an encoder, a stream or a frame."""
        target.colorspace = self.matrix
        target.color_primaries = self.primaries
        target.color_trc = self.transfer
        target.color_range = ColorRange.JPEG if self.full_range else ColorRange.MPEG

    @property
    def swscale_range(self) -> ColorRange:
        """The range, as PyAV's reformatter takes it."""
        return ColorRange.JPEG if self.full_range else ColorRange.MPEG

    @property
    def swscale_space(self) -> Colorspace:
        """The matrix, as PyAV's reformatter takes it."""
        return _SWSCALE.get(self.matrix, Colorspace.ITU709)


class Samples:
    """Turns decoded frames into samples (H, W, 3 or 4), uint8 or uint16."""

    def __init__(self, colours: Colours, *, bits: Literal[8, 16], alpha: bool) -> None:
        self._colours = colours
        self._reformatter = VideoReformatter()
        narrow = bits == 8  # noqa: PLR2004
        self._format = (
            ("rgba" if narrow else "rgba64le") if alpha else "rgb24" if narrow else "rgb48le"
        )

    def of(self, frame: VideoFrame) -> Rows:
        """Return R, G, B and maybe alpha, full range, as the frame lies in the file."""
        rgb = self._reformatter.reformat(
            frame,
            format=self._format,
            src_colorspace=self._colours.swscale_space,
            dst_colorspace=self._colours.swscale_space,
            src_color_range=self._colours.swscale_range,
            dst_color_range=ColorRange.JPEG,
            interpolation=_FULL_CHROMA,
            threads=1,
        )
        samples: NDArray[np.uint8] | NDArray[np.uint16] = rgb.to_ndarray()  # type: ignore[assignment]
        return samples


class Frames:
    """Turns samples into frames of one pixel format, ready to be encoded."""

    def __init__(self, colours: Colours, *, pixel_format: str) -> None:
        self._colours = colours
        self._pixel_format = pixel_format
        self._reformatter = VideoReformatter()

    def of(self, samples: Rows) -> VideoFrame:
        """Return a frame of samples (H, W, 3 or 4) of uint8 or uint16, full range."""
        names = {3: ("rgb24", "rgb48le"), 4: ("rgba", "rgba64le")}[samples.shape[2]]
        format_ = names[samples.dtype == np.uint16]
        held = np.ascontiguousarray(samples)
        # without a copy where that is possible: of 4K pictures it costs as much as converting them
        wrap = VideoFrame.from_numpy_buffer if format_ in _WRAPPED else VideoFrame.from_ndarray
        frame = wrap(held, format=format_)
        made = self._reformatter.reformat(
            frame,
            format=self._pixel_format,
            src_colorspace=self._colours.swscale_space,
            dst_colorspace=self._colours.swscale_space,
            src_color_range=ColorRange.JPEG,
            dst_color_range=self._colours.swscale_range,
            interpolation=_FULL_CHROMA,
            threads=1,
        )
        self._colours.tag(made)
        return made
