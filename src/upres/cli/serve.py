"""`upres serve`: the whole service, its processes supervised."""

from __future__ import annotations

import click

from upres.service.log import set_up
from upres.service.settings import ServiceSettings
from upres.service.supervisor import NICENESS, Supervisor, service_commands


@click.command(name="serve", short_help="Run the web service: page, HTTP interface, workers.")
@click.option("--host", help="Address to listen at; 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="8080 by default.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that enlarge; 1 by default.")
def command(host: str | None, port: int | None, workers: int | None) -> int:
    """Answer requests and enlarge pictures until SIGTERM or Ctrl-C.

    \b
    Everything is kept in one data folder, and nothing that was accepted is lost when a
    process, or the machine, stops. Settings are UPRES_SERVICE_... in the environment, or in
    the file that UPRES_SERVICE_CONFIG names. No other server is needed.
    """  # noqa: D301 - click's mark for lines to be left alone
    settings = ServiceSettings.from_environment()
    set_up(format=settings.log_format, level=settings.log_level)
    web = ["--host", host] if host else []
    web += ["--port", str(port)] if port is not None else []
    commands = service_commands(web=web, workers=workers or settings.workers)
    niceness = {name: NICENESS for name in commands if name != "web"}
    return Supervisor(commands, drain_s=settings.drain_s, niceness=niceness).run()
