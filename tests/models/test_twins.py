"""int8 twins in the store: made from what ships, kept, vouched for, and never trusted blindly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from store_cases import flip

from upres.config import Settings
from upres.engines import installed
from upres.errors import InvalidOption, ModelDamaged
from upres.models import calibration as calibration_module
from upres.models.catalogue import Catalogue
from upres.models.store import ModelStore, StoreSettings
from upres.upscale.upscaler import Network
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LITE = Catalogue.load().get("lite", 3)


def store_in(folder: Path) -> ModelStore:
    return ModelStore(StoreSettings(folder=folder))


def test_a_twin_is_made_once_and_kept(tmp_path: Path) -> None:
    """Smaller than its graph; another store of the same folder finds it."""
    path = store_in(tmp_path).find(LITE, format="int8")
    made = path.stat()
    assert made.st_size < 0.4 * LITE.file.bytes
    assert store_in(tmp_path).find(LITE, format="int8") == path
    assert path.stat().st_mtime_ns == made.st_mtime_ns


def test_a_damaged_twin_is_named_and_made_again(tmp_path: Path) -> None:
    """`verify` tells of it; whoever needs it gets a good one."""
    path = store_in(tmp_path).find(LITE, format="int8")
    good = path.read_bytes()
    flip(path)
    with pytest.raises(ModelDamaged, match=path.name):
        store_in(tmp_path).verify(LITE)
    assert store_in(tmp_path).find(LITE, format="int8") == path
    assert path.read_bytes() == good
    store_in(tmp_path).verify(LITE)


def test_a_twin_of_another_quantizer_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update of upres."""
    path = store_in(tmp_path).find(LITE, format="int8")
    before = path.with_name(f"{path.name}.json").read_bytes()
    monkeypatch.setattr(calibration_module, "QUANTIZER_VERSION", "next")
    store_in(tmp_path).find(LITE, format="int8")
    assert path.with_name(f"{path.name}.json").read_bytes() != before


def test_a_model_without_a_table_has_no_twin(tmp_path: Path) -> None:
    """Nor has a file that the table is not of."""
    other = replace(LITE, file=replace(LITE.file, sha256="0" * 64))
    for spec in (Catalogue.load().get("espcn", 3), other):
        with pytest.raises(InvalidOption, match="no int8 twin"):
            store_in(tmp_path).find(spec, format="int8")


@pytest.mark.skipif("openvino" not in installed(), reason="engine openvino is not installed")
def test_a_folder_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    """What ships runs in int8 all the same: its twin is made for the moment."""
    (tmp_path / "file").touch()
    settings = Settings.from_environment()
    settings = replace(settings, store=replace(settings.store, folder=tmp_path / "file" / "models"))
    method = Workbench(settings).method(
        "lite", factor=3, runtime=Runtime(engine="openvino", precision="int8", threads=1)
    )
    assert isinstance(method, Network)
    assert method.session.run(np.ones((1, 3, 8, 8), np.float32)).shape == (1, 3, 24, 24)


OPENVINO = pytest.mark.skipif(
    "openvino" not in installed(), reason="engine openvino is not installed"
)


def tile_from_whole(model: str, halo_px: int, folder: Path) -> NDArray[np.float32]:
    """Return how far a tile is from the same place of the whole, in levels, on noise, in int8."""
    settings = Settings.from_environment()
    settings = replace(settings, store=replace(settings.store, folder=folder))
    runtime = Runtime(engine="openvino", precision="int8", threads=1)
    method = Workbench(settings).method(model, factor=3, runtime=runtime)
    assert isinstance(method, Network)
    side, start, stop = 140, 60, 80
    picture = np.random.default_rng(2).integers(0, 256, (1, 3, side, side)) / np.float32(255)
    planes = picture.astype(np.float32)
    whole = method.session.run(planes)[..., 3 * start : 3 * stop, 3 * start : 3 * stop]
    around = slice(start - halo_px, stop + halo_px)
    tile = method.session.run(np.ascontiguousarray(planes[..., around, around]))
    tile = tile[..., 3 * halo_px : -3 * halo_px, 3 * halo_px : -3 * halo_px]
    levels: NDArray[np.float32] = np.abs(np.clip(tile, 0, 1) - np.clip(whole, 0, 1)) * 255
    return levels


@OPENVINO
def test_a_tile_is_as_near_to_the_whole_as_int8_to_fp32(tmp_path: Path) -> None:
    """Rounding differs where what lies beyond the halo does: by a level here and there."""
    apart = tile_from_whole("lite", LITE.halo_px, tmp_path)
    assert apart.max() < 4
    assert apart.mean() < 0.5


@OPENVINO
@pytest.mark.parametrize(("model", "halo_px"), [("fast", 11), ("lite", 40)])
def test_a_tile_that_reaches_as_far_as_the_network_is_the_whole(
    tmp_path: Path, model: str, halo_px: int
) -> None:
    """To the bit: neither kernels nor borders differ. `fast`'s own halo reaches so far."""
    assert tile_from_whole(model, halo_px, tmp_path).max() == 0
