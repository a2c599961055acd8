"""`make prove-video`: the bars on video, each to its own JSON in proofs/video/.

Names on the command line run only those bars. Clips are made of the benchmark pictures beside the
checkout, or drawn.
"""

from __future__ import annotations

import sys

from proofs.filming import chromium, drift, kills, memory, reuse, speed
from proofs.record import ROOT, run_bars

FOLDER = ROOT / "proofs" / "video"
BARS = {
    "fast": (
        speed.measure_fast,
        (
            "480x270 to 960x540 with fast: at least 20 frames a second, encoder and start counted; "
            "the ratio to a plain Lanczos enlargement by FFmpeg with the same encoder"
        ),
    ),
    "naive": (
        speed.measure_naive,
        "640x360 x2 with lite: 1.6 times a naive loop of decode, enlarge, encode over PNG files",
    ),
    "reuse": (
        reuse.measure,
        "80 % still area: 3 times faster than without reuse, the same bytes",
    ),
    "kills": (
        kills.measure,
        "20 kills -9 at random moments, continued each time: bytes as of a run in one go",
    ),
    "cancel": (
        kills.measure_cancel,
        "Ctrl-C at ten random moments of a run with lite on 1280x720: ended within a second",
    ),
    "drift": (
        drift.measure,
        "60 minutes at 30000/1001 with sound: every frame, at most one frame of drift at the end",
    ),
    "memory": (
        memory.measure,
        "1280x720 x2 with lite: at most 700 MB at the peak, flat over time",
    ),
    "chromium": (
        chromium.measure,
        "results in MP4 and WebM play to their end in Debian's chromium, and so does the page",
    ),
}

if __name__ == "__main__":
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.video"))
