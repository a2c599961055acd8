"""Codecs that results are encoded with, as data: names, quality, pixel formats, containers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from upres.errors import InvalidOption, UnsupportedVideo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Codec = Literal["h264", "hevc", "av1", "vp9", "ffv1"]

_MOST_BITS = 16
_TEN_BITS = 10
_EIGHT_BITS = 8


@dataclass(frozen=True, kw_only=True)
class CodecTraits:
    """What one codec takes and how its quality is set."""

    name: Codec
    encoder: str
    """FFmpeg's name."""
    pixel_formats: Mapping[tuple[int, bool], str]
    """By (bits of a sample, whether there is alpha)."""
    crf: int | None
    """The usual constant rate factor; None for a codec without loss."""
    crf_most: int = 0
    presets: tuple[str, ...] = ()
    preset: str = ""
    preset_option: str = "preset"
    even_sides: bool = False
    """Whether both sides must be even."""
    says_pixel_aspect: bool = False
    """Whether its stream tells how wide a pixel is shown."""
    bits_per_px: float
    """At the usual quality, about the most that a lively clip takes."""
    options: Mapping[str, str] = field(default_factory=dict)


_X26X = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
]

CODECS: dict[Codec, CodecTraits] = {
    traits.name: traits
    for traits in (
        CodecTraits(
            name="h264",
            encoder="libx264",
            pixel_formats={(8, False): "yuv420p", (10, False): "yuv420p10le"},
            crf=18,
            crf_most=51,
            presets=tuple(_X26X),
            preset="veryfast",
            even_sides=True,
            says_pixel_aspect=True,
            bits_per_px=0.35,
        ),
        CodecTraits(
            name="hevc",
            encoder="libx265",
            pixel_formats={(8, False): "yuv420p", (10, False): "yuv420p10le"},
            crf=20,
            crf_most=51,
            presets=tuple(_X26X),
            preset="veryfast",
            even_sides=True,
            says_pixel_aspect=True,
            bits_per_px=0.3,
            options={"x265-params": "log-level=error:open-gop=0"},
        ),
        CodecTraits(
            name="av1",
            encoder="libsvtav1",
            pixel_formats={(8, False): "yuv420p", (10, False): "yuv420p10le"},
            crf=28,
            crf_most=63,
            presets=tuple(str(number) for number in range(14)),
            preset="9",
            even_sides=True,
            bits_per_px=0.3,
        ),
        CodecTraits(
            name="vp9",
            encoder="libvpx-vp9",
            pixel_formats={(8, False): "yuv420p", (8, True): "yuva420p"},
            crf=24,
            crf_most=63,
            presets=tuple(str(number) for number in range(9)),
            preset="5",
            preset_option="cpu-used",
            bits_per_px=0.35,
            # auto-alt-ref is what the encoder forbids beside alpha
            options={"b": "0", "row-mt": "1", "deadline": "good", "auto-alt-ref": "0"},
        ),
        CodecTraits(
            name="ffv1",
            encoder="ffv1",
            pixel_formats={
                (8, False): "bgr0",
                (8, True): "bgra",
                (10, False): "gbrp10le",
                (10, True): "gbrap10le",
                (16, False): "gbrp16le",
                (16, True): "gbrap16le",
            },
            crf=None,
            bits_per_px=18.0,
            options={"level": "3", "g": "1", "slicecrc": "1", "slices": "4"},
        ),
    )
}

CONTAINERS: dict[str, tuple[str, tuple[Codec, ...]]] = {
    ".mp4": ("mp4", ("h264", "hevc", "av1", "vp9")),
    ".m4v": ("mp4", ("h264", "hevc")),
    ".mov": ("mov", ("h264", "hevc")),
    ".mkv": ("matroska", ("h264", "hevc", "av1", "vp9", "ffv1")),
    ".webm": ("webm", ("vp9", "av1")),
}
"""By the output's extension: FFmpeg's name and the codecs that go in, the usual one first."""


_WITH_ALPHA = {"matroska", "webm"}
"""Containers that keep what a codec stores beside the pictures."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How a result is encoded, every choice made."""

    traits: CodecTraits
    container: str
    crf: int | None
    preset: str
    bits: int
    alpha: bool

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name."""
        return self.traits.pixel_formats[self.bits, self.alpha]

    @property
    def options(self) -> dict[str, str]:
        """What the encoder is given."""
        options = dict(self.traits.options)
        if self.crf is not None:
            options["crf"] = str(self.crf)
        if self.preset:
            options[self.traits.preset_option] = self.preset
        return options

    def expected_bytes(self, pixels: int) -> int:
        """Return about how much that many pixels take at most; six steps of CRF halve or double."""
        steps = 0 if self.crf is None else (self.traits.crf or 0) - self.crf
        return int(pixels * self.traits.bits_per_px * 2 ** (steps / 6) / 8)

    def described(self) -> str:
        """Say all of it in one line that is the same whenever the choices are."""
        parts = [self.traits.name, self.container, self.pixel_format]
        return " ".join([*parts, *(f"{key}={self.options[key]}" for key in sorted(self.options))])


def choose_encoding(
    output: Path,
    *,
    codec: Codec | None,
    crf: int | None,
    preset: str | None,
    bits: int,
    alpha: bool,
) -> Encoding:
    """Choose what fits the output's name and the clip; raises InvalidOption, UnsupportedVideo.

    `bits` are those of the clip's samples, and are kept: 10 where it has 9 or 10; a codec that
    loses detail anyway stores more than 10 as 10.
    """
    extension = output.suffix.lower()
    if extension not in CONTAINERS:
        raise InvalidOption(
            "output name", output.name, f"one of {', '.join(CONTAINERS)} at its end"
        )
    container, possible = CONTAINERS[extension]
    traits = CODECS[codec or _usual(possible, alpha=alpha, bits=bits)]
    if traits.name not in possible:
        raise UnsupportedVideo(output.name, f"{extension} takes {', '.join(possible)}")
    kept = _kept_bits(traits, bits)
    if (kept, alpha) not in traits.pixel_formats or (alpha and container not in _WITH_ALPHA):
        what = "transparency" if alpha else f"{bits} bits a sample"
        raise UnsupportedVideo(
            output.name,
            f"the clip has {what} and {traits.name} in {extension} holds none; take --codec "
            + ("vp9 with .webm or ffv1 with .mkv" if alpha and bits == _EIGHT_BITS
               else "ffv1 with .mkv" if alpha else "h264, hevc, av1 or ffv1"),
        )  # fmt: skip
    return Encoding(
        traits=traits,
        container=container,
        crf=_checked_crf(traits, crf),
        preset=_checked_preset(traits, preset),
        bits=kept,
        alpha=alpha,
    )


def _usual(possible: tuple[Codec, ...], *, alpha: bool, bits: int) -> Codec:
    """Return the first of a container's codecs that can hold the clip, if any can.

    Few players take H.264 of more than 8 bits; they take HEVC.
    """
    wide = bits > _EIGHT_BITS
    for name in sorted(possible, key=lambda name: wide and name == "h264"):
        if (_kept_bits(CODECS[name], bits), alpha) in CODECS[name].pixel_formats:
            return name
    return possible[0]


def _kept_bits(traits: CodecTraits, bits: int) -> int:
    if bits <= _EIGHT_BITS:
        return _EIGHT_BITS
    return _MOST_BITS if bits > _TEN_BITS and traits.crf is None else _TEN_BITS


def _checked_crf(traits: CodecTraits, crf: int | None) -> int | None:
    if crf is None:
        return traits.crf
    if traits.crf is None:
        raise InvalidOption("--crf", crf, f"none: {traits.name} loses nothing")
    if not 0 <= crf <= traits.crf_most:
        raise InvalidOption("--crf", crf, f"a number from 0 to {traits.crf_most} for {traits.name}")
    return crf


def _checked_preset(traits: CodecTraits, preset: str | None) -> str:
    if preset is None:
        return traits.preset
    if preset not in traits.presets:
        expected = f"one of {', '.join(traits.presets)}" if traits.presets else "none"
        raise InvalidOption("--preset", preset, f"{expected} for {traits.name}")
    return preset
