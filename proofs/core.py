"""`make prove-core`: the bars of the core, each to its own JSON in proofs/core/.

Names on the command line run only those bars.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from proofs import (
    bad_input,
    conversion,
    edges,
    edsr_set5,
    engine_memory,
    engine_speed,
    fresh_clone,
    scores,
    seams,
    start_up,
    store_survives,
)
from proofs.record import ROOT, SHARED, run_bars
from upres.config import Settings
from upres.models.catalogue import Catalogue
from upres.models.store import ModelStore

FOLDER = ROOT / "proofs" / "core"
BARS = {
    "edsr-set5": (
        edsr_set5.measure,
        "EDSR x3 on Set5 (standard LR): 31.6 dB with every engine in fp32, within 0.01 dB",
    ),
    "conversion": (
        conversion.measure,
        "converted graphs against cv2: at most 1 level apart, mean at most 0.01",
    ),
    "scores": (
        scores.measure,
        "every model on the standard Set5; bicubic as published within 0.05 dB",
    ),
    "edges": (
        edges.measure,
        "pictures' edges with zeros around them score higher with lite than mirrored ones",
    ),
    "seams": (
        seams.measure,
        "tiled = untiled within 1 level on every model; no seam on flat and noisy pictures",
    ),
    "start-up": (start_up.measure, "import upres under 0.25 s, upres --help under 0.4 s"),
    "bad-input": (
        bad_input.measure,
        "each bad input exits non-zero with one line naming the cause; nothing written",
    ),
    "store-survives": (
        store_survives.measure,
        "kill -9 in mid-download 20 times, flipped bit, wrong size, two at once, read-only folder",
    ),
    "engine-speed": (
        engine_speed.measure,
        "every engine on one tile of lite x3 and edsr x3, paired; OpenCV's two graph engines",
    ),
    "engine-memory": (engine_memory.measure, "memory flat over 500 runs of mixed sizes"),
    "fresh-clone": (
        fresh_clone.measure,
        "fresh clone, empty environment: both README commands pass; edsr arrives",
    ),
}


def pull_models() -> None:
    """Bring every model here: edsr from its sources, lapsrn from the shared folder if need be."""
    settings = Settings.from_environment()
    mirrored = replace(settings.store, mirror=str(SHARED / "weights"))
    for spec in Catalogue.load():
        ModelStore(mirrored if spec.name == "lapsrn" else settings.store).pull(spec)


if __name__ == "__main__":
    pull_models()
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.core"))
