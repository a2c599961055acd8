"""`POST /upload`: three times the size, as JPEG, in one request; and `GET /`, a form for it.

What this endpoint takes and gives is settled: the field `image`, JPEG of quality 95, 400 without a
file. Everything that can be chosen is in `/api/v1`.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, render_template, request

from upres.errors import InvalidOption
from upres.jobs.job import UNFINISHED, JobOptions
from upres.models.catalogue import Catalogue
from upres.models.store import ModelStore
from upres.web import contract, results
from upres.web.clients import needs
from upres.web.enlarge import ended_well, waited
from upres.web.incoming import accept, idempotency_key, upload
from upres.web.problems import Busy, NoFile
from upres.web.schemas import PictureOptions
from upres.web.serving import serving
