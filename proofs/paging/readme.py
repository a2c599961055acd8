"""README alone: a fresh clone, its first command, and a browser with a picture to compare."""

from __future__ import annotations

import sys
import time
from typing import Any

from playwright.sync_api import expect, sync_playwright

from proofs.record import ROOT
from proofs.serving.fresh import URL, fresh_clone

sys.path.insert(0, str(ROOT / "tests"))

from browser import CAT, launch_options, new_visit


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Clone, serve, choose a picture on the page, and move the slider over the result."""
    started = time.monotonic()
    with fresh_clone() as fresh, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        visit = new_visit(browser, URL).open()
        opened = time.monotonic()
        visit.pick(CAT)
        visit.done()
        compared_s = time.monotonic() - opened
        slider = visit.page.locator("input[type=range]").locator("visible=true").first
        before = slider.input_value()
        slider.focus()
        visit.page.keyboard.press("ArrowLeft")
        moved = slider.input_value() != before
        expect(visit.page.locator("#facts")).to_contain_text("450 × 300 (×3)")
        visit.check()
        browser.close()
    return {
        "command": fresh.command,
        "ready_after_s": round(fresh.ready_s, 1),
        "picture_compared_after_s": round(compared_s, 2),
        "slider_moves": moved,
        "seconds": round(time.monotonic() - started, 1),
        "passed": moved and fresh.command == "make serve",
    }
