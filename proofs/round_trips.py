"""Orientation, profile, alpha, bits and gray from file to file, through the command."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from proofs.record import ROOT
from proofs.watched import run

_MODELS = ("bicubic", "lite")
_TIME_LIMIT_S = 120
_SIDE = 40
"""Pixels of a colour patch."""
_DELTA_E = 1.0
_LEVELS = 4000
_FRINGE_LEVELS = 3.0
_PROFILE_FORMATS = ("png", "jpeg", "webp", "avif", "tiff", "gif")


def measure(seed: int) -> dict[str, Any]:
    """Run every round trip with an interpolation and with a network."""
    random = np.random.default_rng(seed)
    parts = {
        "orientation": _orientation(),
        "profile": _profile(random),
        "alpha": _alpha(),
        "bits": _bits(),
        "gray": _gray(),
    }
    return {**parts, "passed": all(part["passed"] for part in parts.values())}


def _enlarged(data: bytes, *, model: str, into: str, source: str = "png") -> bytes:
    """Return what the command makes of a picture file, three times as large."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / f"in.{source}").write_bytes(data)
        words = ["enlarge", f"in.{source}", "--model", model, "--scale", "3", "-o", f"out.{into}"]
        ran = run(words, folder=folder, time_limit_s=_TIME_LIMIT_S)
        if ran.code:
            raise RuntimeError(f"{words}: {ran.stderr}")
        return (folder / f"out.{into}").read_bytes()


def _png(samples: NDArray[Any]) -> bytes:
    """Write samples as PNG with libvips: Pillow has no 16-bit colour."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(samples))
    wide = samples.dtype == np.uint16
    space = ("grey16" if wide else "b-w") if image.bands < 3 else ("rgb16" if wide else "srgb")  # noqa: PLR2004
    written: bytes = image.copy(interpretation=space).pngsave_buffer()
    return written


def _read(data: bytes) -> NDArray[Any]:
    read: NDArray[Any] = pyvips.Image.new_from_buffer(data, "").numpy()
    return read


def _orientation() -> dict[str, Any]:
    """Hold each of the eight ways to store a picture against the upright original's result."""
    upright = Image.open(ROOT / "examples" / "cat.png").convert("RGB").resize((60, 44))
    backs = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    differences = {}
    for model in _MODELS:
        expected: NDArray[Any] | None = None
        for orientation, back in backs.items():
            exif = Image.Exif()
            exif[274] = orientation
            stored = upright if back is None else upright.transpose(back)
            target = io.BytesIO()
            stored.save(target, "PNG", exif=exif)
            result = _read(_enlarged(target.getvalue(), model=model, into="png"))
            expected = result if expected is None else expected
            same = result.shape == expected.shape
            apart = int(np.abs(result.astype(int) - expected).max()) if same else 255
            differences[f"{model} {orientation}"] = apart
    return {"largest_difference": differences, "passed": not any(differences.values())}


def _profile(random: np.random.Generator) -> dict[str, Any]:
    """Enlarge patches of wide-gamut colours; compare how they look, as CIEDE2000."""
    colours = random.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    colours[0, :3] = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    colours[0, 3:] = [[255, 255, 255], [0, 0, 0]]
    patches = np.repeat(np.repeat(colours, _SIDE, axis=0), _SIDE, axis=1)
    image = pyvips.Image.new_from_array(patches).copy(interpretation="srgb")
    exported = image.icc_transform("p3", input_profile="srgb")
    tagged = pyvips.Image.new_from_array(patches).copy(interpretation="srgb").copy()
    profile = exported.get("icc-profile-data")
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    source = tagged.pngsave_buffer()
    rows = {}
    for model in _MODELS:
        for into in _PROFILE_FORMATS:
            data = _enlarged(source, model=model, into=into)
            rows[f"{model} {into}"] = _apart(source, data, in_gamut_only=into == "gif")
    passed = all(row["largest_delta_e"] <= _DELTA_E for row in rows.values())
    return {"source": "Display P3, 20 patches", "limit": _DELTA_E, "runs": rows, "passed": passed}


def _apart(source: bytes, result: bytes, *, in_gamut_only: bool) -> dict[str, Any]:
    """Compare the middles of all patches, without colours that sRGB lacks where sRGB is all."""
    before, after = (
        _middles(pyvips.Image.new_from_buffer(data, ""), _SIDE * factor)
        for data, factor in ((source, 1), (result, 3))
    )
    distances = _delta_e(before, after)
    if in_gamut_only:
        image = pyvips.Image.new_from_buffer(source, "")
        clipped = image.icc_transform("srgb", embedded=True)
        shown = _delta_e(before, _middles(clipped.icc_import(input_profile="srgb"), _SIDE))
        distances = distances[shown <= 0.5]  # noqa: PLR2004 - what sRGB can show
    return {"patches": len(distances), "largest_delta_e": round(float(distances.max()), 3)}


def _middles(image: Any, side: int) -> NDArray[np.float64]:
    """Return Lab of the middle of each patch, averaged over its inner half."""
    if image.interpretation != "lab":
        if image.hasalpha():
            image = image.flatten(background=255)
        tagged = bool(image.get_typeof("icc-profile-data"))
        image = image.icc_import(**({"embedded": True} if tagged else {"input_profile": "srgb"}))
    lab = image.numpy().astype(np.float64)
    rows, columns = lab.shape[0] // side, lab.shape[1] // side
    blocks = lab.reshape(rows, side, columns, side, 3)[:, side // 4 : -side // 4]
    means: NDArray[np.float64] = blocks[:, :, :, side // 4 : -side // 4].mean(axis=(1, 3))
    return means.reshape(-1, 3)


def _delta_e(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    images = [
        pyvips.Image.new_from_array(lab[np.newaxis].astype(np.float32)).copy(interpretation="lab")
        for lab in (one, other)
    ]
    distance: NDArray[np.float64] = images[0].dE00(images[1]).numpy().ravel()
    return distance


def _alpha() -> dict[str, Any]:
    """Enlarge an antialiased red disc on nothing; look for rims over three grounds."""
    y, x = np.mgrid[0:48, 0:48]
    distance = np.hypot(x - 23.5, y - 23.5)
    alpha = np.clip(15.5 - distance, 0, 1)
    rows = {}
    grounds = {"black": (0, 0, 0), "white": (255, 255, 255), "green": (0, 255, 0)}
    for under, garbage in grounds.items():
        samples = np.zeros((48, 48, 4), np.uint8)
        samples[..., :3] = np.where(alpha[..., np.newaxis] > 0, (220, 0, 0), garbage)
        samples[..., 3] = np.rint(alpha * 255)
        for model in _MODELS:
            result = _read(_enlarged(_png(samples), model=model, into="png")).astype(np.float64)
            rows[f"{model}, {under} below"] = _rim(result)
    passed = all(row <= _FRINGE_LEVELS for row in rows.values())
    return {"limit_levels": _FRINGE_LEVELS, "largest_stray_levels": rows, "passed": passed}


def _rim(result: NDArray[np.float64]) -> float:
    """How far a composited colour strays from the line between red and the ground, in levels."""
    opacity = result[..., 3:] / 255
    worst = 0.0
    for ground in (0.0, 128.0, 255.0):
        shown = result[..., :3] * opacity + ground * (1 - opacity)
        meant = np.array([220.0, 0, 0]) * opacity + ground * (1 - opacity)
        worst = max(worst, float(np.abs(shown - meant).max()))
    return round(worst, 2)


def _bits() -> dict[str, Any]:
    """Enlarge a 16-bit gradient and count its levels in every format that holds them."""
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16)
    samples = np.repeat(ramp[np.newaxis, :, np.newaxis], 24, axis=0)
    counts = {}
    for model in _MODELS:
        for into in ("png", "tiff"):
            result = _read(_enlarged(_png(samples), model=model, into=into))
            wide = result.dtype == np.uint16
            counts[f"{model} {into}"] = len(np.unique(result)) if wide else 0
    return {"distinct_levels": counts, "passed": all(n > _LEVELS for n in counts.values())}


def _gray() -> dict[str, Any]:
    """Gray in, gray out: one plane, white and black where they were."""
    picture = Image.open(ROOT / "examples" / "cat.png").convert("L").resize((60, 44))
    target = io.BytesIO()
    picture.save(target, "PNG")
    kinds = {}
    for model in _MODELS:
        for into in ("png", "jpeg", "tiff"):
            image = pyvips.Image.new_from_buffer(
                _enlarged(target.getvalue(), model=model, into=into), ""
            )
            kinds[f"{model} {into}"] = f"{image.interpretation} {image.bands}"
    white = np.full((40, 40), 255, np.uint8)
    extremes = {}
    for model in _MODELS:
        for value in (0, 255):
            result = _read(_enlarged(_png(white // 255 * value), model=model, into="png"))
            extremes[f"{model} {value}"] = [int(result.min()), int(result.max())]
    return {
        "kinds": kinds,
        "flat": extremes,
        "passed": set(kinds.values()) == {"b-w 1"}
        and all(set(seen) == {int(name.split()[1])} for name, seen in extremes.items()),
    }
