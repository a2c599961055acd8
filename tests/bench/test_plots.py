"""Drawings: they are there, and they are pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upres.bench import plots
from upres.bench.comparison import Traits
from upres.bench.plots import check_can_plot, plot_quality, plot_speed
from upres.bench.quality import Mean
from upres.bench.speed import EngineSpeed, Ratio, Speed
from upres.errors import InvalidOption, OutputNotWritable

MEAN = Mean(
    set="Set5",
    scale=3,
    degradation="bicubic",
    model="lite",
    pictures=5,
    psnr_y_db=34.04,
    psnr_y_whole_levels_db=34.01,
    ssim_y=None,
    ms_per_megapixel=900.0,
)


def colours(path: Path) -> int:
    """Count the colours of a drawing: an empty one has few."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return len(np.unique(pixels, axis=0))


def test_two_drawings_for_each_set_and_factor(tmp_path: Path) -> None:
    """With a colour for each model."""
    means = [
        replace(MEAN, scale=scale, degradation=way, model=model, psnr_y_db=30 + index)
        for scale in (2, 3)
        for way in ("bicubic", "jpeg")
        for index, model in enumerate(("bicubic", "lite"))
    ]
    files = plot_quality(means, tmp_path)
    assert [path.name for path in files] == [
        "psnr-Set5-x2.png",
        "time-Set5-x2.png",
        "psnr-Set5-x3.png",
        "time-Set5-x3.png",
    ]
    blue, orange = (31, 119, 180), (255, 127, 14)
    for path in files:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        for colour in (blue, orange):
            assert (pixels == colour).all(axis=2).any()


def test_speed_drawings(tmp_path: Path) -> None:
    """The engines' only where there is something to compare with."""
    traits = Traits(
        model="lite-x3",
        engine="openvino",
        precision="fp32",
        bytes=1,
        full_hd_s=1.0,
        full_hd_scaled_by=1,
        detail_db=34.0,
        noise_gain=1.2,
    )
    row = EngineSpeed(
        model="lite-x3",
        engine="openvino",
        precision="fp32",
        seconds=(1.0,),
        median_s=1.0,
        ratio=Ratio(median=70, lowest=60, highest=80),
        levels_from_fp32=0,
        failure=None,
    )
    speed = Speed(scale=3, tile_px=128, threads=2, baseline="edsr", engines=[row])
    files = plot_speed(speed, [traits], tmp_path)
    assert [path.name for path in files] == ["models-x3.png", "engines-x3.png"]
    assert all(colours(path) > 10 for path in files)
    alone = replace(speed, engines=[replace(row, ratio=None)])
    assert len(plot_speed(alone, [traits], tmp_path)) == 1


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the extra."""
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(InvalidOption, match=r"pip install 'upres\[bench\]'"):
        check_can_plot(tmp_path)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Told before anything is measured."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable):
        check_can_plot(tmp_path / "file" / "plots")
    check_can_plot(tmp_path / "new" / "plots")
    assert (tmp_path / "new" / "plots").is_dir()
