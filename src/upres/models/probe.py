"""What can be learned of a network by running it: value range, scale, the halo of its tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from math import ceil

import numpy as np
from numpy.typing import NDArray

from upres.errors import EngineFailed, ModelRefused
from upres.image.decode import Decoder

Planes = NDArray[np.float32]
"""(planes, rows, width), black 0, white 1."""
RunPlanes = Callable[[Planes], Planes]
"""A network that takes and gives planes in 0..1."""

_MARGIN = ((0, 0), (16, 16), (16, 16))
"""The samples are mirrored by this much: even the largest halo must leave context away."""
_CORE_PX = 48
_MAX_HALO_PX = 40
_LEVEL = 1 / 255
_LIKENESS_DB = 16.0
"""A network in its right value range gives back the picture at least this well."""


@dataclass(frozen=True)
class Halo:
    """How much context a network's tiles need, in input pixels."""

    smallest_px: int
    """Keeps tiled within one level of untiled on noise, text and a photograph."""

    @property
    def used_px(self) -> int:
        """The smallest and half again, for pictures that were not tried."""
        return self.smallest_px + ceil(self.smallest_px / 2)


def sample(name: str) -> NDArray[np.uint8]:
    """Return a sample picture that ships with upres, `photo` or `text`: (128, 128, 3) RGB."""
    data = resources.files("upres.samples").joinpath(f"{name}.png").read_bytes()
    return Decoder(data, name=name).picture().pixels.astype(np.uint8)


def sample_planes(count: int, *, seed: int = 1) -> dict[str, Planes]:
    """Return noise, text and a photograph as `count` planes of 128 x 128 in 0..1."""
    noise = np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8)
    pictures = {"noise": noise, "text": sample("text"), "photo": sample("photo")}
    return {
        name: np.divide(picture.transpose(2, 0, 1)[:count], 255, dtype=np.float32, order="C")
        for name, picture in pictures.items()
    }


def measure_halo(run: RunPlanes, *, scale: int, count: int, name: str) -> Halo:
    """Find the smallest halo that keeps a tile within one level of the whole picture.

    A core of 48 x 48 pixels is cut out with ever more context around it. `count` is the number of
    planes. Raises ModelRefused when 40 pixels are not enough.
    """
    worst = 0
    for planes in sample_planes(count).values():
        picture = np.pad(planes, _MARGIN, mode="symmetric")
        whole = run(picture)
        worst = max(worst, _halo_on(picture, whole, run, scale=scale, start=worst, name=name))
    return Halo(worst)


def _halo_on(
    picture: Planes, whole: Planes, run: RunPlanes, *, scale: int, start: int, name: str
) -> int:
    low = (picture.shape[1] - _CORE_PX) // 2
    high = low + _CORE_PX
    expected = whole[:, low * scale : high * scale, low * scale : high * scale]
    for halo in range(start, _MAX_HALO_PX + 1):
        tile = run(
            np.ascontiguousarray(picture[:, low - halo : high + halo, low - halo : high + halo])
        )
        edge = halo * scale
        core = tile[:, edge : edge + _CORE_PX * scale, edge : edge + _CORE_PX * scale]
        if np.abs(core - expected).max() <= _LEVEL:
            return halo
    raise ModelRefused(name, f"its tiles need more than {_MAX_HALO_PX} pixels of context")


def measure_scale(run: RunPlanes, *, count: int, name: str) -> int:
    """Find the factor of a network by running it on odd sizes too. Raises ModelRefused."""
    factors = set()
    for height, width in ((64, 64), (37, 50)):
        planes = np.full((count, height, width), 0.5, np.float32)
        try:
            shape = run(planes).shape
        except EngineFailed as error:
            raise ModelRefused(
                name, f"it does not run on {width}x{height} pixels: {error}"
            ) from error
        if len(shape) != 3 or shape[0] != count:  # noqa: PLR2004 - planes, rows, columns
            raise ModelRefused(name, f"it turns {count} planes into an array of shape {shape}")
        factors |= {shape[1] / height, shape[2] / width}
    factor = factors.pop()
    if factors or factor != int(factor) or not 1 <= factor <= 16:  # noqa: PLR2004 - the largest factor
        raise ModelRefused(name, "its output is not its input enlarged by one whole factor")
    return int(factor)


def measure_value_max(
    run: Callable[[Planes], Planes], *, count: int, scale: int, name: str
) -> float:
    """Find whether a network wants 0..1 or 0..255, by which gives the picture back.

    `run` takes and gives the network's own values. Raises ModelRefused when neither does.
    """
    planes = sample_planes(count)["photo"]
    best = -np.inf
    # 0..1 first: such a network fed with 0..255 may do well too, because its biases then vanish,
    # but one made for 0..255 drowns 0..1 in its biases.
    for value_max in (1.0, 255.0):
        enlarged = run(planes * np.float32(value_max)) / np.float32(value_max)
        likeness = _likeness(enlarged, planes, scale)
        if likeness >= _LIKENESS_DB:
            return value_max
        best = max(best, likeness)
    raise ModelRefused(name, f"its output does not resemble its input ({best:.1f} dB at best)")


def _likeness(enlarged: Planes, planes: Planes, scale: int) -> float:
    """PSNR in dB between a picture and its enlargement averaged down again."""
    count, height, width = planes.shape
    if not np.isfinite(enlarged).all():
        return -np.inf
    small = enlarged.reshape(count, height, scale, width, scale).mean((2, 4))
    return float(-10 * np.log10(np.mean((small - planes) ** 2) + 1e-12))
