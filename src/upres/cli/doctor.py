"""`upres doctor`: what is installed, what works, what to do about the rest."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np

from upres import __version__
from upres.cli.exits import EXIT_SETUP
from upres.cli.names import absent, fault_of
from upres.config import Settings
from upres.engines import ENGINE_NAMES
from upres.engines import engine as engine_named
from upres.engines.choose import cpu_name
from upres.engines.threads import usable_cpus
from upres.errors import EngineFailed, UpresError
from upres.models.catalogue import AUTO_MODEL
from upres.service.finding import Finding
from upres.workbench import Runtime, Workbench

_WHITE_TOLERANCE = 2.0
"""Levels; a network of ours keeps white far closer."""


@click.command(name="doctor", short_help="Check this installation and say what is wrong.")
def command() -> int:
    """Check engines, models and folders; exits 4 when something needs mending."""
    click.echo(f"upres {__version__}, Python {platform.python_version()}, {platform.platform()}")
    click.echo(f"{cpu_name()}, {usable_cpus()} usable CPUs")
    try:
        workbench = Workbench(Settings.from_environment())
    except UpresError as error:
        click.echo(f"  wrong  {error}")
        return EXIT_SETUP
    code = 0
    for finding in (
        *_engines(workbench),
        *_models(workbench),
        *_folders(workbench),
        *_service(workbench),
    ):
        click.echo(f"  {'ok   ' if finding.good else 'wrong'}  {finding.text}")
        code = code if finding.good else EXIT_SETUP
    return code


def _engines(workbench: Workbench) -> Iterator[Finding]:
    """Run our own model on each engine: a white picture must stay white."""
    spec = workbench.catalogue.nearest(AUTO_MODEL, 3)
    for name in ENGINE_NAMES:

        def check(name: str = name) -> str:
            engine = engine_named(name)
            network = workbench.network(spec, runtime=Runtime(engine=name, precision="fp32"))
            white = network.session.run(np.ones((1, 3, 48, 48), np.float32))
            level = float(white[0, :, 60:84, 60:84].mean()) * 255
            if not abs(level - 255) < _WHITE_TOLERANCE:
                raise EngineFailed(name, spec.id, f"white comes out at level {level:.1f}")
            return (
                f"{name} {engine.version()}: {', '.join(engine.precisions())}; "
                f"{spec.id} keeps white at {level:.1f}"
            )

        yield _checked(name, check)


def _models(workbench: Workbench) -> Iterator[Finding]:
    """Verify every model; one that could be pulled and is not here is no fault."""
    for error in workbench.catalogue.refused:
        yield Finding(good=False, text=str(error))
    for spec in workbench.catalogue:
        fault = fault_of(workbench, spec)
        if fault is None:
            yield Finding(good=True, text=f"{spec.id}: {workbench.store.find(spec)}")
        elif not (absent(fault) and spec.file.sources):
            yield Finding(good=False, text=f"{spec.id}: {fault}")


def _folders(workbench: Workbench) -> Iterator[Finding]:
    for what, folder in (
        ("model folder", workbench.store.folder),
        ("cache folder", workbench.settings.cache_folder),
    ):
        nearest = _nearest_existing(folder)
        writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
        state = "can be written" if writable else f"cannot be written ({nearest})"
        yield Finding(writable, f"{what} {folder}: {state}")


def _service(workbench: Workbench) -> Iterator[Finding]:
    try:
        from upres.service.checkup import checkup
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "upres":
            raise
        yield Finding(good=True, text="service: not installed; `pip install 'upres[service]'`")
        return
    yield from checkup(workbench.settings)


def _nearest_existing(folder: Path) -> Path:
    """Return the folder itself or the first above it that is there, as far as we may look."""
    for path in (folder, *folder.parents):
        try:
            if path.exists():
                return path
        except OSError:  # a folder above it may not be entered
            continue
    return folder


def _checked(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(good=True, text=check())
    except UpresError as error:
        return Finding(good=False, text=f"{name}: {error}")
