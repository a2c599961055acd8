"""The key of a result: equal keys mean equal bytes, so a stored result can stand for a new run.

What is in it, because the bytes depend on it:

- the source's content, by SHA-256; never its name, which is for display alone;
- the options in their canonical text: size, model's name, self-ensemble, softening, format,
  quality, metadata; an interpolation needs no more;
- the network: the hash of its file, and what the catalogue says of how values go in and out. Its
  name counts only as an option, so a model that is replaced under its name has other keys;
- where `auto` measures the picture: the rule it follows, and every network that may be chosen;
- the engine, its version and its arithmetic: results differ by a level in rare pixels (lite x3 on
  noise: 1 in 45,000 samples between OpenVINO and ONNX Runtime); for int8 the quantizer's version
  and the table of ranges, too;
- whether flat parts are interpolated: FLAT_VERSION, and the model's limit of what is flat;
- where tiles lie: a pixel near a border may be a level off. The numbers that the plan follows from
  are in the key, and GEOMETRY_VERSION stands for the rule that makes a plan of them;
- the versions of the libraries that decode, resample and encode;
- PIPELINE_VERSION, for all code of upres between the source and the result.

What is not, because it changes nothing: threads (each of the three engines gives the same bytes
with 1, 2 and 4), the time, the client, progress, priority. The kind of CPU is not in it either:
machines that share a store may round a rare pixel differently; all get the result stored first.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from upres.image.vips import libvips
from upres.models.calibration import calibration_of
from upres.upscale.flat import FLAT_VERSION
from upres.upscale.tiles import TILE_SIDES_PX
from upres.upscale.upscaler import Network

if TYPE_CHECKING:
    from upres.models.spec import ModelSpec

PIPELINE_VERSION = 2
"""Add 1 with every change to a result's bytes: steps, conversion of models, encoding."""
GEOMETRY_VERSION = 2
"""Add 1 with every change of where tiles lie; tests/storage/test_cache.py notices such a change."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class NetworkUse:
    """The network that computes a result, and what runs it."""

    model: ModelSpec
    engine: str
    """`openvino`, `onnxruntime`, `opencv`: the one chosen, never `auto`."""
    engine_version: str
    precision: str
    """`fp32`, `bf16` or `int8`: the one chosen, never `auto`."""
    tile_memory_bytes: int = Network.tile_memory_bytes
    spares_flat: bool = False
    """Whether flat parts are interpolated."""


def result_key(
    source_sha256: str,
    *,
    options: str,
    network: NetworkUse | None,
    rule: str | None = None,
    libraries: str | None = None,
) -> str:
    """Return the key of a result, 64 hex digits.

    `options` are the canonical text of a job's options: equal for requests that mean the same.
    `network` is None for an interpolation. `rule` is what the strength follows from where it is
    measured. `libraries` is by default what is installed here.
    """
    if not _SHA256.fullmatch(source_sha256):
        raise ValueError(f"{source_sha256!r} is no SHA-256")
    ingredients = {
        "pipeline": PIPELINE_VERSION,
        "source": source_sha256,
        "options": options,
        "libraries": library_versions() if libraries is None else libraries,
        "network": None if network is None else _network(network),
    }
    if rule is not None:
        ingredients["rule"] = rule
    text = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _network(use: NetworkUse) -> dict[str, Any]:
    model = use.model
    flat = {"flat": [FLAT_VERSION, model.flat_below]} if use.spares_flat else {}
    return {
        **flat,
        "file": model.file.sha256,
        "scale": model.scale,
        "channels": model.channels.value,
        "value_max": model.value_max,
        "mean": model.mean,
        "engine": [use.engine, use.engine_version, use.precision, *_twin(use)],
        "tiles": {
            "version": GEOMETRY_VERSION,
            "sides_px": TILE_SIDES_PX,
            "halo_px": model.halo_px,
            "working_bytes_per_px": model.working_bytes_per_px,
            "tile_memory_bytes": use.tile_memory_bytes,
        },
    }


def _twin(use: NetworkUse) -> list[str]:
    """Return what an int8 twin depends on beside its model's file; nothing for other precisions."""
    calibration = calibration_of(use.model) if use.precision == "int8" else None
    return [] if calibration is None else [calibration.version]


@cache
def library_versions() -> str:
    """Name the libraries beside the engines that a result's bytes depend on, with versions."""
    names = ("numpy", "pillow", "pyvips")
    return ", ".join([f"{name} {version(name)}" for name in names] + [f"libvips {_libvips()}"])


def _libvips() -> str:
    try:
        return version("pyvips-binary")  # tells more: also which codecs are built in
    except PackageNotFoundError:
        library = libvips()
        return ".".join(str(library.version(part)) for part in range(3))
