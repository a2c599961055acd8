from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms

from upres.bench.scores import psnr_y, ssim_y
from upres.compare.pictures import Side
from upres.compare.rating import rated

MakeSide = Callable[..., Side]


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    """A smooth colour picture, 32 x 24."""
    rows, columns = np.mgrid[:24, :32]
    return np.dstack([rows * 8, columns * 6, 255 - rows * 4]).astype(np.uint8)


def quiet(name: str, text: str) -> None:
    pytest.fail(f"{name}: {text}")


def test_equal_pictures_are_infinitely_near(side: MakeSide, scene: NDArray[np.uint8]) -> None:
    scores = rated(side(scene), side(scene, "t.png", "T"), complain=quiet)
    assert scores["PSNR-Y"] == float("inf")
    assert scores["SSIM-Y"] == pytest.approx(1)


def test_one_level_of_gray_is_known(side: MakeSide) -> None:
    """One level of RGB is 219/255 of one of luma: 48.13 dB and 1.32 more."""
    flat = np.full((16, 16), 100, np.uint8)
    scores = rated(side(flat), side(flat + 1, "t.png", "T"), complain=quiet)
    assert scores["PSNR-Y"] == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-6)


def test_small_pictures_have_no_ssim(side: MakeSide, scene: NDArray[np.uint8]) -> None:
    """Its window does not fit in."""
    tiny = np.ascontiguousarray(scene[:10])
    assert list(rated(side(tiny), side(tiny, "t.png", "T"), complain=quiet)) == ["PSNR-Y"]


def test_profiles_that_differ_are_overcome(side: MakeSide, scene: NDArray[np.uint8]) -> None:
    """The same colours in Display P3 and in sRGB score high; as bare samples they would not."""
    wide = pyvips.Image.profile_load("p3")
    soft = scene // 2 + 64
    image = ImageCms.profileToProfile(
        Image.fromarray(soft),
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(wide)),
    )
    in_p3 = np.asarray(image)
    truth = side(soft, "t.png", "T")
    converted = rated(side(in_p3, icc_profile=wide), truth, complain=quiet)["PSNR-Y"]
    bare = rated(side(in_p3), truth, complain=quiet)["PSNR-Y"]
    assert converted > 45
    assert converted > bare + 10


@pytest.mark.parametrize("size", [(11, 12), (512, 522), (523, 513), (1040, 30)])
def test_tiles_make_no_difference(side: MakeSide, size: tuple[int, int]) -> None:
    """Scores are those of the whole taken at once, wherever tiles end."""
    random = np.random.default_rng(4)
    truth = random.integers(0, 256, (*size, 3), np.uint8)
    near = np.clip(truth + np.linspace(-40, 40, size[1])[:, np.newaxis], 0, 255).astype(np.uint8)
    scores = rated(side(near), side(truth, "t.png", "T"), complain=quiet)
    assert scores["PSNR-Y"] == pytest.approx(psnr_y(near, truth, border_px=0), abs=1e-9)
    assert scores["SSIM-Y"] == pytest.approx(ssim_y(near, truth, border_px=0), abs=1e-12)
