"""`make prove-speed`: the bars on speed, each to its own JSON in proofs/speed/.

Names on the command line run only those bars. The machine must have nothing else to do.
"""

from __future__ import annotations

import sys

from proofs.core import pull_models
from proofs.record import ROOT, run_bars
from proofs.timing import adaptive, losses, peak, ratios, walls

FOLDER = ROOT / "proofs" / "speed"
BARS = {
    "opencv-engines": (
        ratios.measure_engines,
        "which of OpenCV's ways to run EDSR x3 is the baseline to beat (no bar)",
    ),
    "edsr-int8": (
        ratios.measure_edsr,
        "edsr x3 int8 at least 2.5 times as fast as dnn_superres on 300x200 (aim 2.9)",
    ),
    "family": (
        ratios.measure_family,
        "per pixel on a megapixel: lite x3 at least 120, fast x3 700 times dnn_superres's edsr x3",
    ),
    "edsr-loss-set5": (losses.set5_edsr, "edsr x3 int8 at most 0.05 dB under fp32 on Set5"),
    "edsr-loss-kodak24-1": (
        losses.kodak24_edsr_first,
        "edsr x3 int8 at most 0.05 dB under fp32 on Kodak24, pictures 1 to 12",
    ),
    "edsr-loss-kodak24-2": (
        losses.kodak24_edsr_second,
        "edsr x3 int8 at most 0.05 dB under fp32 on Kodak24, pictures 13 to 24",
    ),
    "family-loss-set5": (
        losses.set5_family,
        "lite x3 and fast x3 in int8 at most 0.05 dB under their fp32 on Set5",
    ),
    "int8-peak": (peak.measure, "edsr x3 int8 reaches at least 80 % of the measured int8 peak"),
    "adaptive-speed": (
        adaptive.measure_speed,
        "edsr x3 adaptive at least 3.5 times as fast as dnn_superres on Kodak24",
    ),
    "adaptive-kodak24": (
        adaptive.measure_kodak24,
        "edsr x3 adaptive at most 0.1 dB under fp32 on Kodak24; lite no picture more under exact",
    ),
    "adaptive-photos": (
        adaptive.measure_photos,
        "flat parts of photographs cost at most 0.1 dB; what they save (no bar)",
    ),
    "start": (
        walls.measure_start,
        "from a process's start to its first tile: under 1.2 s cold, 0.7 s with caches",
    ),
    "jpeg": (
        walls.measure_jpeg,
        "a 12-megapixel JPEG at x2 with fast takes at most 1.5 times its network's time",
    ),
    "large": (
        walls.measure_large,
        "25 megapixels cost at most 1.15 times as much for each pixel as 1 megapixel",
    ),
}

if __name__ == "__main__":
    pull_models()
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.speed"))
