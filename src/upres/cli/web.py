"""`upres web`: the one process of the service that answers requests."""

from __future__ import annotations

import sys

import click

from upres.service.log import set_up
from upres.service.settings import ServiceSettings
from upres.service.supervisor import end_with


@click.command(name="web", short_help="Answer the service's requests, without workers.")
@click.option("--host", help="Address to listen at; 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="8080 by default; 0 takes a free one.")
@click.option("--supervised", type=int, metavar="PID", hidden=True)
def command(host: str | None, port: int | None, supervised: int | None) -> None:
    """Answer the service's requests until SIGTERM or Ctrl-C.

    \b
    `upres serve` runs this and the workers. By itself it takes pictures that wait until
    some `upres worker` comes. The settings are those of the service, UPRES_SERVICE_... in
    the environment.
    """  # noqa: D301 - click's mark for lines to be left alone
    if sys.platform == "win32":
        raise click.UsageError("the service runs on Linux and macOS; on Windows use WSL")
    from upres.web.server import run

    settings = ServiceSettings.from_environment()
    given = {"listen_host": host, "listen_port": port}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update=changed)
    set_up(format=settings.log_format, level=settings.log_level)
    if supervised is not None:
        end_with(supervised)
    run(settings)
