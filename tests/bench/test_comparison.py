"""Size, time, detail, noise."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upres.bench import comparison
from upres.bench.comparison import Traits, compare
from upres.bench.degrade import modcrop, reduced
from upres.bench.scores import psnr_y
from upres.bench.selection import default_models, entrants
from upres.errors import InputNotReadable
from upres.library import Upscaler
from upres.workbench import Runtime, Workbench


@pytest.fixture(autouse=True)
def small_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the timed pictures small."""
    monkeypatch.setattr(comparison, "_FULL_HD", (192, 108))


def run(workbench: Workbench, *models: str, scale: int = 3, **options: Any) -> list[Traits]:
    chosen = entrants(workbench, models, [scale], tell=print)
    return compare(chosen, workbench=workbench, runtime=Runtime(threads=1), tell=print, **options)


def test_one_line_each(workbench: Workbench) -> None:
    """In the order asked for; interpolations have neither file nor engine."""
    lanczos, network = run(workbench, "lanczos", "fsrcnn-small")
    assert (lanczos.model, lanczos.bytes, lanczos.engine) == ("lanczos", None, None)
    spec = workbench.catalogue.get("fsrcnn-small", 3)
    assert (network.model, network.bytes) == (spec.id, spec.file.bytes)
    assert (network.engine, network.precision) == ("openvino", "fp32")
    for one in (lanczos, network):
        assert one.full_hd_s > 0
        assert one.full_hd_scaled_by == 1


def test_detail_on_the_sample_and_on_folders(workbench: Workbench, pictures: Path) -> None:
    """The mean over pictures of what was reduced and enlarged again."""

    def score(truth: Any) -> float:
        cut = modcrop(np.asarray(truth), 3)
        large = Upscaler.load("lanczos", scale=3)(reduced(cut, 3, by="bicubic"))
        return psnr_y(large, cut, border_px=3)

    with resources.as_file(resources.files("upres.samples") / "photo.png") as path:
        sample = score(Image.open(path))
    assert run(workbench, "lanczos")[0].detail_db == pytest.approx(sample)
    own = [score(Image.open(pictures / name)) for name in ("a.png", "b.png")]
    found = run(workbench, "lanczos", folders=(pictures,))[0].detail_db
    assert found == pytest.approx(sum(own) / 2)


def test_folders_without_pictures(workbench: Workbench, tmp_path: Path) -> None:
    """One error that names them."""
    (tmp_path / "notes.txt").write_text("notes")
    Image.fromarray(np.zeros((4, 40, 3), np.uint8)).save(tmp_path / "low.png")
    with pytest.raises(InputNotReadable, match="none of its pictures"):
        run(workbench, "bicubic", folders=(tmp_path,))


def test_noise_against_bicubic(workbench: Workbench) -> None:
    """Bicubic is the measure; Lanczos is the sharper filter and lets more through."""
    bicubic, lanczos = run(workbench, "bicubic", "lanczos", scale=2)
    assert bicubic.noise_gain == 1
    assert 1.01 < lanczos.noise_gain < 1.5


def test_slow_models_are_measured_on_less(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And their time is multiplied by the pixels: 16 times, and for tiles what they overlap."""
    monkeypatch.setattr(comparison, "_PATIENCE_S", 0.0)
    bicubic, network = run(workbench, "bicubic", "fsrcnn-small")
    assert bicubic.full_hd_scaled_by == 16
    method = Upscaler.load("fsrcnn-small", scale=3).method(factor=3)
    whole = method.plan(width=64, height=36).computed_px  # type: ignore[union-attr]
    part = method.plan(width=16, height=9).computed_px  # type: ignore[union-attr]
    assert network.full_hd_scaled_by == whole / part


def test_default_models_need_no_download(workbench: Workbench) -> None:
    """Interpolations first, each name once."""
    names = default_models(workbench)
    assert names[:2] == ("bicubic", "lanczos")
    assert {"lite", "fsrcnn", "espcn"} <= set(names)
    assert "edsr" not in names
    assert len(names) == len(set(names))
