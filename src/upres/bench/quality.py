"""Scores models on folders of pictures: each picture is reduced, enlarged again and compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from upres.bench.degrade import DEGRADATIONS, Degradation, modcrop, reduced
from upres.bench.pictures import (
    PictureSet,
    Tell,
    check_large_enough,
    open_sets,
    read_rgb,
    through_jpeg,
)
from upres.bench.scores import psnr_y, ssim_y
from upres.bench.selection import Entrant, entrants, make_present
from upres.errors import InputNotReadable, UpresError
from upres.image.picture import Picture
from upres.library import Upscaler
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Options
from upres.workbench import Runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upres.workbench import PullNotice, Workbench

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class QualityRequest:
    """What is to be scored."""

    folders: tuple[Path, ...]
    models: tuple[str, ...]
    scales: tuple[int, ...] = (2, 3, 4)
    degradations: tuple[Degradation, ...] = DEGRADATIONS
    jpeg_quality: int = 40
    ssim: bool = True
    limit: int | None = None
    """The most pictures of a folder."""
    runtime: Runtime = field(default_factory=Runtime)


@dataclass(frozen=True, kw_only=True)
class Score:
    """How one picture came back."""

    set: str
    picture: str
    scale: int
    degradation: Degradation
    model: str
    psnr_y_db: float
    """Of luma as it is; infinite for the same picture."""
    psnr_y_whole_levels_db: float
    """Of luma rounded to whole levels first, as older papers have it."""
    ssim_y: float | None
    """None when it was not asked for."""
    seconds: float
    """For enlarging, once; the network was open already."""
    megapixels: float
    """Of the result."""


@dataclass(frozen=True, kw_only=True)
class OwnSmall:
    """A small picture that came with the folder, and used; compared with one made anew."""

    set: str
    picture: str
    scale: int
    differing_samples: int
    """0: ours is the same, bit for bit."""
    largest_difference: int


@dataclass(frozen=True, kw_only=True)
class Mean:
    """One line of the table: the means over a set, as papers give them."""

    set: str
    scale: int
    degradation: Degradation
    model: str
    pictures: int
    psnr_y_db: float
    psnr_y_whole_levels_db: float
    ssim_y: float | None
    ms_per_megapixel: float
    """Median over the pictures; each was enlarged once."""


@dataclass
class Quality:
    """Everything that was measured and told."""

    scores: list[Score] = field(default_factory=list)
    own_small: list[OwnSmall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def means(self) -> list[Mean]:
        """Return the means, ordered by set, factor and degradation, then as models were asked."""
        models = list(dict.fromkeys(score.model for score in self.scores))
        sets = list(dict.fromkeys(score.set for score in self.scores))

        def place(score: Score) -> tuple[int, int, int, int]:
            return (
                sets.index(score.set),
                score.scale,
                DEGRADATIONS.index(score.degradation),
                models.index(score.model),
            )

        return [_mean(list(group)) for _, group in groupby(sorted(self.scores, key=place), place)]


def measure_quality(
    request: QualityRequest,
    *,
    workbench: Workbench,
    tell: Tell,
    pull: PullNotice | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Quality:
    """Score every model on every picture; one picture is in memory at a time.

    `tell` hears once of everything that was left out or changed. `progress` is called with
    (enlargements done, enlargements in all). Raises InputNotReadable when no picture could be
    scored, ModelMissing for a model that is not here unless `pull` is given, and EngineFailed.
    """
    return _Run(request, workbench, tell, progress).scored(pull)


class _Run:
    """One measurement under way."""

    def __init__(
        self,
        request: QualityRequest,
        workbench: Workbench,
        tell: Tell,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.request = request
        self.workbench = workbench
        self.result = Quality()
        self._say = tell
        self._progress = progress
        self._useless: set[tuple[Path, int]] = set()
        """Files that could not be used at a factor: told once."""

    def tell(self, text: str) -> None:
        """Tell and note a line, the first time it comes up."""
        if text not in self.result.notes:
            self.result.notes.append(text)
            self._say(text)

    def scored(self, pull: PullNotice | None) -> Quality:
        """Run everything, models outside: a network is opened once."""
        request = self.request
        chosen = entrants(self.workbench, request.models, request.scales, tell=self.tell)
        sets = open_sets(request.folders, limit=request.limit, tell=self.tell)
        for entrant in chosen:
            if entrant.spec is not None:
                make_present(self.workbench, entrant.spec, pull=pull)
        trials = [
            (entrant, each, file) for entrant in chosen for each in sets for file in each.files
        ]
        for done, (entrant, each, file) in enumerate(trials):
            if self._progress is not None:
                self._progress(done, len(trials))
            self._score(entrant, each, file)
        if not self.result.scores:
            names = ", ".join(str(folder) for folder in request.folders)
            raise InputNotReadable(names, "none of its pictures could be scored")
        return self.result

    def _score(self, entrant: Entrant, pictures: PictureSet, file: Path) -> None:
        truth = self._truth(file, entrant.scale)
        if truth is None:
            return
        upscaler = Upscaler(
            workbench=self.workbench,
            model=entrant.model,
            size=SizeRequest(factor=entrant.scale),
            options=Options(),
            runtime=self.request.runtime,
        )
        upscaler.method(factor=entrant.scale)  # opened here: its time is not the picture's
        for degradation, small in self._smalls(truth, entrant.scale, pictures, file):
            began_s = time.perf_counter()
            large = upscaler.picture(Picture(pixels=small), name=file.name).pixels
            seconds = time.perf_counter() - began_s
            border_px = entrant.scale
            self.result.scores.append(
                Score(
                    set=pictures.name,
                    picture=file.name,
                    scale=entrant.scale,
                    degradation=degradation,
                    model=entrant.model,
                    psnr_y_db=psnr_y(large, truth, border_px=border_px),
                    psnr_y_whole_levels_db=psnr_y(
                        large, truth, border_px=border_px, whole_levels=True
                    ),
                    ssim_y=ssim_y(large, truth, border_px=border_px) if self.request.ssim else None,
                    seconds=seconds,
                    megapixels=truth.shape[0] * truth.shape[1] / 1e6,
                )
            )

    def _truth(self, file: Path, scale: int) -> Pixels | None:
        """Return the large picture cut to the factor; None, told once, when it cannot be used."""
        if (file, scale) in self._useless:
            return None
        try:
            truth = modcrop(self._read(file), scale)
            check_large_enough(truth, scale=scale, name=file.name)
        except UpresError as error:
            self.tell(str(error))
            self._useless.add((file, scale))
            return None
        return truth

    def _read(self, file: Path) -> Pixels:
        return read_rgb(file, limits=self.workbench.settings.limits, tell=self.tell)

    def _smalls(
        self, truth: Pixels, scale: int, pictures: PictureSet, file: Path
    ) -> Iterator[tuple[Degradation, Pixels]]:
        """Yield the small pictures of a large one, one after the other."""
        for degradation in self.request.degradations:
            if degradation in ("area", "cubic"):
                yield degradation, reduced(truth, scale, by=degradation)
                continue
            small = self._bicubic(truth, scale, pictures, file)
            if degradation == "jpeg":
                small = through_jpeg(small, quality=self.request.jpeg_quality)
            yield degradation, small

    def _bicubic(self, truth: Pixels, scale: int, pictures: PictureSet, file: Path) -> Pixels:
        """Return the folder's own small picture, compared with ours, or ours."""
        made = reduced(truth, scale, by="bicubic")
        try:
            path = pictures.own_small(file, scale)
            if path is None:
                return made
            own = self._read(path)
        except UpresError as error:
            self.tell(f"{error}; x{scale} of {file.name} is made anew")
            return made
        if own.shape != made.shape:
            sides = "x".join(str(side) for side in own.shape[1::-1])
            self.tell(f"{path.name} is {sides}, not {file.name} / {scale}: it is made anew")
            return made
        apart = np.abs(own.astype(np.int16) - made)
        check = OwnSmall(
            set=pictures.name,
            picture=file.name,
            scale=scale,
            differing_samples=int(np.count_nonzero(apart)),
            largest_difference=int(apart.max()),
        )
        if check not in self.result.own_small:
            self.result.own_small.append(check)
        return own


def _mean(scores: Sequence[Score]) -> Mean:
    first = scores[0]
    similar = [score.ssim_y for score in scores if score.ssim_y is not None]
    return Mean(
        set=first.set,
        scale=first.scale,
        degradation=first.degradation,
        model=first.model,
        pictures=len(scores),
        psnr_y_db=fmean(score.psnr_y_db for score in scores),
        psnr_y_whole_levels_db=fmean(score.psnr_y_whole_levels_db for score in scores),
        ssim_y=fmean(similar) if similar else None,
        ms_per_megapixel=1000 * median(score.seconds / score.megapixels for score in scores),
    )
