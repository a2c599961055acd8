"""`make prove-models`: the bars of the models of our own, each to its own JSON in proofs/models/.

Names on the command line run only those bars. A bar about a model that does not ship yet fails and
says so.
"""

from __future__ import annotations

import sys

from proofs.core import pull_models
from proofs.family import (
    benchmarks,
    degraded,
    figures,
    old_photographs,
    rebuild,
    soundness,
    speed,
)
from proofs.record import ROOT, Measure, run_bars

FOLDER = ROOT / "proofs" / "models"
BARS: dict[str, tuple[Measure, str]] = {
    "fast-scores": (
        benchmarks.measure_fast,
        "fast through the command: Set5 x2 37.0, x3 33.2, x4 30.9 dB, Set14 x3 29.4",
    ),
    "lite-scores": (
        benchmarks.measure_lite,
        "lite through the command: Set5 x2 37.75, x3 34.2, x4 31.85 dB, Set14 x3 30.2",
    ),
    "photo-scores": (
        degraded.measure_photo,
        "photo x3 on Kodak24, JPEG 40: 0.7 dB above bicubic, 0.4 above lite, edsr; see the numbers",
    ),
    "auto-scores": (
        degraded.measure_auto,
        "auto x3 on Kodak24, five damages: on average at most 0.1 dB under the best fixed strength",
    ),
    "old-photographs": (
        old_photographs.measure,
        "flat-area noise after auto is on no old photograph above bicubic's; a contact sheet",
    ),
    "tiles": (soundness.measure_tiles, "every model of ours, and blends: tiled = untiled, 1 level"),
    "engines": (
        soundness.measure_engines,
        "OpenVINO, ONNX Runtime and OpenCV in fp32 within 0.01 dB on Set5",
    ),
    "constants": (
        soundness.measure_constants,
        "pictures of one colour stay so within 1 level; white stays 255",
    ),
    "colours": (soundness.measure_colours, "mean colour shift on Kodak24 under 0.3 levels"),
    "weight": (
        soundness.measure_weight,
        "fast at most 65 k parameters, lite and photo 0.6 M; the family at most 16 MB",
    ),
    "speed": (
        speed.measure,
        "pixels per second in ONNX Runtime and OpenVINO: lite 45 times edsr's, fast 350 times",
    ),
    "crops": (
        figures.measure_crops,
        "crops of the example: bicubic, FSRCNN, EDSR, all of ours",
    ),
    "plot": (figures.measure_plot, "PSNR-Y against milliseconds, all of ours in it"),
    "rebuild": (
        rebuild.measure,
        "a fresh clone: make train MODEL=fast-x3 MINUTES=10 passes 32.6 dB on Set5",
    ),
}

if __name__ == "__main__":
    pull_models()
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.models"))
