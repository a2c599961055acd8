"""`make prove-pictures`: the bars on pictures' fidelity, each to its own JSON in proofs/pictures/.

Names on the command line run only those bars.
"""

from __future__ import annotations

import sys

from proofs import awkward, bench_quality, bench_speed, fuzz, large_output, round_trips
from proofs.record import ROOT, run_bars

FOLDER = ROOT / "proofs" / "pictures"
BARS = {
    "awkward-bicubic": (
        awkward.measure_bicubic,
        "every awkward and real file x2 as PNG: right or one clear error; 2 GB, 60 s a file",
    ),
    "real-lite": (awkward.measure_lite, "every real file x2 with lite: the same"),
    "round-trips": (
        round_trips.measure,
        "orientation, profile within delta E 1, alpha without fringe, over 4,000 levels, gray",
    ),
    "large-output": (
        large_output.measure,
        "100 megapixels with lite as JPEG, PNG, TIFF: peak at most 1.0 GB, flat from 25 on",
    ),
    "bench-quality": (
        bench_quality.measure,
        "`upres bench quality`: published bicubic (Set5 33.64/30.39/28.42), 31.63 for EDSR x3",
    ),
    "bench-speed": (bench_speed.measure, "`upres bench speed` runs and its table holds"),
    "fuzz": (fuzz.measure, "20,000 mutated files: no crash, no hang, no silent damage"),
}

if __name__ == "__main__":
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.pictures"))
