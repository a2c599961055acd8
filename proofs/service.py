"""`make prove-service`: the bars on the service, each to its own JSON in proofs/service/.

Names on the command line run only those bars. Filling a disk needs root, for a file system in
memory.
"""

from __future__ import annotations

import sys

from proofs.record import ROOT, run_bars
from proofs.serving import chaos, disk, fresh, hostile, load, memory, poison

FOLDER = ROOT / "proofs" / "service"
BARS = {
    "fresh-serve": (
        fresh.measure,
        "`make serve` on a fresh clone, then curl -F image=@photo.jpg gives a right x3 JPEG",
    ),
    "chaos": (
        chaos.measure,
        (
            "1,000 jobs, 4 workers, kills every 0.5-2 s, supervisor and web killed 10 times: "
            "0 lost, 0 published twice, none stuck, bytes as `upres enlarge`"
        ),
    ),
    "poison": (
        poison.measure_poison,
        "jobs that kill their worker, hang, or take all memory fail after exactly 3 attempts",
    ),
    "recovery": (
        poison.measure_recovery,
        "a killed worker's job continues elsewhere within lease + 10 s",
    ),
    "frozen": (poison.measure_frozen, "a worker frozen past its lease cannot publish"),
    "disk-full": (disk.measure, "64 MB tmpfs full: clear errors, full recovery"),
    "hostile": (
        hostile.measure,
        (
            "awkward, damaged, bombs, polyglots, wrong kinds: 2xx or a 4xx problem, service well, "
            "memory bounded, no metadata in results"
        ),
    ),
    "concurrent": (
        load.measure_concurrent,
        "200 concurrent uploads: done, or 429/503 with Retry-After; none dropped",
    ),
    "cached": (load.measure_cached, "a cached result at p99 under 30 ms while workers are busy"),
    "small": (
        load.measure_small,
        "a 64x64 picture with idle workers at p95 within 150 ms of a warm Upscaler",
    ),
    "memory": (memory.measure, "memory flat over 1,000 jobs: under 1 MB in 100 jobs"),
}

if __name__ == "__main__":
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.service"))
