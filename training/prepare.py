"""Collects clean photographs, drawings and screens from Debian packages into a training folder."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from PIL import Image

CATALOGUE = Path(__file__).with_name("pictures.toml")

LARGEST_SHRINK = 0.75
"""A photograph is always shrunk at least this much: that removes JPEG and sensor artefacts."""

SMALLEST_PX = 256
"""Graphics with a shorter side are left out: no crop of x4 fits into them."""


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


def settle(image: Image.Image, path: Path, long_side_px: int) -> Image.Image | None:
    """Return a graphic over white, RGB, a lossless one at its own size; None if it is too small."""
    if min(image.size) < SMALLEST_PX:
        return None
    if path.suffix.lower() == ".png":
        seen = image.convert("RGBA")
        settled = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
        settled.thumbnail((long_side_px, long_side_px), Image.Resampling.LANCZOS)
    else:
        settled = shrink(image, long_side_px)
    return settled if min(settled.size) >= SMALLEST_PX else None


def output_name(path: Path) -> str:
    """Name a picture after file and folder, or after its theme where files are named by size."""
    if path.stem[0].isdigit() and "x" in path.stem:
        return path.parts[-4]
    return f"{path.parent.name}-{path.stem}"


def collect(kind: str, package: str, patterns: list[str], out: Path, long_side_px: int) -> int:
    """Store a package's pictures and its copyright file; return how many there are.

    `kind` is "photographs", which are always shrunk, or "graphics": drawings, textures, screens.
    """
    folder = out / package
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with tempfile.TemporaryDirectory() as work:
        files = unpack(package, Path(work))
        shutil.copy(_copyright(files, package, Path(work)), folder / "copyright")
        for path in sorted({path for pattern in patterns for path in files.glob(pattern)}):
            with Image.open(path) as image:
                if kind == "photographs":
                    small: Image.Image | None = shrink(image, long_side_px)
                else:
                    small = settle(image, path, long_side_px)
            if small is not None:
                small.save(folder / f"{output_name(path)}.webp", lossless=True)
                count += 1
    return count


def _copyright(files: Path, package: str, work: Path) -> Path:
    documents = files / "usr/share/doc" / package
    if documents.is_symlink():  # a package of the same source has it
        package = documents.readlink().name
        documents = unpack(package, work) / "usr/share/doc" / package
    return documents / "copyright"


def main() -> None:
    """Collect every package of pictures.toml from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to fill, one folder per package")
    parser.add_argument("--photographs-px", type=int, default=1680, help="their longest side")
    parser.add_argument("--graphics-px", type=int, default=800, help="their longest side")
    options = parser.parse_args()
    sides = {"photographs": options.photographs_px, "graphics": options.graphics_px}
    catalogue: dict[str, dict[str, list[str]]] = tomllib.loads(CATALOGUE.read_text("utf-8"))
    for kind, packages in catalogue.items():
        for package, patterns in packages.items():
            count = collect(kind, package, patterns, options.out, sides[kind])
            print(f"{package}: {count} {kind}", flush=True)


if __name__ == "__main__":
    main()
