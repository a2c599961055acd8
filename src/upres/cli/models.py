"""`upres models`: what there is, what is here, and how to get the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from upres.cli import complain
from upres.cli.exits import EXIT_SETUP
from upres.cli.names import absent, fault_of, networks_named
from upres.cli.show import progress_bar
from upres.config import Settings
from upres.engines.instructions import has_int8_dot_product
from upres.models.calibration import calibration_of
from upres.models.catalogue import BASELINES
from upres.upscale.size import DEFAULT_FACTOR
from upres.workbench import Workbench


@click.group(name="models", short_help="List, pull, verify, add models; print their paths.")
def command() -> None:
    """List, pull, verify, add models; print their paths."""


def _workbench() -> Workbench:
    return Workbench(Settings.from_environment())


@command.command(name="list")
@click.option("--json", "json_", is_flag=True, help="A JSON array.")
def list_models(*, json_: bool) -> None:
    """List every model: scales, size, licence, whether it is here."""
    workbench = _workbench()
    for error in workbench.catalogue.refused:
        complain(str(error))
    rows = [
        {
            "name": spec.name,
            "scale": spec.scale,
            "bytes": spec.file.bytes,
            "licence": spec.licence,
            "installed": workbench.store.installed(spec),
            "halo_px": spec.halo_px,
            "parameters": spec.parameters,
            "summary": spec.summary,
        }
        for spec in workbench.catalogue
    ]
    if json_:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    click.echo(f"{'model':<16}{'scale':<7}{'size':>13}  {'here':<5} {'licence':<12} what it is")
    for row in rows:
        here = "yes" if row["installed"] else "pull"
        size = f"{row['bytes']:,} B"
        scale = f"x{row['scale']}"
        left = f"{row['name']:<16}{scale:<7}{size:>13}  {here:<5}"
        click.echo(f"{left} {row['licence']:<12} {row['summary']}")
    for name in BASELINES:
        click.echo(f"{name:<16}{'any':<7}{'-':>13}  {'yes':<5} {'-':<12} interpolation")


@command.command()
@click.argument("name")
@click.option("--scale", type=int, help="One factor; all of the model's by default.")
def pull(name: str, scale: int | None) -> None:
    """Download a model's files, verified by their pinned hashes, once."""
    workbench = _workbench()
    for spec in networks_named(workbench, name, scale=scale):
        with progress_bar(f"{spec.name} x{spec.scale}", bytes_units=True) as report:
            path = workbench.store.pull(spec, progress=report)
        large = spec.converted is not None
        if large and has_int8_dot_product() and calibration_of(spec) is not None:
            workbench.store.find(spec, format="int8")  # so that the first picture need not wait
        click.echo(f"{spec.name} x{spec.scale}  {path}")


@command.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Hash model files anew; every installed one by default. Exits 4 when one is damaged."""
    workbench = _workbench()
    wanted = [spec for name in names for spec in networks_named(workbench, name)]
    code = 0
    for spec in wanted or workbench.catalogue:
        fault = fault_of(workbench, spec)
        if absent(fault) and not wanted:
            continue
        if fault is None:
            click.echo(f"{spec.name} x{spec.scale}  ok  {workbench.store.find(spec)}")
        else:
            click.echo(f"{spec.name} x{spec.scale}  {fault.code}  {fault}")
            code = EXIT_SETUP
    return code


@command.command()
@click.argument("name")
@click.option("--scale", type=int, help="3 by default; an id such as edsr-x2 says it too.")
@click.option("--format", "format_", type=click.Choice(["onnx", "pb"]), default="onnx")
def path(name: str, scale: int | None, format_: Literal["onnx", "pb"]) -> None:
    """Print the path of one verified file; nothing is downloaded."""
    workbench = _workbench()
    networks = networks_named(workbench, name, scale=scale)
    spec = next((one for one in networks if one.scale == DEFAULT_FACTOR), networks[0])
    click.echo(workbench.store.find(spec, format=format_))


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it; the file's name by default.")
@click.option("--licence", default="unknown", show_default=True)
@click.option("--channels", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True)
def add(file: Path, **options: Any) -> None:
    """Add your own ONNX super-resolution network, after trying out what it does.

    Scale, layout, planes, value range and halo are found by running it. A file that cannot be
    verified to enlarge pictures is refused. RGB or BGR cannot be told by running: say it.
    """
    from upres.addition import add_model

    workbench = _workbench()
    spec = add_model(
        file,
        workbench=workbench,
        name=options["name"],
        licence=options["licence"],
        channels=options["channels"],
    )
    click.echo(
        f"{spec.name} x{spec.scale}  planes {spec.channels.value}  values 0..{spec.value_max:g}  "
        f"halo {spec.halo_px} px  {workbench.store.find(spec)}"
    )
