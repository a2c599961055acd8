"""`upres worker`: one process that enlarges pictures for the service."""

from __future__ import annotations

import click

from upres.service.log import set_up
from upres.service.parts import Service
from upres.service.settings import ServiceSettings
from upres.service.supervisor import end_with
from upres.service.worker import work


@click.command(name="worker", short_help="Run one more worker of the service.")
@click.option("--supervised", type=int, metavar="PID", hidden=True)
@click.option("--of", "workers", type=click.IntRange(min=1), hidden=True)
def command(supervised: int | None, workers: int | None) -> int:
    """Work on the jobs of the service until SIGTERM or Ctrl-C.

    \b
    `upres serve` runs workers by itself; more may run beside them, also on other machines
    that share the data folder and a PostgreSQL database. The settings are those of the
    service, UPRES_SERVICE_... in the environment. The exit code 75 asks to be started anew.
    """  # noqa: D301 - click's mark for lines to be left alone
    settings = ServiceSettings.from_environment()
    if workers is not None:  # more or fewer than the settings say
        settings = settings.model_copy(update={"workers": workers})
    set_up(format=settings.log_format, level=settings.log_level)
    if supervised is not None:
        end_with(supervised)
    return work(Service.open(settings))
