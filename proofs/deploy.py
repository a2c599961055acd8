"""`make prove-deploy`: the bars on the deployment, each to its own JSON in proofs/deploy/.

Names on the command line run only those bars. nginx is needed; the image's steps need root.
"""

from __future__ import annotations

import sys

from proofs.deployment import built, through
from proofs.paging.suites import measured
from proofs.record import ROOT, run_bars

FOLDER = ROOT / "proofs" / "deploy"
BARS = {
    "uploads": (
        through.measure_uploads,
        "through nginx 50 MB are accepted, more is refused with a readable page or problem",
    ),
    "events": (through.measure_events, "events arrive through nginx as they happen"),
    "files": (
        through.measure_files,
        "results are sent by nginx, with the service's ETag, ranges, no header doubled",
    ),
    "address": (
        through.measure_address,
        "a client's address is its own, whatever it says as X-Forwarded-For",
    ),
    "restarts": (
        through.measure_restarts,
        "SIGHUP and restarts one after the other, under load: no job and no answer lost",
    ),
    "page": (
        measured("tests/deploy/test_page.py"),
        "the page through nginx and gunicorn, in a browser: upload, progress, result, download",
    ),
    "image": (
        built.measure,
        (
            "the Dockerfile's steps from a clean clone; it runs without rights, "
            "edsr is verified when built and at each start"
        ),
    ),
}

if __name__ == "__main__":
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.deploy"))
