"""Every code that a problem can have, with its status: for the page that explains them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from upres.errors import UpresError
from upres.web.problems import BY_BLAME, INTERNAL, STATUSES, WRONG_HOST, code_of
from upres.web.refusals import REFUSALS


def _leaves(kind: type[UpresError]) -> list[type[UpresError]]:
    below = kind.__subclasses__()
    return [leaf for one in below for leaf in _leaves(one)] if below else [kind]


_OF_HTTP = (400, 404, 405, 408, 412, 413, 416, 422)
_SAID_HERE = {
    "poison": 500,
    "not-done-yet": 503,
    "not-ready": 503,
    "server-stopping": 503,
    WRONG_HOST: 421,
    INTERNAL: 500,
}
"""By single places of the service, without an error of their own."""

ALL: Mapping[str, int] = {
    **{kind.code: BY_BLAME[kind.blame] for kind in _leaves(UpresError)},
    **STATUSES,
    **{code_of(status, HTTPStatus(status).phrase): status for status in _OF_HTTP},
    **{code: status for status, (code, _) in REFUSALS.items()},
    **_SAID_HERE,
}
