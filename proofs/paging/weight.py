"""How much the page weighs and when it can be used, measured in a browser with nothing cached."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from proofs.record import ROOT
from proofs.serving.running import RunningService

sys.path.insert(0, str(ROOT / "tests"))

from browser import launch_options, new_visit

VISITS = 9
MOST_BYTES = 150_000
MOST_MS = 1000


def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """Open the page several times, each with an empty cache; the slowest counts."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningService(Path(folder)) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**launch_options())
        visits = [
            _visit(browser, service.url, language)
            for _ in range(VISITS)
            for language in ("en", "zh-CN")
        ]
        browser.close()
    slowest = max(one["interactive_ms"] for one in visits)
    heaviest = max(one["bytes"] for one in visits)
    return {
        "visits": visits,
        "interactive_ms_median": statistics.median(one["interactive_ms"] for one in visits),
        "interactive_ms_most": slowest,
        "bytes_most": heaviest,
        "bytes_are": "what came over the wire: headers, and bodies as they were sent, compressed",
        "limits": {"bytes": MOST_BYTES, "interactive_ms": MOST_MS},
        "passed": 0 < slowest < MOST_MS and 0 < heaviest < MOST_BYTES,
    }


def _visit(browser: Browser, url: str, language: str) -> dict[str, Any]:
    """Interactive: every script has run, and the last task of over 50 ms until then is over."""
    visit = new_visit(browser, url, locale=language)
    sizes: list[float] = []
    plain: list[float] = []
    protocol = visit.page.context.new_cdp_session(visit.page)
    protocol.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    protocol.on("Network.dataReceived", lambda event: plain.append(event["dataLength"]))
    protocol.send("Network.enable")
    visit.page.add_init_script(
        """window.long = [];
        new PerformanceObserver((list) => window.long.push(
          ...list.getEntries().map((one) => one.startTime + one.duration)
        )).observe({ type: "longtask", buffered: true });"""
    )
    visit.open()
    visit.page.wait_for_load_state("networkidle")
    times = visit.page.evaluate(
        """() => {
          const [page] = performance.getEntriesByType("navigation");
          return {
            ready: performance.getEntriesByName("ready")[0].startTime,
            paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
            loaded: page.domContentLoadedEventEnd,
            long: window.long,
          };
        }"""
    )
    visit.check()
    visit.page.context.close()
    return {
        "language": language,
        "bytes": int(sum(sizes)),
        "bytes_before_compression": int(sum(plain)),
        "requests": len(sizes),
        "first_paint_ms": times["paint"] and round(times["paint"]),
        "interactive_ms": round(max(times["ready"], times["loaded"], *times["long"], 0)),
    }
