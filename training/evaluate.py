"""Scores a network by the standard protocol: PSNR of the luma, border of `scale` pixels cut."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from training.checkpoint import load_network
from training.downscale import Picture, crop_to_multiple, downscale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.networks import Network

BENCHMARKS = Path(__file__).parents[2] / "shared" / "bench"
"""Where the benchmark sets lie unless said otherwise: one folder each, pictures in HR/."""

LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
"""BT.601 studio luma of 0..255 RGB (the offset of 16 cancels in a difference)."""

Enlarge = Callable[[Picture], Picture]


def read_picture(path: Path) -> Picture:
    """Read any picture as interleaved RGB (H, W, 3), 0..255."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def luma_psnr_db(result: Picture, truth: Picture, border_px: int) -> float:
    """Return the luma PSNR in dB of two (H, W, 3) pictures without their border."""
    difference = (result.astype(np.float64) - truth) @ LUMA_WEIGHTS
    inner = difference[border_px:-border_px, border_px:-border_px]
    error = float(np.mean(inner**2))
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def pairs(folder: Path, scale: int) -> list[tuple[Picture, Picture]]:
    """Return (low, high) pictures of a benchmark set.

    Takes the set's own low-resolution pictures where it has them (LR_bicubic/X3) and makes them
    by MATLAB's bicubic otherwise.
    """
    found = []
    for path in sorted((folder / "HR").glob("*.png")):
        high = crop_to_multiple(read_picture(path), scale)
        given = sorted((folder / "LR_bicubic" / f"X{scale}").glob(f"{path.stem}*.png"))
        low = read_picture(given[0]) if given else downscale(high, scale)
        found.append((low, high))
    if not found:
        raise FileNotFoundError(f"no pictures in {folder / 'HR'}")
    return found


def mean_psnr_db(enlarge: Enlarge, folder: Path, scale: int) -> float:
    """Return the mean luma PSNR in dB over a benchmark set."""
    scores = [luma_psnr_db(enlarge(low), high, scale) for low, high in pairs(folder, scale)]
    return float(np.mean(scores))


def enlarge_with(network: Network) -> Enlarge:
    """Return a function that enlarges a (H, W, 3) 8-bit picture with a torch network."""

    @torch.no_grad()
    def enlarge(low: Picture) -> Picture:
        batch = torch.from_numpy(low.copy()).permute(2, 0, 1)[None].float() / 255
        batch = batch.contiguous(memory_format=torch.channels_last)
        return to_picture(network(batch).numpy())

    return enlarge


def enlarge_with_onnx(path: Path) -> Enlarge:
    """Return a function that enlarges a (H, W, 3) 8-bit picture with an exported network."""
    import onnxruntime  # Only needed here: training itself runs without it.

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])

    def enlarge(low: Picture) -> Picture:
        batch = low.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        return to_picture(session.run(["output"], {"input": batch})[0])

    return enlarge


def open_model(path: Path, scale: int) -> tuple[Enlarge, int]:
    """Open a checkpoint (.pt) or an .onnx and return its function and its scale.

    `scale` is what an .onnx enlarges by; a checkpoint knows.
    """
    if path.suffix == ".onnx":
        return enlarge_with_onnx(path), scale
    network = load_network(path)
    return enlarge_with(network), network.spec.scale


def to_picture(batch: NDArray[np.float32]) -> Picture:
    """Round (1, 3, H, W) in 0..1 to an 8-bit picture (H, W, 3)."""
    levels = np.rint(batch[0].transpose(1, 2, 0) * 255)
    picture: Picture = np.clip(levels, 0, 255).astype(np.uint8)
    return picture


def main() -> None:
    """Print a checkpoint's or an ONNX file's scores on benchmark folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a checkpoint (.pt) or an exported .onnx")
    parser.add_argument("sets", type=Path, nargs="+", help="folders holding HR/*.png")
    parser.add_argument("--scale", type=int, default=3, help="the enlargement of an .onnx")
    options = parser.parse_args()
    enlarge, scale = open_model(options.model, options.scale)
    for folder in options.sets:
        print(f"{folder.name} x{scale}: {mean_psnr_db(enlarge, folder, scale):.3f} dB")


if __name__ == "__main__":
    main()
