"""gunicorn's configuration where it is started by its own name, as `deploy/gunicorn.conf.py` does.

gunicorn asks for it at its start and at every SIGHUP. Settings that are wrong end it at the start;
later on they are logged, and those before them stay, so that a slip of the pen stops nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from upres.errors import UpresError
from upres.service.log import logger, set_up
from upres.service.settings import ServiceSettings
from upres.web import server

if TYPE_CHECKING:
    from flask import Flask

_EXIT = 4
"""As `upres` has it for what is wrong with a machine."""
_taken: list[ServiceSettings] = []
"""The settings of the processes that are started from now on; at first none."""


def configuration() -> dict[str, Any]:
    """Return gunicorn's settings, from ours as they are in the environment and its file now."""
    try:
        settings = ServiceSettings.from_environment()
        set_up(format=settings.log_format, level=settings.log_level)
        server.check(settings)
        _taken[:] = [settings]
    except UpresError as error:
        if not _taken:
            sys.stderr.write(f"upres: {error}\n")
            raise SystemExit(_EXIT) from error
        logger("web").error("the new settings are not taken", code=error.code, reason=str(error))
    return server.options(_taken[0]) | {"wsgi_app": f"{__name__}:application()"}


def application() -> Flask:
    """Make the application, in the process that answers, with the settings last taken."""
    return server.application(_taken[0])
