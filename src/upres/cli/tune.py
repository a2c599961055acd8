"""`upres tune`: measures the engines on this machine, for `auto` to choose by."""

from __future__ import annotations

import sys

import click

from upres.bench.loss import sample_score
from upres.cli.names import networks_named
from upres.cli.show import progress_bar
from upres.config import Settings
from upres.engines.choose import choose, current_conditions
from upres.engines.fitting import fitted
from upres.engines.measurements import BUDGET_DB, Measurement, Setting, save
from upres.engines.threads import usable_cpus
from upres.engines.tune import candidates, measure
from upres.models.spec import ModelSpec
from upres.workbench import Workbench


@click.command(name="tune", short_help="Measure which engine is fastest here.")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--threads", type=click.IntRange(min=1), help="Default: every CPU allowed.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    default=BUDGET_DB,
    show_default=True,
    help="PSNR-Y in dB that auto may lose.",
)
def command(names: tuple[str, ...], threads: int | None, budget: float) -> None:
    """Measure every engine and precision on one tile of each model that is installed.

    The fastest that loses no more than the budget against fp32, on two sample pictures, becomes
    what `auto` takes, with the threads and tiles that are fastest. Measurements are kept per CPU,
    engine versions, threads and model. MODEL is a name or an id such as lite-x3.
    """
    workbench = Workbench(Settings.from_environment())
    count = threads or workbench.settings.threads or usable_cpus()
    specs = _chosen(workbench, names)
    with progress_bar("measuring") as report:
        for index, spec in enumerate(specs):
            if report is not None:
                report(index, len(specs))
            measurements, setting = _tune(workbench, spec, threads=count, budget_db=budget)
            _show(spec, measurements, budget_db=budget)
            _show_setting(spec, setting)


def _chosen(workbench: Workbench, names: tuple[str, ...]) -> list[ModelSpec]:
    """Return the models that were named, which must be here, or else all that are."""
    if not names:
        return [spec for spec in workbench.catalogue if workbench.store.installed(spec)]
    named = [spec for name in names for spec in networks_named(workbench, name)]
    for spec in named:
        workbench.store.find(spec)
    return named


def _tune(
    workbench: Workbench, spec: ModelSpec, *, threads: int, budget_db: float
) -> tuple[tuple[Measurement, ...], Setting]:
    tried = candidates(spec, path_of=lambda wanted: workbench.store.find(spec, format=wanted))
    measurements = measure(tried, spec=spec, threads=threads, score=sample_score(spec))
    best = choose(measurements, budget_db=budget_db)
    candidate = tried[measurements.index(best)]
    setting = fitted(candidate, spec, threads=threads, tile_s=best.median_s)
    save(
        measurements,
        conditions=current_conditions(spec, threads=threads),
        folder=workbench.settings.cache_folder,
        budget_db=budget_db,
        setting=setting,
    )
    return measurements, setting


def _show(spec: ModelSpec, measurements: tuple[Measurement, ...], *, budget_db: float) -> None:
    best = choose(measurements, budget_db=budget_db)
    for one in measurements:
        mark = "*" if one is best else " "
        outcome = one.failure or (
            f"{one.median_s * 1000:9.1f} ms  {one.max_level_difference:6.2f} levels from fp32"
            f"{'' if one.loss_db is None else f'  {round(-one.loss_db, 3) + 0.0:+.3f} dB'}"
        )
        click.echo(f"{mark} {spec.id:<17}{one.engine:<12} {one.precision}  {outcome}")


def _show_setting(spec: ModelSpec, setting: Setting) -> None:
    tiles = f"{setting.tile_px} px" if setting.tile_px else "as large as memory allows"
    words = f"threads: {setting.threads}, tiles: {tiles}"
    if setting.processes > 1:
        words += (
            f"; {setting.processes} workers of 1 thread do {setting.processes_gain:.2f} times "
            f"as much as 1 of {setting.processes}"
        )
    click.echo(f"  {spec.id:<17}{setting.engine:<12} {setting.precision}  {words}")
    sys.stdout.flush()
