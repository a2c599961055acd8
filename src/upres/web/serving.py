"""What the endpoints share: the service, the way in, keys, places for whoever waits."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flask import current_app

from upres.service.intake import Intake
from upres.web.slots import Slots

if TYPE_CHECKING:
    from flask import Flask

    from upres.service.parts import Service
    from upres.web.keys import Keyring

_EXTENSION = "upres"
_KEPT_FREE = 4
"""Threads that never wait for a job, so that quick answers stay quick."""
_EACH_AT_LEAST = 2
"""Places of each kind that one client may have; else a third of the waits, half of the streams."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The parts of one web process; safe to share between threads."""

    service: Service
    intake: Intake
    keys: Keyring
    waiting: Slots
    """For requests that stay until their job is done."""
    streams: Slots
    """For progress streams."""
    draining: threading.Event = field(default_factory=threading.Event)
    """Set when the process is asked to end: whoever waits is to be sent away."""

    @classmethod
    def of(cls, service: Service, keys: Keyring) -> Serving:
        """Return the parts, with the threads dealt out: each stream and each wait holds one."""
        settings = service.settings
        waits = max(1, settings.web_threads - settings.sse_streams - _KEPT_FREE)
        streams = settings.sse_streams
        return cls(
            service=service,
            intake=Intake(service),
            keys=keys,
            waiting=Slots(waits, each=max(_EACH_AT_LEAST, waits // 3)),
            streams=Slots(streams, each=max(_EACH_AT_LEAST, streams // 2)),
        )

    def install(self, app: Flask) -> None:
        """Make `serving` return this in an application."""
        app.extensions[_EXTENSION] = self

    @classmethod
    def in_app(cls, app: Flask) -> Serving:
        """Return what is installed in an application."""
        return cast("Serving", app.extensions[_EXTENSION])


def serving() -> Serving:
    """Return the parts of the current application."""
    return cast("Serving", current_app.extensions[_EXTENSION])
