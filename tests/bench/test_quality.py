"""Scores of whole folders."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from upres.bench.degrade import modcrop, reduced
from upres.bench.pictures import through_jpeg
from upres.bench.quality import Quality, QualityRequest, measure_quality
from upres.bench.scores import psnr_y, ssim_y
from upres.errors import InputNotReadable, InvalidOption, ModelMissing, UnknownModel
from upres.library import Upscaler
from upres.workbench import Runtime, Workbench

Photo = Callable[..., NDArray[np.uint8]]


def run(workbench: Workbench, *folders: Path, **options: Any) -> Quality:
    told: list[str] = []
    request = QualityRequest(
        **({"folders": folders, "models": ("bicubic",), "scales": (3,)} | options)
    )
    quality = measure_quality(request, workbench=workbench, tell=told.append)
    assert quality.notes == told
    return quality


def test_scores_are_of_what_the_library_makes(workbench: Workbench, pictures: Path) -> None:
    """Reduced, enlarged, compared: step by step by hand."""
    quality = run(workbench, pictures, models=("lanczos", "fsrcnn-small"))
    upscalers = {name: Upscaler.load(name, scale=3) for name in ("lanczos", "fsrcnn-small")}
    assert len(quality.scores) == 2 * 2 * 4
    for score in quality.scores:
        truth = modcrop(np.asarray(Image.open(pictures / score.picture)), 3)
        if score.degradation == "jpeg":
            small = through_jpeg(reduced(truth, 3, by="bicubic"), quality=40)
        else:
            small = reduced(truth, 3, by=score.degradation)
        large = upscalers[score.model](small)
        assert score.psnr_y_db == psnr_y(large, truth, border_px=3)
        assert score.psnr_y_whole_levels_db == psnr_y(large, truth, border_px=3, whole_levels=True)
        assert score.ssim_y == ssim_y(large, truth, border_px=3)
        assert score.seconds > 0
        assert score.megapixels == truth.shape[0] * truth.shape[1] / 1e6


def test_means(workbench: Workbench, pictures: Path) -> None:
    """Of the pictures' figures; in the order of sets, factors, ways, models."""
    quality = run(
        workbench,
        pictures,
        models=("lanczos", "bicubic"),
        scales=(4, 2),
        degradations=("area", "bicubic"),
    )
    means = quality.means()
    assert [(one.scale, one.degradation, one.model) for one in means] == [
        (scale, way, model)
        for scale in (2, 4)
        for way in ("bicubic", "area")
        for model in ("lanczos", "bicubic")
    ]
    first = [
        score
        for score in quality.scores
        if (score.scale, score.degradation, score.model) == (2, "bicubic", "lanczos")
    ]
    assert means[0].pictures == len(first) == 2
    assert means[0].psnr_y_db == pytest.approx(sum(one.psnr_y_db for one in first) / 2)


def test_published_bicubic(workbench: Workbench, shared: Path) -> None:
    """Set5, luma in whole levels; the folder's small pictures are used, and ours are the same."""
    quality = run(workbench, shared / "bench/Set5", scales=(2, 3, 4), degradations=("bicubic",))
    found = {mean.scale: mean for mean in quality.means()}
    published = {2: (33.64, 0.9292), 3: (30.39, 0.8678), 4: (28.42, 0.8101)}
    for scale, (decibels, similarity) in published.items():
        assert found[scale].psnr_y_whole_levels_db == pytest.approx(decibels, abs=0.01)
        assert found[scale].ssim_y == pytest.approx(similarity, abs=0.0005)
    assert len(quality.own_small) == 15
    assert {check.differing_samples for check in quality.own_small} == {0}


def test_own_small_picture_is_used_and_compared(workbench: Workbench, pictures: Path) -> None:
    """Also where it is another: then its difference is on record, once."""
    before = run(workbench, pictures, degradations=("bicubic",), models=("bicubic", "lanczos"))
    own = pictures / "LR_bicubic/X3"
    own.mkdir(parents=True)
    small = reduced(modcrop(np.asarray(Image.open(pictures / "a.png")), 3), 3, by="bicubic")
    small[2, 3, 1] ^= 4
    Image.fromarray(small).save(own / "ax3.png")
    after = run(workbench, pictures, degradations=("bicubic",), models=("bicubic", "lanczos"))
    (check,) = after.own_small
    assert (check.set, check.picture, check.scale) == ("Mine", "a.png", 3)
    assert (check.differing_samples, check.largest_difference) == (1, 4)
    changed = [
        one.psnr_y_db != other.psnr_y_db
        for one, other in zip(before.scores, after.scores, strict=True)
    ]
    assert changed == [one.picture == "a.png" for one in after.scores]
    assert before.own_small == []


def test_own_small_picture_of_no_use(workbench: Workbench, pictures: Path) -> None:
    """Told, and made anew."""
    own = pictures / "LR_bicubic/X3"
    own.mkdir(parents=True)
    Image.fromarray(np.zeros((12, 17, 3), np.uint8)).save(own / "ax3.png")
    (own / "bx3.png").write_bytes(b"")
    quality = run(workbench, pictures, degradations=("bicubic",), models=("bicubic", "lanczos"))
    assert quality.own_small == []
    assert quality.notes == [
        "ax3.png is 17x12, not a.png / 3: it is made anew",
        "cannot read bx3.png: it is empty; x3 of b.png is made anew",
    ]
    assert len(quality.scores) == 4


def test_what_cannot_be_scored_is_told_once(
    workbench: Workbench, pictures: Path, photo: Photo
) -> None:
    """However many models and factors there are; the rest goes on."""
    (pictures / "notes.txt").write_text("notes")
    (pictures / ".hidden.png").write_text("")
    Image.fromarray(photo(18, 40)).save(pictures / "small.png")
    quality = run(workbench, pictures, scales=(2, 3, 4), models=("bicubic", "lanczos"))
    assert {score.picture for score in quality.scores if score.scale == 3} == {
        "a.png",
        "b.png",
        "small.png",
    }
    hidden, notes, small = quality.notes
    assert ".hidden.png" in hidden
    assert "notes.txt" in notes
    assert small == "small.png is not supported: at x4 both sides must be 19 or more"


def test_a_model_without_the_factor_is_told(workbench: Workbench, pictures: Path) -> None:
    """And runs at the others."""
    quality = run(workbench, pictures, scales=(2, 4), models=("bicubic", "fsrcnn-small-x2"))
    assert {(score.model, score.scale) for score in quality.scores} == {
        ("bicubic", 2),
        ("bicubic", 4),
        ("fsrcnn-small", 2),
    }
    (note,) = quality.notes
    assert note == "fsrcnn-small-x2 is left out at x4: it knows x2 only"
    with pytest.raises(InvalidOption, match="scale"):
        run(workbench, pictures, scales=(4,), models=("fsrcnn-small-x2",))


def test_refused_before_any_work(workbench: Workbench, pictures: Path) -> None:
    """Unknown models, and those that are not here."""
    with pytest.raises(UnknownModel):
        run(workbench, pictures, models=("bicubic", "nonesuch"))
    with pytest.raises(ModelMissing, match="upres models pull"):
        run(workbench, pictures, models=("bicubic", "edsr"))


def test_nothing_to_score(workbench: Workbench, tmp_path: Path) -> None:
    """An error, not an empty table."""
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(InputNotReadable, match="none of its pictures"):
        run(workbench, tmp_path)


def test_limit_and_no_ssim(workbench: Workbench, pictures: Path) -> None:
    """The first pictures by name; SSIM is left out."""
    quality = run(workbench, pictures, limit=1, ssim=False, degradations=("bicubic",))
    (score,) = quality.scores
    assert (score.picture, score.ssim_y) == ("a.png", None)
    assert quality.means()[0].ssim_y is None


def test_flat_pictures_are_perfect(workbench: Workbench, tmp_path: Path) -> None:
    """Infinite decibels do no harm."""
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "flat.png")
    quality = run(workbench, tmp_path, degradations=("bicubic",))
    assert quality.means()[0].psnr_y_db == math.inf


def test_progress_and_runtime(workbench: Workbench, pictures: Path) -> None:
    """Counted by picture and model; the engine that was asked for."""
    seen: list[tuple[int, int]] = []
    request = QualityRequest(
        folders=(pictures,),
        models=("fsrcnn-small", "bicubic"),
        scales=(2,),
        degradations=("area",),
        runtime=Runtime(engine="onnxruntime", threads=1),
    )
    measure_quality(
        request, workbench=workbench, tell=print, progress=lambda *step: seen.append(step)
    )
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert [key[1:4] for key in workbench._open] == [("onnxruntime", "fp32", 1)]
