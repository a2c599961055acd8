"""`POST /upload`: three times the size, as JPEG, in one request.

What this endpoint takes and gives is settled: the field `image`, JPEG of quality 95 back, 400
without a file. Everything that can be chosen is in `/api/v1`.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from upres.jobs.job import UNFINISHED
from upres.web import contract, failures, results
from upres.web.catalogue import upload_model
from upres.web.clients import needs
from upres.web.enlarge import not_in_time, waited
from upres.web.incoming import accept, form_upload, idempotency_key
from upres.web.jobs import address
from upres.web.limits import charge_request
from upres.web.options import PictureOptions

SCALE = 3
QUALITY = 95
WAIT_S = 600
"""After so long the client is told where the job is."""

blueprint = APIBlueprint("upload", __name__, tag="Upload")


@blueprint.post("/upload")
@needs("enlarge")
@blueprint.doc(
    operation_id="upload",
    responses={
        200: {
            "description": "The picture, three times as wide and high.",
            "content": {"image/jpeg": {"schema": contract.BINARY}},
        },
        **contract.problems(*contract.PICTURE_PROBLEMS, 409),
    },
    extensions=contract.plain_upload(),
)
def enlarge() -> Any:
    """Enlarge a picture three times, and get a JPEG.

    With `UPRES_UPLOAD_MODEL`, by default `edsr` where it is installed, else `auto`. A client that
    goes away leaves its job behind, which is done all the same.
    """
    options = PictureOptions(scale=SCALE, model=upload_model(), format="jpeg", quality=QUALITY)
    charge_request()
    job = waited(accept(form_upload(), options, key=idempotency_key()), timeout_s=WAIT_S)
    if job.state in UNFINISHED:
        return not_in_time(job)
    if job.result is None:
        return failures.answer(job, location=address(job))
    answer = results.as_file(job, attachment=False)
    answer.headers["Cache-Control"] = "no-store"
    return answer
