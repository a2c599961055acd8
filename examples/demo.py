"""Enlarges the sample picture with every model, and draws the results side by side with labels."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import upres

HERE = Path(__file__).parent
OUT = Path("demo-out")
SCALE = 3
MODELS = ("bicubic", "espcn", "fsrcnn", "fast", "lite", "edsr")
COLUMNS = 4
LABEL_PX = 26
GAP_PX = 6


def main() -> None:
    """Write demo-out/cat_MODEL.png for every model and demo-out/side_by_side.png."""
    OUT.mkdir(exist_ok=True)
    print("Getting edsr, the 37 MB model; 0.1 to 1 minute, once.")
    pull = [sys.executable, "-m", "upres", "models", "pull", "edsr", "--scale", str(SCALE)]
    pulled = subprocess.run(pull, check=False).returncode == 0
    small = Image.open(HERE / "cat.png").convert("RGB")
    original = Image.open(HERE / "cat_original.png").convert("RGB")
    tiles = [
        ("input, each pixel tripled", small.resize(_times(small.size), Image.Resampling.NEAREST))
    ]
    for model in MODELS if pulled else MODELS[:-1]:
        upscaler = upres.Upscaler.load(model, scale=SCALE)
        started = time.perf_counter()
        large = upscaler(small)
        seconds = time.perf_counter() - started
        large.save(OUT / f"cat_{model}.png")
        label = f"{model}  {_psnr(large, original):.2f} dB  {seconds:.2f} s"
        print(f"{OUT}/cat_{model}.png  {label}")
        tiles.append((label, large))
    tiles.append(("original", original.crop((0, 0, *_times(small.size)))))
    _side_by_side(tiles).save(OUT / "side_by_side.png")
    print(f"\nLook at {OUT}/side_by_side.png")
    if not pulled:
        sys.exit("edsr could not be pulled, so the comparison is without it (see above)")


def _times(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * SCALE, size[1] * SCALE


def _psnr(picture: Image.Image, truth: Image.Image) -> float:
    """PSNR in dB over RGB, all pixels."""
    error = np.asarray(picture, np.float64) - np.asarray(truth, np.float64)
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def _side_by_side(tiles: list[tuple[str, Image.Image]]) -> Image.Image:
    width, height = tiles[0][1].size
    rows = -(-len(tiles) // COLUMNS)
    cell = (width + GAP_PX, height + LABEL_PX + GAP_PX)
    sheet = Image.new("RGB", (COLUMNS * cell[0] + GAP_PX, rows * cell[1] + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    for index, (label, picture) in enumerate(tiles):
        x = GAP_PX + index % COLUMNS * cell[0]
        y = GAP_PX + index // COLUMNS * cell[1]
        draw.text((x, y + 2), label, fill="black", font=font)
        sheet.paste(picture, (x, y + LABEL_PX))
    return sheet


if __name__ == "__main__":
    main()
