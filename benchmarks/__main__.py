"""`make bench`: speed, roofline, pixels and peers, each to its JSON in proofs/speed/.

Names on the command line run only those; `plots` draws what the JSON files hold.
"""

from __future__ import annotations

import sys

from benchmarks import peers, pixels, plots, roofline
from proofs import bench_speed
from proofs.record import ROOT, run_bars

FOLDER = ROOT / "proofs" / "speed"
BARS = {
    "table": (bench_speed.measure, "every model on every engine and arithmetic, in paired rounds"),
    "roofline": (roofline.measure, roofline.BAR),
    "pixels": (pixels.measure, pixels.BAR),
    "peers": (peers.measure, peers.BAR),
}


def _main(names: list[str]) -> int:
    if unknown := set(names) - {*BARS, "plots"}:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BARS)}, plots")
        return 2
    failed = 0
    if names != ["plots"]:
        failed = run_bars(BARS, names=names, folder=FOLDER, program="benchmarks")
    for path in plots.draw(FOLDER, ROOT / "docs" / "images"):
        print(f"drawn {path.relative_to(ROOT)}")
    return failed


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
