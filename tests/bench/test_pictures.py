"""Which files of a folder count, and what becomes of their samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from upres.bench.pictures import open_sets, read_rgb, through_jpeg
from upres.errors import InputNotReadable, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from upres.image.limits import Limits

Photo = Callable[..., NDArray[np.uint8]]


def names(folder: Path, *, limit: int | None = None) -> tuple[list[str], list[str]]:
    """Return the files that count, and what was told."""
    told: list[str] = []
    (one,) = open_sets((folder,), limit=limit, tell=told.append)
    return [path.name for path in one.files], told


def test_files_by_name_and_no_folders(pictures: Path) -> None:
    """A folder inside is no picture."""
    (pictures / "inside").mkdir()
    assert names(pictures) == (["a.png", "b.png"], [])
    assert names(pictures, limit=1) == (["a.png"], [])


def test_hidden_files_are_told(pictures: Path) -> None:
    """Each in a line of its own."""
    (pictures / "._a.png").write_bytes(b"x")
    (pictures / ".listing").write_bytes(b"x")
    assert names(pictures) == (
        ["a.png", "b.png"],
        [f"{name} is left out: it is a hidden file" for name in ("._a.png", ".listing")],
    )


@pytest.mark.parametrize("inner", ["HR", "GTmod12"])
def test_benchmark_layout(pictures: Path, inner: str) -> None:
    """Where there is HR/, the large pictures are there."""
    (pictures / inner).mkdir()
    (pictures / "a.png").rename(pictures / inner / "c.png")
    assert names(pictures)[0] == ["c.png"]


def test_own_small_pictures(pictures: Path) -> None:
    """In the two layouts that benchmarks have."""
    (one,) = open_sets((pictures,), limit=None, tell=print)
    for place, scale in (("LR_bicubic/X3/ax3.png", 3), ("LRbicx4/a.png", 4)):
        path = pictures / place
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        assert one.own_small(pictures / "a.png", scale) == path
    assert one.own_small(pictures / "b.png", 3) is None
    assert one.own_small(pictures / "a.png", 2) is None


def test_sets_of_the_same_name_are_told_apart(pictures: Path, tmp_path: Path) -> None:
    """By their paths."""
    other = tmp_path / "other" / "Mine"
    other.mkdir(parents=True)
    (pictures / "a.png").rename(other / "a.png")
    sets = open_sets((pictures, other), limit=None, tell=print)
    assert [one.name for one in sets] == [str(pictures), str(other)]


def test_no_folder_and_no_file(tmp_path: Path) -> None:
    """Refused at once, by name."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("empty", "nowhere", "file"):
        with pytest.raises(InputNotReadable, match=name):
            open_sets((tmp_path / name,), limit=None, tell=print)


def read(path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    told: list[str] = []
    return read_rgb(path, limits=Limits(), tell=told.append), told


def test_colour_as_it_is(tmp_path: Path, photo: Photo) -> None:
    """Nothing to tell."""
    pixels = photo(9, 11)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found, told = read(tmp_path / "a.png")
    np.testing.assert_array_equal(found, pixels)
    assert told == []


def test_gray_is_repeated(tmp_path: Path, photo: Photo) -> None:
    """So that every model sees the same."""
    gray = photo(9, 11)[..., 0]
    Image.fromarray(gray).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], np.dstack([gray] * 3))


def test_16_bits_are_rounded_and_told(tmp_path: Path) -> None:
    """257 levels of 65536 are one of 256."""
    wide = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    Image.fromarray(wide).save(tmp_path / "a.png")
    found, told = read(tmp_path / "a.png")
    np.testing.assert_array_equal(found[..., 1], np.rint(wide / 257))
    assert found.dtype == np.uint8
    assert told == ["a.png has 16 bits: they are rounded to 8"]


def test_transparency_is_laid_over_white_and_told(tmp_path: Path, photo: Photo) -> None:
    """An alpha that is opaque everywhere is nothing to tell."""
    pixels = photo(8, 8)
    alpha = np.full((8, 8), 255, np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "opaque.png")
    found, told = read(tmp_path / "opaque.png")
    np.testing.assert_array_equal(found, pixels)
    assert told == []
    alpha[:4], alpha[4] = 0, 51
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "clear.png")
    found, told = read(tmp_path / "clear.png")
    assert np.all(found[:4] == 255)
    np.testing.assert_array_equal(found[4], np.rint(pixels[4] * 0.2 + 255 * 0.8))
    np.testing.assert_array_equal(found[5:], pixels[5:])
    assert told == ["clear.png has transparency: it is laid over white"]


def test_what_cannot_be_read(tmp_path: Path, photo: Photo) -> None:
    """Damaged files, foreign ones, too large ones, animations."""
    Image.fromarray(photo(64, 64)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    with pytest.raises(UnreadablePicture, match=r"cut\.png"):
        read(tmp_path / "cut.png")
    (tmp_path / "notes.txt").write_text("these are my notes")
    with pytest.raises(UnsupportedPicture, match=r"notes\.txt"):
        read(tmp_path / "notes.txt")
    Image.fromarray(photo(9, 9)).save(tmp_path / "a.png")
    with pytest.raises(PictureTooLarge, match=r"a\.png"):
        read_rgb(tmp_path / "a.png", limits=Limits(input_pixels=80), tell=print)
    frames = [Image.fromarray(photo(9, 9, seed=seed)) for seed in (1, 2)]
    frames[0].save(tmp_path / "two.webp", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(UnsupportedPicture, match="2 frames"):
        read(tmp_path / "two.webp")


def test_jpeg_costs_more_at_lower_quality(photo: Photo) -> None:
    """The same size comes back, worse."""
    pixels = photo(40, 50)
    errors = [
        float(np.mean((through_jpeg(pixels, quality=quality).astype(float) - pixels) ** 2))
        for quality in (95, 40, 5)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert through_jpeg(pixels, quality=40).shape == pixels.shape
