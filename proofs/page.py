"""`make prove-page`: the bars on the page, each to its own JSON in proofs/page/.

Names on the command line run only those bars. Needs chromium; a bar whose tests were skipped fails.
"""

from __future__ import annotations

import sys

from proofs.paging import readme, weight
from proofs.paging.suites import measured
from proofs.record import ROOT, run_bars

FOLDER = ROOT / "proofs" / "page"
TESTS = "tests/page/"
VISITORS = f"{TESTS}test_visitors.py"
BARS = {
    "pictures": (
        measured(f"{TESTS}test_pictures.py"),
        (
            "by click, drop and paste: upload, progress, cancel, retry, ZIP, reload keeps "
            "history; no console error, nothing refused by the policy"
        ),
    ),
    "viewer": (
        measured(f"{TESTS}test_viewer.py"),
        "compare: slider, zoom to the pointer, pinch, keys, difference, bicubic as by formula",
    ),
    "trial": (
        measured(f"{TESTS}test_trial.py"),
        "every model on a crop with time and estimate; a model fetched with progress",
    ),
    "languages": (
        measured(f"{VISITORS}::test_the_browsers_language_then_the_chosen_one"),
        "zh-CN and English by Accept-Language, with a switch",
    ),
    "no-scripts": (
        measured(f"{VISITORS}::test_without_scripts_it_is_a_form"),
        "without JavaScript the page is a form that works",
    ),
    "axe": (
        measured(f"{VISITORS}::test_axe_finds_nothing_in_any_state"),
        "axe: 0 violations in every state, both languages, both themes, desk and phone",
    ),
    "keyboard": (
        measured(f"{VISITORS}::test_only_a_keyboard"),
        "from the empty page to the saved file by keyboard alone",
    ),
    "reflow": (
        measured(f"{VISITORS}::test_nothing_is_cut_off"),
        "at 320 px nothing has to be scrolled sideways, in every state",
    ),
    "readme": (
        readme.measure,
        "with README alone, from nothing to a compared picture in the browser: one command",
    ),
    "weight": (
        weight.measure,
        "interactive under 1 s with under 150 KB transferred, nothing cached",
    ),
}

if __name__ == "__main__":
    sys.exit(run_bars(BARS, names=sys.argv[1:], folder=FOLDER, program="proofs.page"))
