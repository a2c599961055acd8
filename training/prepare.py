"""Collects clean photographs from Debian's wallpaper packages into a training folder."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from PIL import Image

CATALOGUE = Path(__file__).with_name("photographs.toml")

LARGEST_SHRINK = 0.75
"""A photograph is always shrunk at least this much: that removes JPEG and sensor artefacts."""


def unpack(package: str, work: Path) -> Path:
    """Download a Debian package with apt, without installing it, and return its files' folder."""
    download = work / "download" / package
    files = work / "files" / package
    for folder in (download, files):
        folder.mkdir(parents=True)
    _run("apt-get", "download", "-qq", package, folder=download)
    _run("dpkg-deb", "-x", str(next(download.glob("*.deb"))), str(files), folder=work)
    return files


def _run(*command: str, folder: Path) -> None:
    # The commands are Debian's own and the package names are this repository's data.
    subprocess.run(command, cwd=folder, check=True)  # noqa: S603


def shrink(image: Image.Image, long_side_px: int) -> Image.Image:
    """Return the RGB picture with at most `long_side_px` on its long side, antialiased."""
    factor = min(LARGEST_SHRINK, long_side_px / max(image.size))
    width, height = (round(side * factor) for side in image.size)
    return image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def output_name(path: Path) -> str:
    """Name a picture after its file, or after its folder where files are named by size."""
    if path.stem[0].isdigit() and "x" in path.stem:
        return path.parts[-4]
    return path.stem


def collect(package: str, patterns: list[str], out: Path, long_side_px: int) -> int:
    """Store a package's photographs and its copyright file; return how many there are."""
    folder = out / package
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with tempfile.TemporaryDirectory() as work:
        files = unpack(package, Path(work))
        shutil.copy(files / "usr/share/doc" / package / "copyright", folder / "copyright")
        for pattern in patterns:
            for path in sorted(files.glob(pattern)):
                with Image.open(path) as image:
                    small = shrink(image, long_side_px)
                small.save(folder / f"{output_name(path)}.webp", lossless=True)
                count += 1
    return count


def main() -> None:
    """Collect every package of photographs.toml from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to fill, one folder per package")
    parser.add_argument("--long-side-px", type=int, default=1680)
    options = parser.parse_args()
    packages: dict[str, list[str]] = tomllib.loads(CATALOGUE.read_text("utf-8"))["packages"]
    for package, patterns in packages.items():
        count = collect(package, patterns, options.out, options.long_side_px)
        print(f"{package}: {count} photographs", flush=True)


if __name__ == "__main__":
    main()
