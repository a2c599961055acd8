"""Tables that people read and records that programs read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from upres import __version__
from upres.bench.comparison import Traits
from upres.bench.quality import OwnSmall, Quality, Score
from upres.bench.report import (
    as_json,
    quality_record,
    quality_table,
    speed_record,
    speed_tables,
)
from upres.bench.speed import EngineSpeed, Ratio, Speed

SCORE = Score(
    set="Set5",
    picture="baby.png",
    scale=3,
    degradation="bicubic",
    model="lite",
    psnr_y_db=34.041,
    psnr_y_whole_levels_db=34.009,
    ssim_y=0.92334,
    seconds=0.5,
    megapixels=0.25,
)
TRAITS = Traits(
    model="edsr-x3",
    engine="openvino",
    precision="fp32",
    bytes=38524784,
    full_hd_s=94.321,
    full_hd_scaled_by=19.2,
    detail_db=31.628,
    noise_gain=0.912,
)
ENGINE = EngineSpeed(
    model="lite-x3",
    engine="opencv",
    precision="fp32",
    seconds=(0.05, 0.06),
    median_s=0.055,
    ratio=Ratio(median=68.53, lowest=60.11, highest=101.2),
    levels_from_fp32=0.25,
    failure=None,
)


def test_quality_table() -> None:
    """A line for each mean, a table for each set; every line as wide as the others."""
    quality = Quality(scores=[SCORE, replace(SCORE, set="Other", model="bicubic", ssim_y=None)])
    text = quality_table(quality)
    assert "| x3     | bicubic    | lite  |  34.04 |        34.01 | 0.9233 |  2000 | 1 |" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == ["### Set5", "### Other"]
    for table in text.split("### ")[1:]:
        assert len({len(line) for line in table.splitlines() if line.startswith("|")}) == 1
    assert "|      - |" in text
    assert "own" not in text


@pytest.mark.parametrize(
    ("differing", "words"),
    [
        (0, "2 small pictures are the folders' own (bicubic); ours are the same, bit for bit."),
        (7, "ours are the same in 1 cases, up to 3 levels apart in the others"),
    ],
)
def test_own_small_pictures_are_told(differing: int, words: str) -> None:
    """Which were used, and whether ours are the same."""
    same = OwnSmall(set="Set5", picture="a.png", scale=2, differing_samples=0, largest_difference=0)
    other = replace(
        same, picture="b.png", differing_samples=differing, largest_difference=3 if differing else 0
    )
    assert words in quality_table(Quality(scores=[SCORE], own_small=[same, other]))


def test_quality_record() -> None:
    """Every picture's figures; what is not finite becomes null."""
    perfect = replace(SCORE, psnr_y_db=float("inf"))
    quality = Quality(scores=[perfect], notes=["a note"])
    record = json.loads(as_json(quality_record(quality, command="upres bench quality")))
    assert record["command"] == "upres bench quality"
    assert record["upres"] == __version__
    assert set(record["machine"]) == {"cpu", "usable_cpus", "system", "python", "libraries"}
    assert {"numpy", "openvino", "onnxruntime"} <= set(record["machine"]["libraries"])
    assert record["notes"] == ["a note"]
    (picture,) = record["pictures"]
    assert (picture["picture"], picture["psnr_y_db"], picture["seconds"]) == ("baby.png", None, 0.5)
    assert picture["psnr_y_whole_levels_db"] == 34.009
    assert record["means"][0]["psnr_y_db"] is None


def test_speed_tables() -> None:
    """What was measured on less is marked and explained; a failure is in its line."""
    broken = replace(ENGINE, seconds=(), median_s=None, ratio=None, failure="it fell over")
    speed = Speed(scale=3, tile_px=128, threads=2, baseline="edsr", engines=[ENGINE, broken])
    text = speed_tables(speed, [TRAITS, replace(TRAITS, model="bicubic", engine=None, bytes=None)])
    assert "38.5 MB" in text
    assert "~94.32 s" in text
    assert "a smaller picture than 640 x 360 was measured" in text
    assert "68.5x | 60.1 to 101 |" in text
    assert "it fell over" in text
    assert "multiples of edsr; one tile of 128 x 128 pixels, 2 threads" in text
    quick = speed_tables(
        Speed(scale=3, tile_px=128, threads=2), [replace(TRAITS, full_hd_scaled_by=1)]
    )
    assert "~" not in quick
    assert "Engines" not in quick


def test_speed_record() -> None:
    """Every round's seconds, every model's figures."""
    speed = Speed(scale=3, tile_px=128, threads=2, engines=[ENGINE])
    record = json.loads(as_json(speed_record(speed, [TRAITS], command="upres bench speed")))
    assert record["engines"][0]["seconds"] == [0.05, 0.06]
    assert record["engines"][0]["ratio"]["lowest"] == 60.11
    assert record["models"][0]["full_hd_scaled_by"] == 19.2
    assert (record["scale"], record["threads"], record["baseline"]) == (3, 2, None)
