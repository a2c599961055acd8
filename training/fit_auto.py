"""Fits the rule by which `auto` chooses a strength, on training pictures with known damage.

Pictures are shrunk and damaged as those that `photo` is trained on, or left clean; their condition
is measured, and each strength's PSNR; of old photographs the noise of flat parts too. The rule is
a few ramps, moved one at a time to where the mean PSNR is highest; it is written with the hashes
of the networks that it was fitted with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import operator
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.damages import DAMAGES, LOW_PX, SCALE, louder_than_bicubic
from training.data import find_pictures
from training.degrade import KERNEL_MARGIN_PX
from training.downscale import Picture
from training.evaluate import Enlarge, enlarge_with_onnx, luma_psnr_db, read_picture
from training.train import OUT, PICTURES
from upres.condition.choice import LEVELS, Cause
from upres.condition.measure import Condition, measure
from upres.image.picture import Picture as Decoded
from upres.models.blend import Blend, between, blended_graph
from upres.models.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PACKAGE = Path(__file__).parents[1] / "src" / "upres"
RULE = PACKAGE / "condition" / "rule.toml"
WEIGHTS = PACKAGE / "models" / "weights"
SEED = 31
RESEARCH_ONLY = ("bsds500", "t91")
NOISE_WEIGHT_DB = 5.0
"""What a level of noise more than bicubic's, in the flat parts of an old photograph, counts."""
SILENT = (0.0,) * len(LEVELS)
"""Where noise is not asked about."""
GRID = {
    "quality": np.arange(15.0, 101.0, 5.0),
    "blocks": np.append(np.arange(5, 14) / 100, [0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0]),
    "noise": np.array(
        [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.8, 2.2, 2.6, 3.0, 4.0, 5.0, 7.0, 9.0]
    ),
    "grain": np.array([0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0]),
    "print": np.array([0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0, 1.4, 2.0]),
    "aliased": np.array([0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 1.0]),
    "soft": np.array([0.02, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.25]),
}
"""Where each ramp may begin and end."""
FALLING = ("quality", "soft")
"""The lower, the worse; the others the other way round."""
ROUNDS = 4


@dataclass(frozen=True)
class Sample:
    """A damaged picture: what was done, what is measured of it, what each strength makes of it.

    `psnr_db` is the PSNR, `louder` by how many levels flat parts of an old photograph are noisier
    than bicubic's; in others that does not count.
    """

    damage: str
    condition: Condition
    psnr_db: tuple[float, ...]
    louder: tuple[float, ...] = SILENT

    def at(self, strength: float) -> float:
        """Return the PSNR of the level that a strength is rounded to, less what noise costs."""
        level = int(np.argmin(np.abs(np.subtract(LEVELS, strength))))
        return self.psnr_db[level] - NOISE_WEIGHT_DB * max(0.0, self.louder[level])


def strengths(lite: Path, photo: Path) -> list[Enlarge]:
    """Return the networks at every level between two ONNX files."""
    usual = Catalogue.load().get("lite", SCALE)
    paths = {digest(path): path for path in (lite, photo)}
    first, second = (replace(usual, file=replace(usual.file, sha256=each)) for each in paths)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for level in LEVELS:
            spec = between(first, second, level)
            path = paths.get(spec.file.sha256, Path(folder) / "blend.onnx")
            if isinstance(spec, Blend):
                path.write_bytes(blended_graph(spec, lambda part: paths[part.file.sha256]))
            found.append(enlarge_with_onnx(path))
    return found


def digest(path: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def samples(paths: Sequence[Path], networks: Sequence[Enlarge]) -> list[Sample]:
    """Damage the middle of every picture in every way, measure it, score every strength."""
    found = []
    side = (LOW_PX + 2 * KERNEL_MARGIN_PX) * SCALE
    for number, path in enumerate(paths):
        picture = read_picture(path)
        top, left = ((whole - side) // 2 for whole in picture.shape[:2])
        if min(top, left) < 0:
            continue
        high = picture[top : top + side, left : left + side]
        for name, damage in DAMAGES.items():
            one = damage.make(high, np.random.default_rng([SEED, number, len(name)]))
            results = [run(one.low) for run in networks]
            scores = tuple(luma_psnr_db(result, one.truth, SCALE) for result in results)
            louder = louder_than_bicubic(results, one.low) if damage.old else SILENT
            found.append(Sample(name, condition_of(one.low, one.quality), scores, louder))
        print(f"{number + 1} of {len(paths)}", end="\r", flush=True)
    return found


def condition_of(low: Picture, quality: float | None) -> Condition:
    """Measure (H, W, 3), `quality` being what the file states."""
    return replace(measure([low], Decoded(pixels=low).layout), quality=quality)


def fit(table: Sequence[Sample]) -> tuple[Cause, ...]:
    """Move one ramp at a time to where the weighted mean PSNR is highest, until none moves."""
    causes = {name: _never(name) for name in GRID}
    best = score(table, causes.values())
    for _ in range(ROUNDS):
        before = dict(causes)
        for name in GRID:
            for cause in ramps(name):
                trial = causes | {name: cause}
                reached = score(table, trial.values())
                if reached > best + 1e-6:
                    best, causes = reached, trial
        if causes == before:
            break
    return tuple(causes.values())


def ramps(name: str) -> list[Cause]:
    """Return every ramp that is tried for a cause."""
    values = sorted(GRID[name], reverse=name in FALLING)
    return [
        Cause(name=name, start=float(start), full=float(full))
        for index, start in enumerate(values)
        for full in values[index + 1 :]
    ]


def _never(name: str) -> Cause:
    """Return a ramp that begins beyond all that is measured."""
    return (
        Cause(name=name, start=0.0, full=-1.0)
        if name in FALLING
        else Cause(name=name, start=1e6, full=2e6)
    )


def score(table: Sequence[Sample], causes: Any) -> float:
    """Return the mean PSNR in dB that a rule reaches, every damage by its weight."""
    means = by_damage(table, lambda one: one.at(_strength(causes, one.condition)))
    return sum(DAMAGES[name].weight * mean for name, mean in means.items())


def _strength(causes: Any, condition: Condition) -> float:
    return max(cause.strength(condition) for cause in causes)


def by_damage(table: Sequence[Sample], value: Callable[[Sample], float]) -> dict[str, float]:
    """Return the mean of a value over the pictures of each damage."""
    return {
        name: float(np.mean([value(one) for one in table if one.damage == name]))
        for name in dict.fromkeys(one.damage for one in table)
    }


def report(table: Sequence[Sample], causes: Sequence[Cause]) -> str:
    """Return a table: what the rule reaches for each damage, each fixed strength, and the best.

    In dB, less what noise costs in old photographs.
    """
    rule = by_damage(table, lambda one: one.at(_strength(causes, one.condition)))
    ideal = by_damage(table, lambda one: max(map(one.at, LEVELS)))
    fixed = [by_damage(table, operator.methodcaller("at", at)) for at in LEVELS]
    head = ["damage", "auto", *(f"{level:g}" for level in LEVELS), "best of each picture"]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for name in rule:
        values = [rule[name], *(each[name] for each in fixed), ideal[name]]
        lines.append(" | ".join([name, *(f"{value:.2f}" for value in values)]))
    return "\n".join(f"| {line} |" for line in lines)


def written(causes: Sequence[Cause], lite: Path, photo: Path) -> str:
    """Return the rule as TOML."""
    lines = [
        "# Written by `python -m training.fit_auto`; again for every new lite x3 or photo x3.",
        "# Each cause calls for photo from `start` on, for all of it at `full`; the largest wins.",
        f'lite = "{digest(lite)}"',
        f'photo = "{digest(photo)}"',
    ]
    for cause in causes:
        if cause != _never(cause.name):
            ramp = f"start = {cause.start:g}, full = {cause.full:g}"
            lines.append(f"causes.{cause.name} = {{ {ramp} }}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Fit the rule for two networks and write it; print what it reaches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lite", type=Path, default=WEIGHTS / "lite_x3.onnx")
    parser.add_argument("--photo", type=Path, default=WEIGHTS / "photo_x3.onnx")
    parser.add_argument("--data", type=Path, default=PICTURES)
    parser.add_argument("--pictures", type=int, default=80)
    parser.add_argument("--table", type=Path, default=OUT / "auto.json", help="kept measurements")
    parser.add_argument("--rule", type=Path, default=RULE)
    options = parser.parse_args()
    key = [digest(options.lite), digest(options.photo), options.pictures, sorted(DAMAGES)]
    table = _kept(options.table, key)
    if table is None:
        found = find_pictures([options.data], RESEARCH_ONLY)
        chosen = found[:: max(1, len(found) // options.pictures)][: options.pictures]
        table = samples(chosen, strengths(options.lite, options.photo))
        options.table.parent.mkdir(parents=True, exist_ok=True)
        kept = {"key": key, "samples": [asdict(one) for one in table]}
        options.table.write_text(json.dumps(kept), "utf-8")
    causes = fit(table)
    options.rule.write_text(written(causes, options.lite, options.photo), "utf-8")
    print(options.rule.read_text("utf-8"))
    print(report(table, causes))


def _kept(path: Path, key: list[Any]) -> list[Sample] | None:
    """Return measurements of the same networks and pictures, if they are there."""
    if not path.exists():
        return None
    table = json.loads(path.read_text("utf-8"))
    if table["key"] != key:
        return None
    return [
        Sample(
            one["damage"],
            Condition(**one["condition"]),
            tuple(one["psnr_db"]),
            tuple(one["louder"]),
        )
        for one in table["samples"]
    ]


if __name__ == "__main__":
    main()
